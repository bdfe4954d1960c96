"""The runs of an experiment and of the incumbent it was compared with, as a table, and their learning curves."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.experiment import Experiment
from bot.rules.shares import run_words
from bot.tell.document import (
    Curves,
    Document,
    Line,
    Paragraph,
    Part,
    Table,
    Words,
    cut,
    heading,
    paragraph,
    say,
    table,
)
from bot.tell.figures.rows import Curve, failure_words, peak_memory_mb, usable_score
from bot.tell.numbers import NOTHING, count, decimals, duration, memory, number
from bot.tell.sentences import decision_places, held_at_cuts

_SHOWN = 12  # of each side; an incumbent of a long night has many


def trained_at(campaign: Campaign, experiment: Experiment) -> str:
    """Return the address of the workflow run that made the newest run of the candidate; "" if none did."""
    return next((run.where for run in reversed(own_runs(campaign, experiment)) if run.where), "")


def workflow_run(address: str) -> Words:
    """Return the name of a workflow run, as a link to its address."""
    return Words(f"workflow run {address.rpartition('/')[2]}", url=address, limit=60)


def runs_section(campaign: Campaign, experiment: Experiment) -> Document:
    """Return the section on the runs, one by one."""
    mine, theirs = _both(campaign, experiment)
    if not mine and not theirs:
        return heading("Runs"), paragraph("None.")
    trained = any(_trained(run) for run in (*mine, *theirs))
    sides = (("candidate", mine), ("incumbent", theirs))
    heads = ["run", "seed", campaign.metric, "time", *(["trained"] if trained else [])]
    runs = table(
        [*heads, "peak memory", "runner", "jail"],
        [_row(who, run, experiment, trained) for who, runs in sides for run in runs[-_SHOWN:]],
    )
    notes = runs_notes(campaign, experiment)
    return (heading("Runs"), runs, *((Paragraph(notes),) if notes else ()))


def runs_table(campaign: Campaign, experiment: Experiment) -> Document:
    """Return the runs in a line for each side: scores with their seeds, what they took, and where they ran."""
    sides = zip(("candidate", "incumbent"), _both(campaign, experiment), strict=True)
    rows: list[list[Part]] = []
    for who, runs in sides:
        shown = runs[-_SHOWN:]
        if shown:
            seconds, memories = [run.seconds for run in shown], list(map(peak_memory_mb, shown))
            where = dict.fromkeys(f"{run.runner}, {run.jail}" for run in shown)
            rows.append(
                [
                    say("{} `{}`", who, shown[-1].commit[:7]),
                    tuple(
                        words
                        for place, run in enumerate(shown)
                        for words in say("{}{} ({})", ", " * (place > 0), _score(run, experiment), run.seed)
                    ),
                    duration(sum(seconds) / len(seconds)),
                    memory(max((each for each in memories if each is not None), default=None)),
                    cut("; ".join(where), 120),
                ]
            )
    heads = ("", f"{campaign.metric} (seed)", "time of a run", "peak memory", "ran on")
    return (table(heads, rows),) if rows else ()


def _both(campaign: Campaign, experiment: Experiment) -> tuple[list[RunFinished], list[RunFinished]]:
    """Return the runs of the candidate, and those of the incumbent with the same shares of the budget."""
    mine = own_runs(campaign, experiment)
    shares = {1.0, *(run.share for run in mine)}
    return mine, [run for run in campaign.tries_of(experiment.parent) if run.share in shares]


def runs_notes(campaign: Campaign, experiment: Experiment) -> Line:
    """Return what a reader of the runs must know."""
    mine, theirs = _both(campaign, experiment)
    notes: Line = ()
    if not mine:
        notes += say("The candidate has no run. ")
    for who, runs_ in (("candidate", mine), ("incumbent", theirs)):
        if len(runs_) > _SHOWN:
            are = "is" if len(runs_) == _SHOWN + 1 else "are"
            notes += say("{} of the {} {} not listed. ", count(len(runs_) - _SHOWN, "earlier run"), who, are)
    earlier = campaign.runs_for(experiment.number)
    if len(earlier) > len(mine):
        against = ", against an older incumbent," if experiment.carried else ""
        gone = count(len(earlier) - len(mine), "run")
        notes += say("{} of an earlier round{} no longer count. ", gone, against)
    for each in sorted({each for run in mine for each in run.gaps}):
        notes += say("Open in the jail: {}. ", each)
    held = next((told for run in reversed(mine) if (told := held_at_cuts(run.metrics))), "")
    if held:
        notes += say("{}. ", held)
    if any(not run.is_full for run in (*mine, *theirs)):
        notes += say("Scores of runs with a share of the budget compare with those of the same share only. ")
    if any(run.jail == "none" for run in mine):
        notes += say("**Some of these runs were made without a jail.** ")
    if any(run.self_reported for run in mine):
        notes += say("**These scores are self-reported**: the candidate's code ran where they were measured.")
    return notes


def own_runs(campaign: Campaign, experiment: Experiment) -> list[RunFinished]:
    """Return the runs of the commit under test that were made for this experiment, short ones too."""
    if experiment.candidate is None:
        return []
    found = campaign.tries_of(experiment.candidate.commit)
    return [run for run in found if run.experiment == experiment.number]


def _row(who: str, run: RunFinished, experiment: Experiment, trained: bool) -> list[Part]:
    name = who if run.is_full else f"{who}, {run_words(run.share)},"
    return [
        say("{} {} `{}`", name, run.replicate, run.commit[:7]), run.seed, _score(run, experiment, full=True),
        duration(run.seconds),
        *([_trained(run) or NOTHING] if trained else []),
        memory(peak_memory_mb(run)), cut(run.runner, 60), cut(run.jail, 40),
    ]  # fmt: skip


def _score(run: RunFinished, experiment: Experiment, *, full: bool = False) -> Words:
    """Return a run's score, or why it has none; `full`: its share of the budget stands elsewhere."""
    score, decision = usable_score(run), experiment.decision
    if score is None:
        said = f"failed ({failure_words(run) or 'no usable score'})"
    elif decision is not None and decision.effect is not None:
        said = decimals(score, decision_places(decision))
    else:
        said = number(score)
    return cut(said if full or run.is_full else f"{said} after a {run_words(run.share)}", 160)


