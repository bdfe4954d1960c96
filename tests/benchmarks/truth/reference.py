"""Procedures that ours is compared with: an oracle, keep if lower, a confidence by deviations, a t-test.

Each takes the proposals one after another, starts from the baseline's first run and goes on until its time is spent.
All of them meet the first seed alone, as those who use them do, but for the t-test. After a change of machine they run
the head again, which is more than the originals do.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from statistics import fmean, median, variance

from bot.rules.simulated.greedy import Best, greedy
from bot.rules.simulated.play import Play, Procedure
from bot.rules.statistics import t_quantile
from tests.benchmarks.truth.world import Machine

RUNG = 0.25
_WINDOW = 30  # short runs among which one must be good
_PASS = 1 / 3
_FIRST_PASS = 6  # short runs before any is held back


def oracle(play: Play) -> None:
    """Keep what is truly better: a run tells no less."""
    _quieten(play)
    for number in count():
        candidate = play.candidate(number)
        if play.run(candidate) is not None and candidate.full < play.head.full:
            play.merge(candidate)
        play.end()


def _quieten(play: Play) -> None:
    """Take all noise from the machine."""
    assert isinstance(play.machine, Machine)
    play.machine.world = play.machine.world.quietened()


def oracle_with_rungs(play: Play) -> None:
    """Keep what is truly better, and run in full only what is better in a short run without noise."""
    _quieten(play)
    for number in count():
        candidate = play.candidate(number)
        promising = play.run(candidate, share=RUNG) is not None and candidate.short < play.head.short
        if promising and play.run(candidate) is not None and candidate.full < play.head.full:
            play.merge(candidate)
        play.end()


def greedy_with_rungs(play: Play) -> None:
    """Keep what scores lower; run in full only what is in the best third of the newest short runs (ASHA)."""
    best = Best(play)
    seen: list[float] = []
    for number in count():
        candidate, bar = play.candidate(number), best.now()
        short = play.run(candidate, share=RUNG)
        if short is not None:
            seen = [*seen[-_WINDOW + 1 :], short]
            if len(seen) <= _FIRST_PASS or short <= sorted(seen)[int(_PASS * len(seen))]:
                score = play.run(candidate)
                if score is not None and score < bar and play.guard_holds():
                    best.take(score, candidate)
        play.end()


def by_deviations(play: Play) -> None:
    """Keep what scores lower; what gains less than the median absolute deviation of all scores so far is run once more
    and kept if the mean is lower, as pi-autoresearch's confidence asks of its user.

    Source: pi-autoresearch's `confidence`: |gain| over the median absolute deviation of the metric; "re-run below 1".
    """
    best = Best(play)
    scores = [best.value]
    for number in count():
        candidate, bar = play.candidate(number), best.now()
        score = play.run(candidate)
        if score is not None:
            scores.append(score)
            if score < bar and bar - score < _deviation(scores):
                again = play.run(candidate)
                score = score if again is None else fmean([score, again])
            if score < bar and play.guard_holds():
                best.take(score, candidate)
        play.end()


def _deviation(scores: Sequence[float]) -> float:
    middle = median(scores)
    return median(abs(score - middle) for score in scores)


def t_test(play: Play) -> None:
    """Run each candidate three times, and keep it if Welch's one-sided test of the means says 95 %.

    The head's runs are those that won it its place; a first one that crashes is not repeated.
    """
    head = [s for seed in (1, 2, 3) if (s := play.run(play.head, seed)) is not None]
    first, machine = fmean(head), play.machine.kind
    shift = 0.0
    for number in count():
        if play.machine.kind != machine:
            machine = play.machine.kind
            before = fmean(head)
            head = [s for seed in (1, 2, 3) if (s := play.run(play.head, seed)) is not None]
            shift += fmean(head) - before
        candidate = play.candidate(number)
        mine: list[float] = []
        for seed in (1, 2, 3):
            score = play.run(candidate, seed)
            if score is None:
                break
            mine.append(score)
        if len(mine) == 3 and _is_lower(mine, head) and play.guard_holds():
            head = mine
            play.merge(candidate)
            play.tell(first + shift - fmean(mine))
        play.end()


def _is_lower(mine: Sequence[float], theirs: Sequence[float]) -> bool:
    if len(theirs) < 2:
        return fmean(mine) < fmean(theirs)
    parts = variance(mine) / len(mine), variance(theirs) / len(theirs)
    total = sum(parts)
    gain = fmean(theirs) - fmean(mine)
    if total == 0:
        return gain > 0
    degrees = total**2 / (parts[0] ** 2 / (len(mine) - 1) + parts[1] ** 2 / (len(theirs) - 1))
    return bool(gain > t_quantile(0.95, max(degrees, 1.0)) * total**0.5)


PROCEDURES: dict[str, Procedure] = {
    "oracle": oracle,
    "oracle, rungs": oracle_with_rungs,
    "greedy": greedy,
    "greedy, rungs": greedy_with_rungs,
    "pi-autoresearch": by_deviations,
    "three and a t-test": t_test,
}
