"""What one procedure did in one simulated campaign, and what is read off that at several budgets.

Time is counted in whole runs of the training device. Everything about the machine and the proposals is behind two
protocols: the benchmark's (`tests/benchmarks/truth`) and those fitted to a campaign (`bot.rules.simulated.ground`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

BASELINE = -1
SHORTER_MAY_LOSE = 0.1  # of the noise: a shorter proposal that loses no more is no false merge


@dataclass(frozen=True)
class Proposal:
    """What a change adds to a whole run's expected score (`effect`) and to that of a short one; negative is better."""

    effect: float
    short: float
    crashes: bool
    shorter: bool


class Proposals(Protocol):
    """The proposals of a campaign in their order."""

    def __getitem__(self, number: int, /) -> Proposal: ...


@dataclass(frozen=True)
class Commit:
    """A state of the code: the proposal that made it (`BASELINE`: none did), its expected score beside the baseline's
    in a full and in a short run, and whether it crashes. `takes_out`: the proposal that it takes out of the head."""

    made_by: int
    full: float = 0.0
    short: float = 0.0
    crashes: bool = False
    takes_out: int | None = None


@dataclass(frozen=True)
class Score:
    """What a run showed. `value` is None if it failed; `ended` is the machine's time then."""

    value: float | None
    cost: float
    ended: float
    machine: str
    guarded: float
    throughput: float


class Over(Exception):
    """The machine's time is spent."""


class World(Protocol):
    """What a procedure may know of how runs vary: the noise in score units, whether a metric beside the score is
    guarded (its deviation, 0 if none is), and which way is better."""

    @property
    def sigma(self) -> float: ...
    @property
    def guard(self) -> float: ...
    @property
    def maximize(self) -> bool: ...


class Machine(Protocol):
    """Runs commits of one campaign until its time is spent; `kind` is the kind of machine that there is now."""

    clock: float

    @property
    def kind(self) -> str: ...

    def run(self, commit: Commit, seed: int, share: float = 1.0) -> Score:
        """Run a commit with a share of the budget. Raises `Over` if that is more than what is left."""


@dataclass(frozen=True)
class Merge:
    """A proposal that became the head, or was taken out of it, and when; `effect` is the true one of that."""

    at: float
    effect: float
    is_false: bool


@dataclass(frozen=True)
class Told:
    """What the procedure says that the head has gained over the baseline, a bound that shall hold in nine of ten, and
    what it has truly gained."""

    at: float
    gain: float
    true: float
    lower: float | None = None


@dataclass
class Play:
    """One campaign of one procedure. Times are those of the machine."""

    world: World
    machine: Machine
    budgets: tuple[float, ...]
    proposals: Proposals
    merges: list[Merge] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    run_ends: list[float] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    head: Commit = field(default_factory=lambda: Commit(BASELINE))
    guarded: float = 0.0
    """The guarded metric in the newest run, and in the newest when the head was made."""
    head_guarded: float = 0.0

    def candidate(self, number: int) -> Commit:
        """Return the commit that proposal `number` makes of the head."""
        given = self.proposals[number]
        return Commit(number, self.head.full + given.effect, self.head.short + given.short, given.crashes)

    def without(self, merged: int, number: int) -> Commit:
        """Return the commit that takes proposal `merged` out of the head, by experiment `number` from 0 on."""
        out = self.proposals[merged]
        return Commit(number, self.head.full - out.effect, self.head.short - out.short, takes_out=merged)

    def merge(self, commit: Commit) -> None:
        """Make a commit the head."""
        if commit.takes_out is not None:
            effect, allowed = -self.proposals[commit.takes_out].effect, 0.0
        else:
            given = self.proposals[commit.made_by]
            effect, allowed = given.effect, SHORTER_MAY_LOSE * self.world.sigma if given.shorter else 0.0
        is_false = effect > allowed or (not allowed and effect >= 0)
        self.merges.append(Merge(self.machine.clock, effect, is_false))
        self.head, self.head_guarded = commit, self.guarded

    def guard_holds(self) -> bool:
        """Whether the guarded metric of the newest run is not below the head's."""
        return self.world.guard == 0 or self.guarded >= self.head_guarded

    def tell(self, gain: float, lower: float | None = None) -> None:
        """Say how much the head has gained."""
        self.told.append(Told(self.machine.clock, gain, -self.head.full, lower))

    def end(self) -> None:
        """Count an experiment."""
        self.ended.append(self.machine.clock)

    def run(self, commit: Commit, seed: int = 1, share: float = 1.0) -> float | None:
        """Run a commit and return its score, lower is better; None if it failed. Raises `Over`."""
        score = self.machine.run(commit, seed, share)
        value, self.guarded = score.value, score.guarded
        self.run_ends.append(self.machine.clock)
        return -value if value is not None and self.world.maximize else value


@dataclass(frozen=True)
class Outcome:
    """A play up to a budget. Gains in bits per byte, positive is better; `told`, `truly` and `lower` if anything was
    told."""

    gain: float
    merges: int
    false: int
    experiments: int
    runs: int
    told: float | None
    truly: float | None
    lower: float | None


def outcome(play: Play, budget: float) -> Outcome:
    """Return what stands after `budget` full runs' time."""
    merged = [merge for merge in play.merges if merge.at <= budget]
    said = next((told for told in reversed(play.told) if told.at <= budget), None)
    return Outcome(
        gain=-sum(merge.effect for merge in merged),
        merges=len(merged),
        false=sum(merge.is_false for merge in merged),
        experiments=sum(at <= budget for at in play.ended),
        runs=sum(at <= budget for at in play.run_ends),
        told=None if said is None else said.gain,
        truly=None if said is None else said.true,
        lower=None if said is None else said.lower,
    )


Procedure = Callable[[Play], None]


def play(procedure: Procedure, played: Play) -> Play:
    """Play a campaign until its time is spent, and return it."""
    try:
        procedure(played)
    except Over:
        return played
    raise AssertionError("the proposals ended before the budget")
