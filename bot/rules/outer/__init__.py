"""The outer loop: a view of the search, what steers it, the mechanisms, and their trial. Pure.

`view` holds what a mechanism is given and what it answers; `mechanisms/` one short file for each mechanism, found by
being there (`registry`); `steering` what a proposal must do to obey. A mechanism knows nothing of scores, verdicts,
parents or the ledger beyond its view, and can change nothing but its answer.
"""
