"""Kind command: a locked script measures what the candidate produced. Needs neither torch nor numpy."""
