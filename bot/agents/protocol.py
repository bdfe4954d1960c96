"""What the loop asks of its agents, whoever thinks behind them: the maker, and the checker."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from bot.agents.gate import Gate
from bot.agents.memory import Memory
from bot.agents.offline.space import Rules
from bot.agents.skills import Skill
from bot.rules.outer.checks import Check
from bot.rules.outer.view import View
from bot.rules.proposal import Idea, Opinion, PastExperiment, Proposal


class Library(Protocol):
    """What an agent may look up about the campaign. Answers are bounded, and text of others is fenced."""

    def memory(self) -> Memory:
        """Return the digest of the past, and what goes on now."""
        ...

    def skills(self) -> Sequence[Skill]:
        """Return the project's skills, as committed."""
        ...

    def incumbent(self) -> str:
        """Return what an experiment must beat: metric, runs, noise, curve."""
        ...

    def experiment(self, number: int) -> str | None:
        """Return an earlier experiment whole: proposal, diff, runs, curve, tail of the log; None: no such."""
        ...

    def search(self, words: str) -> str:
        """Return the earlier experiments that speak of `words`, a line for each."""
        ...

    def nearest(self) -> str:
        """Return the few earlier experiments whose title and constants overlap most with this one's; empty: none."""
        ...

    def paths(self) -> Sequence[str]:
        """Return the files of the incumbent that may be read."""
        ...

    def file(self, path: str) -> str | None:
        """Return one of those files, None if it is not among them or is no text."""
        ...

    def tried(self) -> Mapping[str, int]:
        """Return the fingerprints of earlier candidates, with their experiments' numbers."""
        ...

    def lacking(self, base: Mapping[str, str], proposed: Mapping[str, str]) -> Sequence[str]:
        """Return what speaks against the imports of `proposed`, and note what it wished for."""
        ...


@dataclass(frozen=True)
class Revision:
    """A proposal of the same experiment that came back: its files, and what a reviewer or a crash said of it.

    `crash` is the end of the log of the run that crashed, empty if a review asked.
    """

    hypothesis: str
    files: Mapping[str, str]
    reasons: tuple[str, ...]
    round: int
    crash: str = ""


@dataclass(frozen=True)
class Tried:
    """What a smoke run of a draft showed, in words for a model: text of others is fenced. Never a score."""

    told: str
    sound: bool


TryOut = Callable[[Mapping[str, str]], Tried]
"""Runs a draft (path -> whole new content of a changed file) in the jail for a few steps."""


@dataclass(frozen=True)
class Question:
    """What a proposer is given: the incumbent's editable files, the program, the past, and its number.

    `library` answers what it wants to know beyond that; with `revision` it is asked to improve, not to begin.
    `ideas` are those of humans that wait, oldest first. They come before a proposer's own; one that it can't
    follow it leaves to another proposer. `try_out` is there if candidates may be run. `rules` say what a search
    may turn. `gate` holds a proposal to what the outer loop says of this experiment; without one there is none.
    `model` is asked in place of the usual one, if it is given.
    """

    files: Mapping[str, str]
    program: str
    history: Sequence[PastExperiment]
    seed: int
    number: int
    library: Library | None = None
    revision: Revision | None = None
    ideas: Sequence[Idea] = ()
    try_out: TryOut | None = None
    rules: Rules = field(default_factory=Rules)
    gate: Gate | None = None
    model: str | None = None


class Proposer(Protocol):
    """The maker."""

    def propose(self, question: Question) -> Proposal | None:
        """Return the next change to try, None if nothing is left to try."""
        ...


@runtime_checkable
class Searcher(Proposer, Protocol):
    """A proposer that searches a space: whether there is anything in it can be said before anything is paid."""

    searches: bool


@dataclass(frozen=True)
class Case:
    """What a reviewer is given: the change and the past, and nothing of its maker's reasons or of any stakes.

    `base` and `proposed` are the editable files before and after; `may_revise` says whether the change can
    still come back better.
    """

    number: int
    hypothesis: str
    category: str
    base: Mapping[str, str]
    proposed: Mapping[str, str]
    diff: str
    program: str
    library: Library
    may_revise: bool


class Reviewer(Protocol):
    """The checker, asked after the rules have found nothing."""

    def review(self, case: Case) -> Opinion:
        """Return whether the change may train, should be revised first, or should not train at all."""
        ...


@dataclass(frozen=True)
class Standing:
    """A mechanism of the outer loop that is at hand: its text, and in a line what it was measured to be worth."""

    name: str
    source: str
    worth: str


@dataclass(frozen=True)
class Study:
    """What a researcher is given: the search as mechanisms see it, and those at hand. `taken` are names that no new one
    may have; `check` runs a draft in its jail. `number` is that of the next experiment."""

    number: int
    view: View
    seed: int
    mechanisms: Sequence[Standing]
    taken: Collection[str]
    check: Callable[[str], tuple[Check, ...]]


@dataclass(frozen=True)
class Written:
    """A mechanism that a researcher wrote, with why, and the checks that it passed."""

    name: str
    rationale: str
    source: str
    checks: tuple[Check, ...]


class Researcher(Protocol):
    """The outer loop's mind: it writes mechanisms."""

    def research(self, study: Study) -> Written | str:
        """Return a mechanism that passes the checks, or why there is none. Raises UserError if a human must fix it."""
        ...
