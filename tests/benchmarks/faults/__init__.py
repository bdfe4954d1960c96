"""Whole campaigns under faults: what is done to them, and what must hold when they have come to their end."""
