"""A Slack on loopback, and what our messages look like to it."""
