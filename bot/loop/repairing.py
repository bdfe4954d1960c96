"""What becomes of a crash that is simple to mend: it goes back to its maker, for a new round of its experiment."""

from __future__ import annotations

from collections.abc import Mapping

from bot.agents.protocol import Revision
from bot.loop.context import Context
from bot.loop.revising import come_back
from bot.rules.campaign import Campaign, Experiment
from bot.rules.events import RunFinished
from bot.rules.outcome import decision_of
from bot.rules.repairs import REPAIRABLE, CrashSentBack
from bot.text import clean, one_line

_REASON = 300
_LOG = 4_000  # characters of the log's end, where the traceback is


def sent_back(
    context: Context, campaign: Campaign, experiment: Experiment, run: RunFinished
) -> CrashSentBack | None:
    """Return the event that sends a crash back to its maker; None where the crash is the verdict.

    That is where a repair would not help (the run was refused, or ran out of its time), where the maker had its
    chances, and where it was not a model that made the change.
    """
    failure, proposal = run.failure or {}, experiment.proposal
    if proposal is None or context.config.proposer != "claude" or failure.get("class") not in REPAIRABLE:
        return None
    if (
        experiment.asked_for
        or proposal.proposer.startswith("offline")
        or experiment.number in campaign.refused
    ):
        return None
    if len(experiment.crashes) >= context.config.repairs:
        return None
    return CrashSentBack(experiment.number, experiment.round, run.run, _crash_words(run))


def _crash_words(run: RunFinished) -> str:
    """Return class and reason of a failed run on one line."""
    failure = run.failure or {}
    return one_line(f"{failure.get('class', 'error')}: {failure.get('reason', '')}".strip(": "), _REASON)


def repair(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Ask the maker for a version that does not crash and write it down; without one the crash is the verdict."""
    crash, proposal, candidate = experiment.sent_back, experiment.proposal, experiment.candidate
    assert crash is not None and proposal is not None and candidate is not None
    said = one_line(f"{crash.reason}; it goes back to its maker")
    context.forge.set_status(
        sha=candidate.commit, context="nocturne/train", state="failure", description=said
    )
    log = context.ledger.read_file(f"logs/{crash.run}.txt") or b""
    tail = clean(log.decode(errors="replace"))[-_LOG:]

    def question(files: Mapping[str, str]) -> Revision:
        return Revision(
            proposal.hypothesis, files, (crash.reason,), experiment.round, crash=tail or crash.reason
        )

    if come_back(context, campaign, experiment, question):
        return
    reason = f"{crash.reason}; no repair came"
    lesson = f"{experiment.title}: crashed ({reason})."
    crashed = decision_of(experiment, "crashed", reason=reason, lesson=lesson)
    context.ledger.append(lambda c: [] if c.experiments[experiment.number].decision else [crashed])
