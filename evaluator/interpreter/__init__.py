"""The Python that the task runs with: which one it is, what it has, and what a jail must show of it."""
