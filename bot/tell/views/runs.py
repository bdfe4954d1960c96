"""The runs of an experiment and of the incumbent it was compared with, as a table."""

from __future__ import annotations

from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.experiment import Experiment
from bot.tell.document import Document, Line, Paragraph, Part, cut, heading, paragraph, say, table
from bot.tell.figures.rows import failure_words, peak_memory_mb, usable_score
from bot.tell.numbers import NOTHING, count, decimals, duration, memory, number
from bot.tell.sentences import decision_places

_SHOWN = 12  # of each side; an incumbent of a long night has many


def runs_section(campaign: Campaign, experiment: Experiment) -> Document:
    """Return the section on the runs."""
    mine, theirs = own_runs(campaign, experiment), campaign.runs_of(experiment.parent)
    if not mine and not theirs:
        return heading("Runs"), paragraph("None.")
    trained = any(_trained(run) for run in (*mine, *theirs))
    sides = (("candidate", mine), ("incumbent", theirs))
    heads = ["run", "seed", campaign.metric, "time", *(["trained"] if trained else [])]
    runs = table(
        [*heads, "peak memory", "runner", "jail"],
        [_row(who, run, experiment, trained) for who, runs in sides for run in runs[-_SHOWN:]],
    )
    notes: Line = ()
    if not mine:
        notes += say("The candidate has no run. ")
    for who, runs_ in sides:
        if len(runs_) > _SHOWN:
            are = "is" if len(runs_) == _SHOWN + 1 else "are"
            notes += say("{} of the {} {} not listed. ", count(len(runs_) - _SHOWN, "earlier run"), who, are)
    earlier = campaign.runs_for(experiment.number)
    if len(earlier) > len(mine):
        against = ", against an older incumbent," if experiment.carried else ""
        gone = count(len(earlier) - len(mine), "run")
        notes += say("{} of an earlier round{} no longer count. ", gone, against)
    if any(run.jail == "none" for run in mine):
        notes += say("**Some of these runs were made without a jail.** ")
    if any(run.self_reported for run in mine):
        notes += say("**These scores are self-reported**: the candidate's code ran where they were measured.")
    return (heading("Runs"), runs, *((Paragraph(notes),) if notes else ()))


def own_runs(campaign: Campaign, experiment: Experiment) -> list[RunFinished]:
    """Return the runs of the commit under test that were made for this experiment."""
    if experiment.candidate is None:
        return []
    found = campaign.runs_of(experiment.candidate.commit)
    return [run for run in found if run.experiment == experiment.number]


def _row(who: str, run: RunFinished, experiment: Experiment, trained: bool) -> list[Part]:
    score, decision = usable_score(run), experiment.decision
    said: Part
    if score is None:
        said = cut(f"failed ({failure_words(run) or 'no usable score'})", 160)
    elif decision is not None and decision.effect is not None:
        said = decimals(score, decision_places(decision))
    else:
        said = number(score)
    return [
        say("{} {} `{}`", who, run.replicate, run.commit[:7]), run.seed, said, duration(run.seconds),
        *([_trained(run) or NOTHING] if trained else []),
        memory(peak_memory_mb(run)), cut(run.runner, 60), cut(run.jail, 40),
    ]  # fmt: skip


def _trained(run: RunFinished) -> str:
    """Return how much a run trained on, in steps and tokens, as far as it is known."""
    steps, tokens = run.metrics.get("num_steps"), run.metrics.get("total_tokens_M")
    said = [f"{steps:,.0f} steps"] if steps is not None and 0 <= steps < 1e12 else []
    said += [f"{tokens:,.3g} M tokens"] if tokens is not None and 0 <= tokens < 1e9 else []
    return ", ".join(said)
