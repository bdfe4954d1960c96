"""The runs of an experiment and of the incumbent it was compared with, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from bot.pulls.safe import prose
from bot.report.formats import NOTHING, count, duration
from bot.report.rows import failure_words, peak_memory_mb, usable_score
from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.experiment import Experiment
from bot.words import decimals, decision_places, number

_SHOWN = 12  # of each side; an incumbent of a long night has many


def runs_lines(campaign: Campaign, experiment: Experiment) -> list[str]:
    """Return the section on the runs as Markdown lines."""
    mine, theirs = own_runs(campaign, experiment), campaign.runs_of(experiment.parent)
    lines = ["### Runs", ""]
    if not mine and not theirs:
        return [*lines, "None."]
    trained = any(_trained(run) for run in (*mine, *theirs))
    names = ["run", "seed", prose(campaign.metric, 64), "time", *(["trained"] if trained else [])]
    names += ["peak memory", "runner", "jail"]
    lines += [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    for who, runs in (("candidate", mine), ("incumbent", theirs)):
        lines += [_row(who, run, experiment, trained) for run in runs[-_SHOWN:]]
    notes = []
    if not mine:
        notes.append("The candidate has no run.")
    for who, runs in (("candidate", mine), ("incumbent", theirs)):
        if len(runs) > _SHOWN:
            notes.append(f"{count(len(runs) - _SHOWN, 'earlier run')} of the {who} {_are(runs)} not listed.")
    earlier = campaign.runs_for(experiment.number)
    if len(earlier) > len(mine):
        against = ", against an older incumbent," if experiment.carried else ""
        notes.append(
            f"{count(len(earlier) - len(mine), 'run')} of an earlier round{against} no longer count."
        )
    if any(run.jail == "none" for run in mine):
        notes.append("**Some of these runs were made without a jail.**")
    if any(run.self_reported for run in mine):
        notes.append("**These scores are self-reported**: the candidate's code ran where they were measured.")
    return [*lines, "", " ".join(notes)] if notes else lines


def own_runs(campaign: Campaign, experiment: Experiment) -> list[RunFinished]:
    """Return the runs of the commit under test that were made for this experiment."""
    if experiment.candidate is None:
        return []
    found = campaign.runs_of(experiment.candidate.commit)
    return [run for run in found if run.experiment == experiment.number]


def _are(runs: Sequence[RunFinished]) -> str:
    return "is" if len(runs) == _SHOWN + 1 else "are"


def _row(who: str, run: RunFinished, experiment: Experiment, trained: bool) -> str:
    score = usable_score(run)
    if score is None:
        said = prose(f"failed ({failure_words(run) or 'no usable score'})", 160)
    elif experiment.decision is not None and experiment.decision.effect is not None:
        said = decimals(score, decision_places(experiment.decision))
    else:
        said = number(score)
    memory = peak_memory_mb(run)
    cells = [f"{who} {run.replicate} `{run.commit[:7]}`", str(run.seed), said, duration(run.seconds)]
    cells += [_trained(run) or NOTHING] if trained else []
    cells += [NOTHING if memory is None else _memory(memory), prose(run.runner, 60), prose(run.jail, 40)]
    return f"| {' | '.join(cells)} |"


def _trained(run: RunFinished) -> str:
    """Return how much a run trained on, in steps and tokens, as far as it is known."""
    steps, tokens = run.metrics.get("num_steps"), run.metrics.get("total_tokens_M")
    said = [f"{steps:,.0f} steps"] if steps is not None and 0 <= steps < 1e12 else []
    said += [f"{tokens:,.3g} M tokens"] if tokens is not None and 0 <= tokens < 1e9 else []
    return ", ".join(said)


def _memory(mb: float) -> str:
    return f"{mb / 1024:.1f} GiB" if mb >= 1024 else f"{mb:.0f} MiB"
