"""The ends that a call of a model can have besides an answer."""

from __future__ import annotations


class NoAnswer(Exception):
    """The model gave none that can be used, and nothing in the configuration would fix it.

    Whoever asked goes on without: the offline proposer takes the experiment, and the report says `str(error)`.
    What a human has to fix (key, model name, permission) is a `UserError` instead.
    """


class Exhausted(NoAnswer):
    """All tries failed for passing reasons: rate limits, overload, time-outs, broken answers."""


class OverBudget(NoAnswer):
    """The call could have cost more than a cap leaves; it was not made."""


class TooLong(NoAnswer):
    """The request is larger than the model or the interface takes."""
