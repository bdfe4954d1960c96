"""What one procedure did in one campaign, and what is read off that at several budgets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.benchmarks.truth.effects import Proposals
from tests.benchmarks.truth.world import BASELINE, Commit, Machine, Over, World

SHORTER_MAY_LOSE = 0.1  # of the noise: a shorter proposal that loses no more is no false merge


@dataclass(frozen=True)
class Merge:
    """A proposal that became the head, and when; `effect` is its true one."""

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
        given = self.proposals
        full, short = float(given.effects[number]), float(given.rungs[number])
        return Commit(number, self.head.full + full, self.head.short + short, bool(given.crashes[number]))

    def merge(self, commit: Commit) -> None:
        """Make a commit the head."""
        effect = float(self.proposals.effects[commit.made_by])
        allowed = SHORTER_MAY_LOSE * self.world.sigma if self.proposals.shorter[commit.made_by] else 0.0
        self.merges.append(
            Merge(self.machine.clock, effect, effect > allowed or (not allowed and effect >= 0))
        )
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


def play(procedure: Procedure, world: World, seed: int, *budgets: float) -> Play:
    """Play a campaign until the largest budget is spent."""
    machine = Machine(world, seed, max(budgets))
    played = Play(world, machine, budgets, machine.proposals())
    try:
        procedure(played)
    except Over:
        return played
    raise AssertionError("the proposals ended before the budget")
