"""Crashes that may be repaired within their experiment."""

REPAIRABLE = frozenset({"syntax", "import", "out_of_memory", "nan", "error", "killed", "unportable"})
"""Failure classes that a small fix may cure. What was refused, or ran out of its time, says no to the change."""
