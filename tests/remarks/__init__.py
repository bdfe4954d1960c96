"""Commands in comments: read, allowed, done and answered, against the GitHub on loopback."""
