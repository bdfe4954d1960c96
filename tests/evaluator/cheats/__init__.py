"""Candidates that try to gain by something else than a better model. `corpus.py` lists them all."""
