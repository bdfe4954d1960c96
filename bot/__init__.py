"""Nocturne: the bot that runs one experiment after another and keeps what is better."""

__version__ = "0.2.0"
