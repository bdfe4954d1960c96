"""The evaluator: trains one commit with one seed and scores it. Imports nothing from the bot."""