def _trained(run: RunFinished) -> str:
    """Return how much a run trained on, in steps and tokens, as far as it is known."""
    steps, tokens = run.metrics.get("num_steps"), run.metrics.get("total_tokens_M")
    said = [f"{steps:,.0f} steps"] if steps is not None and 0 <= steps < 1e12 else []
    said += [f"{tokens:,.3g} M tokens"] if tokens is not None and 0 <= tokens < 1e9 else []
    return ", ".join(said)


# The learning curve of a candidate beside its incumbent's: a chart and a short table.
#
# The points were printed by candidates, so they are data: only finite, moderate numbers reach the chart, and
# no word of anybody's does.

ROWS = 8
_POINTS = 24
_SKIPPED = 0.1  # of the time: the first fall would flatten all that comes after it
_LARGEST = (1e12, 1e6)  # place on the axis, loss
_AXES = ((1, "training seconds"), (0, "steps"))
Course = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Pair:
    """Two curves over the stretch of `axis` that both cover; `theirs` is empty if there is none."""

    axis: str
    mine: Course
    theirs: Course
    start: float
    end: float


def curves(mine: Curve, theirs: Curve) -> Document:
    """Return the section on the learning curves; nothing if the candidate told of none."""
    pair = _pair(mine, theirs)
    if pair is None:
        return ()
    return (heading("Learning curve"), *_drawn(pair), _table(pair))


def chart(mine: Curve, theirs: Curve) -> Document:
    """Return the learning curves as a picture alone; nothing if the candidate told of none."""
    pair = _pair(mine, theirs)
    return () if pair is None else _drawn(pair)


def _drawn(pair: Pair) -> Document:
    whose = "the candidate (orange) and its incumbent (grey)" if pair.theirs else "the candidate"
    said = f"Training loss of {whose}, from the first tenth on. It is what training said of itself, not the score."
    return (paragraph(said), _chart(pair))


def _pair(mine: Curve, theirs: Curve) -> Pair | None:
    for column, axis in _AXES:
        own, other = _line(mine, column), _line(theirs, column)
        lines = [own, other] if len(other) > 1 else [own]
        if len(own) < 2:
            continue
        start, end = max(line[0][0] for line in lines), min(line[-1][0] for line in lines)
        if end > start:
            return Pair(axis, own, other if len(other) > 1 else (), start, end)
    return None


def _line(curve: Curve, column: int) -> Course:
    """Return the curve's points over one of its axes, sorted, one for each place."""
    points = {
        point[column]: point[2]
        for point in curve
        if _moderate(point[column], _LARGEST[0]) and _moderate(point[2], _LARGEST[1])
    }
    return sorted(points.items())


def _moderate(value: float, limit: float) -> bool:
    return math.isfinite(value) and abs(value) < limit


def _chart(pair: Pair) -> Curves:
    start = pair.start + _SKIPPED * (pair.end - pair.start)
    points = [start + (pair.end - start) * index / (_POINTS - 1) for index in range(_POINTS)]
    lines = [[_at(line, point) for point in points] for line in (pair.mine, pair.theirs) if line]
    values = [value for line in lines for value in line]
    low, high = min(values), max(values)
    digits, fine = _digits(high - low), _digits(pair.end - start)
    air = 0.05 * (high - low) or 0.5
    return Curves(
        axis=pair.axis,
        start=f"{start:.{fine}f}",
        end=f"{pair.end:.{fine}f}",
        values="training loss",
        low=f"{low - air:.{digits}f}",
        high=f"{high + air:.{digits}f}",
        lines=tuple(tuple(f"{value:.{digits}f}" for value in line) for line in lines),
    )


def _table(pair: Pair) -> Table:
    points = [pair.start + (pair.end - pair.start) * (index + 1) / ROWS for index in range(ROWS)]
    whole = pair.end - pair.start >= ROWS * 2
    lines = [[_at(line, point) for point in points] for line in (pair.mine, pair.theirs) if line]
    digits = _digits(max(map(max, lines)) - min(map(min, lines)))
    rows = []
    for point, values in zip(points, zip(*lines, strict=True), strict=True):
        cells = [f"{point:,.0f}" if whole else f"{point:.2f}", *(decimals(value, digits) for value in values)]
        rows.append(cells + [decimals(values[0] - other, digits, "+") for other in values[1:]])
    heads = (pair.axis, "candidate", "incumbent", "difference")
    return table(heads[: len(rows[0])], rows, "nnnn"[: len(rows[0])])


def _at(line: Course, place: float) -> float:
    """Return a line's value at a place within it, between its points by interpolation."""
    index = bisect_right(line, place, key=lambda point: point[0])
    if index == 0 or index == len(line):
        return line[min(index, len(line) - 1)][1]
    (x0, y0), (x1, y1) = line[index - 1], line[index]
    return y0 + (y1 - y0) * (place - x0) / (x1 - x0)


def _digits(span: float) -> int:
    """Return how many decimals show three to four digits of a difference as large as `span`; 1 to 8."""
    return max(1, min(8, 3 - math.floor(math.log10(span)))) if span > 0 else 4
