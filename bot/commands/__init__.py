"""One module per verb of the command line, each with a `run` that returns the exit code."""
