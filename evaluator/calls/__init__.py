"""Kind command with `call`: a locked script calls functions of the candidate's, which run in jails of their own."""
