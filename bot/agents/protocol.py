"""What the loop asks of a proposer, whoever thinks behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.rules.proposal import PastExperiment, Proposal


@dataclass(frozen=True)
class Question:
    """What a proposer is given: the incumbent's editable files, the program, the past, and its number."""

    files: Mapping[str, str]
    program: str
    history: Sequence[PastExperiment]
    seed: int
    number: int


class Proposer(Protocol):
    """The maker."""

    def propose(self, question: Question) -> Proposal | None:
        """Return the next change to try, None where nothing is left to try."""
        ...
