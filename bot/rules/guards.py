"""Guards: what a candidate must keep, besides having the better score. Pure.

A guard is a line such as `peak_vram_mb <= 1.1 * incumbent`: a metric, a sign, and a limit that is a number or is
made from the same metric of the incumbent. Limits compare medians over runs. A limit that is made from the incumbent
is as uncertain as the metric varies from run to run: it is broken by what lies beyond it by two standard errors.
"""

from __future__ import annotations

import difflib
import math
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

Metrics = Mapping[str, float]
_MOST_NAMED = 20
_ERRORS = 2.0  # standard errors that a limit made from the incumbent gives way
_NORMAL = 1.4826  # deviations of a normal variable to its median absolute one

FIX = (
    "write NAME <= LIMIT (or >=, <, >) with a LIMIT such as 5000, 1.1 * incumbent, incumbent + 100 or"
    " incumbent - 5%"
)

_SIGNS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "<=": (operator.le, "above"),
    ">=": (operator.ge, "below"),
    "<": (operator.lt, "not below"),
    ">": (operator.gt, "not above"),
}
_GUARD = re.compile(r"\s*([A-Za-z_][\w.\-/]{0,79})\s*(<=|>=|<|>)\s*(.+?)\s*")
_NUMBER = r"([-+]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][-+]?\d+)?)\s*(%?)"
_PLAIN = re.compile(_NUMBER)
_TIMES = re.compile(rf"{_NUMBER}\s*\*\s*incumbent|incumbent\s*\*\s*{_NUMBER}")
_MORE = re.compile(rf"incumbent(?:\s*([-+])\s*{_NUMBER})?")


@dataclass(frozen=True)
class Guard:
    """`name` must be `sign` the limit `factor` * incumbent + `share` * |incumbent| + `offset`.

    `limit` is how the limit was written; a guard with `factor` 0 needs no incumbent.
    """

    name: str
    sign: str
    limit: str
    factor: float = 0.0
    share: float = 0.0
    offset: float = 0.0

    def bound(self, incumbent: float) -> float:
        """Return the limit, given the incumbent's value of the metric."""
        return self.factor * incumbent + self.share * abs(incumbent) + self.offset

    def holds(self, value: float, incumbent: float) -> bool:
        return _SIGNS[self.sign][0](value, self.bound(incumbent))


def parse_guard(text: str) -> Guard:
    """Return the guard that `text` describes; raise ValueError with the fix if it describes none."""
    found = _GUARD.fullmatch(text)
    if found is None:
        raise ValueError(FIX)
    name, sign, limit = found[1], found[2], " ".join(found[3].split())
    if plain := _PLAIN.fullmatch(limit):
        return Guard(name, sign, limit, offset=_number(plain[1], plain[2]))
    if times := _TIMES.fullmatch(limit):
        return Guard(name, sign, limit, factor=_number(times[1] or times[3], times[2] or times[4] or ""))
    if more := _MORE.fullmatch(limit):
        amount = _number(more[2], more[3]) if more[1] else 0.0
        amount = -amount if more[1] == "-" else amount
        relative = bool(more[3])
        return Guard(
            name,
            sign,
            limit,
            factor=1.0,
            share=amount if relative else 0.0,
            offset=0.0 if relative else amount,
        )
    raise ValueError(FIX)


def unreported(guards: Sequence[Guard], reported: Collection[str]) -> str | None:
    """Return a sentence on the first guard whose metric is not among those that runs have `reported`; None if all are
    there."""
    missing = next((guard.name for guard in guards if guard.name not in reported), None)
    if missing is None:
        return None
    close = difflib.get_close_matches(missing, reported, n=1)
    fix = (
        f"did you mean `{close[0]}`?"
        if close
        else f"a run reports {', '.join(sorted(reported)[:_MOST_NAMED])}"
    )
    return f"no run reports {missing!r}: {fix}"


def broken(guards: Sequence[Guard], candidate: Sequence[Metrics], incumbent: Sequence[Metrics]) -> list[str]:
    """Return a sentence for each guard that the medians over the candidate's runs break.

    `candidate` and `incumbent` are the metrics of runs that have a score. A metric that a run lacks breaks
    its guard.
    """
    return [said for guard in guards if (said := _breach(guard, candidate, incumbent, clearly=False))]


def clearly_broken(
    guards: Sequence[Guard], candidate: Sequence[Metrics], incumbent: Sequence[Metrics]
) -> list[str]:
    """Return a sentence for each guard that all the candidate's runs break, whichever of the incumbent's runs
    is taken for the limit: no replicate is worth its price then. One that can't be judged yet is not named."""
    return [said for guard in guards if (said := _breach(guard, candidate, incumbent, clearly=True))]


def _breach(
    guard: Guard, candidate: Sequence[Metrics], incumbent: Sequence[Metrics], *, clearly: bool
) -> str | None:
    if not candidate or (guard.factor and not incumbent):
        return None
    mine = _values(guard.name, candidate)
    if mine is None:
        return f"{guard.name} is guarded and the candidate's runs do not report it"
    theirs = _values(guard.name, incumbent) if guard.factor else [0.0]
    if theirs is None:
        return f"{guard.name} is guarded and the incumbent's runs do not report it"
    pairs = [(a, b) for a in mine for b in theirs] if clearly else [(median(mine), median(theirs))]
    slack = _ERRORS * _standard_error(len(mine), theirs) if guard.factor else 0.0
    towards = -slack if guard.sign in ("<", "<=") else slack
    if any(
        guard.holds(value, other) or (slack and guard.holds(value + towards, other)) for value, other in pairs
    ):
        return None
    limit = f"{guard.limit} ({shown(guard.bound(median(theirs)))})" if guard.factor else guard.limit
    return f"{guard.name} {shown(median(mine))} is {_SIGNS[guard.sign][1]} {limit}"


def _standard_error(runs: int, theirs: Sequence[float]) -> float:
    """Return the standard error of the difference to the incumbent's median that so many runs of a candidate have, by
    how the incumbent's runs vary (the median absolute deviation: one odd run does not count); 0 if they repeat."""
    middle = median(theirs)
    deviation = _NORMAL * median(abs(value - middle) for value in theirs)
    return deviation * math.sqrt(1 / runs + 1 / len(theirs))


def _values(name: str, runs: Sequence[Metrics]) -> list[float] | None:
    """Return the metric of each run, None if one lacks it."""
    return [run[name] for run in runs] if all(name in run for run in runs) else None


def shown(value: float) -> str:
    """Write a metric's value: `5,210`, `0.9134`."""
    return f"{value:,.0f}" if abs(value) >= 1e6 else f"{value:,.6g}"


def _number(text: str, percent: str) -> float:
    value = float(text.replace("_", ""))
    if not math.isfinite(value):
        raise ValueError(FIX)
    return value / 100 if percent else value
