"""Hostile texts by the hundred thousand, and readers that are not ours to tell what they did."""
