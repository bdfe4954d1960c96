"""Held-out text: what training data lacks, which files of this machine carry it, and which diffs do."""
