"""The verbs of the command line, one module for each family; each function returns the exit code."""
