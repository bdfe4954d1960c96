"""The rule of version 0, frozen to compare with: its `bot/rules/decision.py` and what kept the incumbent measured.

Two runs of a baseline, one of each new incumbent and one after ten experiments; a replicate for what looks better, the
incumbent measured beside it and after it; up to four runs of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

from bot.rules.simulated.play import Commit, Play
from bot.rules.statistics import ROUNDING, disagree, pooled_noise, t_quantile
from tests.benchmarks.truth.old_readings import PRIOR_DEGREES, Reading, Run, readings

CONFIDENCE, LEAST_RUNS, MOST_RUNS, AGAIN_AFTER = 0.95, 2, 4, 10
PRIOR_SHARE = 0.001
_BESIDE = 2 / 3
_TOLD = 0.9
Next = Literal["candidate", "incumbent"]


@dataclass(frozen=True)
class _View:
    reading: Reading
    gain: float
    bound: float
    beside: float | None
    rounding: float

    @classmethod
    def of(cls, reading: Reading) -> _View:
        result = reading.comparison
        rounding = ROUNDING * max(abs(result.candidate), abs(result.incumbent))
        beside = None if reading.beside is None else -reading.beside
        return cls(reading, -result.effect, -result.effect - result.half_width, beside, rounding)

    def is_better(self) -> bool:
        return self.bound > self.rounding

    def is_equal(self) -> bool:
        return self.bound > -(self.reading.comparison.sigma + 2 * self.rounding)

    def is_worse(self, simpler: bool) -> bool:
        return self.gain <= (-self.reading.comparison.sigma - self.rounding if simpler else self.rounding)


def decide(
    candidate: Sequence[Run],
    incumbent: Sequence[Run],
    groups: Sequence[Sequence[Run]],
    prior: float,
    simpler: bool,
) -> Next | bool:
    """Return what to run next, or whether the candidate is merged."""
    if len(incumbent) < LEAST_RUNS:
        return "incumbent"
    views = [_View.of(each) for each in readings(candidate, incumbent, groups, prior, CONFIDENCE)]
    likely = views[0]
    beside = sum(run.at > candidate[0].at for run in incumbent)
    if len(candidate) >= LEAST_RUNS:
        better = all(view.is_better() for view in views)
        if better or (simpler and all(view.is_equal() for view in views)):
            if incumbent[-1].at <= candidate[-1].at:
                return "incumbent"
            if _confirmed_beside(likely, better):
                return True
        none = likely.beside is not None and likely.beside <= likely.rounding
        if beside >= LEAST_RUNS and none and not simpler:
            return False
    if all(view.is_worse(simpler) for view in views) or len(candidate) >= MOST_RUNS:
        return False
    repeats = not disagree([[run.score for run in group] for group in (candidate, incumbent, *groups)])
    if len(candidate) >= LEAST_RUNS and not simpler and not repeats and _hopeless(likely):
        return False
    drifting = any(view.reading.drift for view in views)
    behind = len(incumbent) < len(candidate) or (drifting and beside < len(candidate) - 1)
    return "incumbent" if behind else "candidate"


def _confirmed_beside(view: _View, better: bool) -> bool:
    if view.beside is None:
        return False
    if better:
        return view.beside > max(_BESIDE * view.gain, view.rounding)
    return view.beside >= -(view.reading.comparison.sigma + view.rounding)


def _hopeless(view: _View) -> bool:
    result = view.reading.comparison
    now = (1 / result.candidate_runs + 1 / result.incumbent_runs) ** 0.5
    then = (1 / MOST_RUNS + 1 / max(result.incumbent_runs, MOST_RUNS)) ** 0.5
    return bool(view.gain < 0.5 * (result.half_width * then / now))


@dataclass
class _Known:
    """All runs with a score on one kind of machine, by their commit."""

    play: Play
    runs: dict[int, list[Run]] = field(default_factory=dict)
    fresh: dict[int, list[float]] = field(default_factory=dict)
    """Scores of incumbents that picked nothing."""
    prior: float = 0.0

    def run(self, commit: Commit, *, incumbent: bool) -> bool:
        """Run a commit once more; whether it scored."""
        own = self.runs.setdefault(commit.made_by, [])
        seed = len(own) + 1
        score = self.play.run(commit, seed)
        if score is None:
            return False
        own.append(Run(score, seed, self.play.machine.clock))
        if incumbent:
            self.fresh.setdefault(commit.made_by, []).append(score)
        self.prior = self.prior or PRIOR_SHARE * abs(score)
        return True

    def of(self, commit: Commit) -> list[Run]:
        return self.runs.get(commit.made_by, [])

    def tell(self) -> None:
        """Say the gain of the head over the baseline by runs that picked nothing, with its lower bound."""
        head, base = self.fresh.get(self.play.head.made_by, []), self.of(Commit(-1))
        if not head or not base or self.play.head.made_by < 0:
            return
        groups = [[run.score for run in own] for own in self.runs.values()]
        noise = pooled_noise(groups, prior_sigma=self.prior, prior_degrees=PRIOR_DEGREES)
        gain = sum(run.score for run in base) / len(base) - sum(head) / len(head)
        half = t_quantile(_TOLD, noise.degrees) * noise.sigma * (1 / len(base) + 1 / len(head)) ** 0.5
        self.play.tell(gain, gain - half)


def old_rule(play: Play) -> None:
    """Let the rule of version 0 decide."""
    kinds: dict[str, _Known] = {}
    since = 0
    for number in count():
        known = kinds.setdefault(play.machine.kind, _Known(play))
        while (
            len(known.of(play.head)) < LEAST_RUNS
            or not known.fresh.get(play.head.made_by)
            or since >= AGAIN_AFTER
        ):
            if known.run(play.head, incumbent=True):
                since = 0
        candidate = play.candidate(number)
        if _is_merged(play, known, candidate, bool(play.proposals[number].shorter)):
            play.merge(candidate)
        play.end()
        known.tell()
        since += 1


def _is_merged(play: Play, known: _Known, candidate: Commit, shorter: bool) -> bool:
    """Run a candidate and its incumbent until there is a verdict."""
    if not known.run(candidate, incumbent=False):
        return False
    while True:
        pair = candidate.made_by, play.head.made_by
        groups = [own for made_by, own in known.runs.items() if made_by not in pair]
        found = decide(known.of(candidate), known.of(play.head), groups, known.prior, shorter)
        if isinstance(found, bool):
            return found and play.guard_holds()
        if found == "incumbent":
            known.run(play.head, incumbent=True)
        elif not known.run(candidate, incumbent=False):
            return False
