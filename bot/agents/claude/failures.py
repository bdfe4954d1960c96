"""The ends that a call of a model can have besides an answer."""

from __future__ import annotations


class NoAnswer(Exception):
    """The model gave none that can be used.

    Whoever asked goes on without: the offline proposer takes the experiment, and the report says `str(error)`.
    """


class NeedsHuman(NoAnswer):
    """A human has to fix something: key, permission or the model's name. No later call of it is answered either."""


class Exhausted(NoAnswer):
    """All tries failed for passing reasons: rate limits, overload, time-outs, broken answers."""


class OverBudget(NoAnswer):
    """The call could have cost more than a cap leaves; it was not made."""


class TooLong(NoAnswer):
    """The request is larger than the model or the interface takes."""
