"""What is computed of a campaign before anything is said: gains, rows, costs, what nobody has read."""
