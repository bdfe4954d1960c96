"""Proposers, each in the file that the configuration calls it by: see `bot.agents.registry`."""
