"""The built-in mechanisms, one file each: see `bot.rules.outer.registry`."""
