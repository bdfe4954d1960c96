"""The issue that asks for a human: what happened, what was tried, how to fix it."""

from __future__ import annotations

from bot.rules.asking import Asked, Reason
from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment
from bot.tell.document import Block, Document, Line, Words, bullets, cut, linked, paragraph, say
from bot.tell.numbers import gpu_hours, money
from bot.text import web_address

_LATEST = 5
_TITLES: dict[Reason, str] = {
    "crashes": "too many experiments crashed in a row",
    "baseline": "the incumbent itself fails",
    "gpu_hours": "the GPU-hours are used up",
    "cost_usd": "the money for models is spent",
    "permissions": "GitHub refuses what the loop must do",
    "trainings": "its trainings get lost",
    "base": "the base branch and the campaign don't fit together",
    "unreviewed": "merges wait for a reader",
    "machine": "the machine loses its runs",
}
_FIXES: dict[Reason, str] = {
    "crashes": (
        "Read why they crashed, in their pull requests. If the task is at fault, fix it on the campaign's branch"
        " `{branch}`; then let the streak count anew with {resume}."
    ),
    "baseline": (
        "Read the failure, fix the task on the campaign's branch `{branch}` and push it; then let the loop go on with"
        " {resume}."
    ),
    "gpu_hours": "Raise `stop.gpu_hours` in `{config}` on the base branch, or let the campaign end here.",
    "cost_usd": "Raise `stop.cost_usd` in `{config}` on the base branch, or let the campaign end here.",
    "permissions": (
        "Do what the message says: most often a line under `permissions:` in the workflow, or a setting of the"
        " repository. `nocturne doctor` names all that is lacking."
    ),
    "trainings": (
        "Look at the log of the training job and at its runner: it is off, out of memory or out of time. The workflow's"
        " schedule begins the next chain by itself."
    ),
    "base": (
        "Merge the base branch into `{branch}` by hand, settle the conflict, and push `{branch}`: its head is the"
        " incumbent then, and is measured anew."
    ),
    "unreviewed": (
        "Read some of them, and say so by {approve} or a review there; or read and merge the promotion, which pays for"
        " all. What is held lands by itself then; if the loop has ended, {resume} lets it go on. How many may wait"
        " is `max_unreviewed_merges` in `{config}`."
    ),
    "machine": (
        "Look at the runner: its devices (`nvidia-smi -q`, the kernel's log), its memory and its disk. The task is not"
        " to blame, and no experiment was blamed. Then let the loop go on with {resume}."
    ),
}


def issue_key(campaign: str) -> str:
    """Return the key of a campaign's one issue."""
    return f"needs-human {campaign}"


def issue_title(campaign: str, reason: Reason) -> str:
    """Return the title: which campaign, and what it lacks in few words."""
    return f"Nocturne needs a human: {campaign}: {_TITLES[reason]}"


def issue_body(
    campaign: Campaign | None, asked: Asked, *, name: str, branch: str, config: str, on_github: bool,
    job: str | None,
) -> Document:  # fmt: skip
    """Return the text. `campaign` is None if the ledger can't hold it, `job` links the job's log."""
    resume = say("`/nocturne resume` in a comment" if on_github else "`nocturne resume`")
    approve = say("the comment `/nocturne approve`" if on_github else "`nocturne approve N`")
    tried = _tried(campaign, asked.reason) if campaign is not None else []
    point = "has come to a point from which it does not go on by itself"
    if asked.reason == "unreviewed":
        point = "merges nothing more until a human has read some of what it merged"
    closing = "This issue is closed by itself when the loop goes on."
    if campaign is None:
        closing = "The ledger does not know of this issue, so close it yourself when it is fixed."
    parts: list[Block] = [
        paragraph("The loop of campaign **{}** {}.", cut(name, 80), point),
        paragraph("**What happened.** {}.", cut(asked.detail.rstrip(". "), 1000)),
    ]
    if tried:
        parts += [paragraph("**What was tried.**"), *bullets(tried)]
    fix = _FIXES[asked.reason]
    parts.append(
        paragraph(f"**How to fix it.** {fix}", branch=branch, config=config, resume=resume, approve=approve)
    )
    if web_address(job):
        parts.append(paragraph("{}", Words("The log of the job", url=job)))
    return (*parts, paragraph(closing))


def fixed(campaign: Campaign) -> Document:
    """Return the comment with which the issue is closed."""
    newest = campaign.experiments[max(campaign.experiments, default=0)]
    return (paragraph("**Fixed.** The loop goes on: {} has begun since.", link(newest)),)


def link(experiment: Experiment) -> Words:
    """Return `experiment 7`, linked to its pull request."""
    return linked(experiment.number, experiment.pull.url if experiment.pull else None, "experiment {}")


def _tried(campaign: Campaign, reason: Reason) -> list[Line]:
    """Return the latest attempts as a list."""
    if reason == "crashes":
        crashed = [e for e in campaign.finished()[-_LATEST:] if e.verdict == "crashed"]
        return [say("{}: {}: {}", link(e), cut(e.title, 140), _why(e)) for e in crashed]
    if reason in ("baseline", "machine"):
        runs = campaign.runs_of(campaign.incumbent)[-_LATEST:]
        return [
            say("run {} of `{}`: {}", run.replicate, run.commit[:12], cut(run.failure.get("reason", ""), 300))
            for run in runs
            if run.failure is not None
        ]
    if reason in ("gpu_hours", "cost_usd"):
        done, merged = len(campaign.order), len(campaign.landed())
        hours, paid = gpu_hours(campaign.gpu_seconds()), money(campaign.cost_usd())
        return [
            say("{} experiments, {} of them merged", done, merged),
            say("{} GPU-hours and {} in all", hours, paid),
        ]
    if reason == "unreviewed":
        held = [e for e in campaign.open_experiments() if e.is_held]
        return [say("{} is held: {}", link(e), cut(e.title, 140)) for e in held[:_LATEST]]
    return [say("{} is open and waits", link(e)) for e in campaign.open_experiments()[:_LATEST]]


def _why(experiment: Experiment) -> Words:
    return cut(experiment.decision.reason if experiment.decision is not None else "", 300)
