"""Smoke runs of drafts: the maker may see its change start before it hands it in, where this process trains anyway.

A draft runs as its experiment's runs will: built on the same incumbent, in the same jail, under the same settings.
It is never scored, and its time counts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from bot.agents.protocol import Tried, TryOut
from bot.agents.quoting import quoted
from bot.base.text import one_line
from bot.loop.commits import objections
from bot.loop.context import Context
from bot.loop.evaluation import RunOrder
from bot.loop.leases import is_ours, take_lease
from bot.loop.settings import evaluator_settings
from bot.rules.campaign import Campaign
from bot.rules.events import DraftTried
from bot.rules.experiment import Experiment
from bot.rules.schedule import seed_of, subject_of

MOST = 2  # of one experiment
SECONDS = 90.0  # of one, by the clock
_TRACEBACK = 30  # lines
_PRINTED = 20
_TIMES = ("total_seconds", "training_seconds", "cpu_seconds")  # of a command they may be what is measured
_REACHED = {
    "handed_in": "it started, trained a few steps, and its model answered a batch of the evaluation",
    "ended": "it came to its end",
    "running": "nothing failed; it was still running when the time was up",
    "startup": "nothing failed; it had asked for no training batch when the time was up",
    "training": "nothing failed; it was still training when the time was up",
    "evaluation": "nothing failed; it was still handing its model in when the time was up",
}
_SPENT = f"No smoke run is left for this experiment: it may have {MOST}. Hand in what you think best."


def try_out_of(context: Context, campaign: Campaign, experiment: Experiment) -> TryOut | None:
    """Return what tries a draft of `experiment`; None if this process must not run candidates."""
    if not context.may_run:
        return None

    def try_out(files: Mapping[str, str]) -> Tried:
        turn = context.ledger.known().drafts.turns.get(experiment.number, 0) + 1
        if turn > MOST:
            return Tried(_SPENT, False)
        commit = context.git.commit_files(
            experiment.parent,
            {path: text.encode() for path, text in files.items() if path in context.config.editable},
            f"A draft of experiment {experiment.number}",
            datetime.fromisoformat(experiment.claimed_at),
        )
        outside = objections(context, campaign, commit)
        if outside:
            return Tried(f"It was not run: {outside[0]}.", False)
        event = _run(context, experiment, commit)
        seconds = float(dict(event.get("metrics") or {}).get("total_seconds", SECONDS))
        failed = event["event"] == "failed"
        outcome = str(event.get("class" if failed else "reached"))[:40]
        tried = DraftTried(experiment.number, turn, round(seconds, 3), outcome)
        context.ledger.append(lambda _: [tried])
        told = _told(event, without=() if context.config.evaluator.kind == "train" else _TIMES)
        left = MOST - turn
        return Tried(f"{told}\n{left or 'No'} more smoke run{'' if left == 1 else 's'}.", not failed)

    return try_out


def _run(context: Context, experiment: Experiment, commit: str) -> Mapping[str, Any]:
    subject = f"experiment:{experiment.number}"
    context.display.note(f"experiment {experiment.number}: its maker tries a draft in the jail")
    with context.runs.scratch() as scratch:
        context.git.export(commit, scratch.tree)
        order = RunOrder(
            f"draft-{commit[:12]}",
            scratch,
            seed_of(context.config.seed, subject_of(context.ledger.known(), commit, experiment.number), 1),
            evaluator_settings(context),
        )
        return context.runs.smoke(
            order, SECONDS, lambda _: is_ours(context, subject) or take_lease(context, subject)
        )


def _told(event: Mapping[str, Any], *, without: Collection[str]) -> str:
    """Return what a smoke run showed: our own words on how far it came, all else fenced."""
    if event["event"] == "failed":
        head = "It failed."
        said = [f"{event.get('class')}: {event.get('reason')}"]
        said += str(event.get("traceback") or "").splitlines()[-_TRACEBACK:]
    else:
        head = f"Sound so far: {_REACHED.get(str(event.get('reached')), 'nothing failed')}."
        said = []
    said += [f"{name}: {shape}" for name, shape in sorted(dict(event.get("shapes") or {}).items())]
    metrics = sorted(dict(event.get("metrics") or {}).items())
    said += [f"{one_line(name, 40)}: {value}" for name, value in metrics if name not in without]
    printed = str(event.get("log_tail") or "").splitlines()[-_PRINTED:]
    said += ["last lines printed:", *printed] if printed and event["event"] != "failed" else []
    return f"{head} No score was taken.\n{quoted(chr(10).join(said), 'a smoke run of your draft')}"
