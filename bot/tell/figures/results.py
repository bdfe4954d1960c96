"""`results.tsv` in the columns of autoresearch, so that its analysis notebook reads our campaigns."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.base.text import one_line
from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.experiment import Experiment
from bot.rules.shares import run_words
from bot.tell.figures.gains import measured, yardstick_of
from bot.tell.figures.rows import peak_memory_mb

SEGMENT = 200  # rows
DESCRIPTION = 500  # characters


def results_tsv(campaign: Campaign) -> str:
    """Return the baseline and every finished experiment, in the order in which they ended, in one file."""
    head, rows = _table(campaign)
    return "\n".join([head, *rows]) + "\n"


def results_files(campaign: Campaign) -> dict[str, str]:
    """Return the same in files of `SEGMENT` rows, by name: what was written once hardly changes, so that a history of
    them grows with the campaign and not with its square."""
    head, rows = _table(campaign)
    parts = [rows[start : start + SEGMENT] for start in range(0, len(rows), SEGMENT)] or [[]]
    names = ("results.tsv", *(f"results-{place}.tsv" for place in range(2, len(parts) + 1)))
    return {name: "\n".join([head, *part]) + "\n" for name, part in zip(names, parts, strict=True)}


def _table(campaign: Campaign) -> tuple[str, list[str]]:
    """Return head and rows.

    `status` is keep (merged), discard or crash. An experiment without a score (refused, lost, given up after a short
    run) counts as a crash too: the notebook would read 0.000000 of anything else as a perfect score. The format is that
    of https://github.com/karpathy/autoresearch (program.md, "Logging results"), whose second column is its metric: it
    is named after ours, which is `val_bpb` for its own task.
    """
    metric = re.sub(r"\W+", "_", one_line(campaign.metric, 64)).strip("_") or "score"
    head = "\t".join(("commit", metric, "memory_gb", "status", "description"))
    rows = []
    if campaign.incumbents and (campaign.order or campaign.runs_by_commit.get(campaign.baseline)):
        rows.append(_baseline(campaign))
    rows += [_line(campaign, experiment) for experiment in campaign.finished()]
    return head, rows


def _baseline(campaign: Campaign) -> str:
    own = campaign.runs_by_commit.get(campaign.baseline, ())
    mean = measured(campaign, campaign.baseline, yardstick_of(campaign)).score
    return _join(campaign.baseline, mean, own, "crash" if mean is None else "keep", "baseline")


def _line(campaign: Campaign, experiment: Experiment) -> str:
    own = campaign.runs_by_experiment.get(experiment.number, ())
    decision = experiment.decision
    value = decision.score if decision and decision.verdict != "crashed" else None
    if experiment.landed is not None:
        status = "keep"
    else:
        status = "crash" if value is None else "discard"
    commit = experiment.candidate.commit if experiment.candidate else experiment.parent
    short = [run.share for run in own if not run.is_full and run.score is not None] if value is None else []
    title = f"{experiment.title} (given up after a {run_words(short[-1])})" if short else experiment.title
    return _join(commit, value, own, status, title)


def _join(
    commit: str,
    score: float | None,
    runs: Sequence[RunFinished],
    status: str,
    words: str,
) -> str:
    memory = (peak_memory_mb(runs[0]) or 0.0) / 1024 if runs else 0.0
    # A quote at the start of a field would make pandas read on to the next quote, over line ends; what a spreadsheet
    # would calculate is text after a quote (https://owasp.org/www-community/attacks/CSV_Injection).
    description = re.sub(r"^(?=[=+@-])", "'", one_line(words, DESCRIPTION).replace('"', "'"))
    return "\t".join((commit[:7], f"{score or 0.0:.6f}", f"{memory:.1f}", status, description))
