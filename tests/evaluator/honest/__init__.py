"""Honest candidates: each must score, and what it scores must be what its own process computes."""
