"""What people are told without asking: the morning's summary, and in the night what deserves it."""
