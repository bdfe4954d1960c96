"""The issue that asks for a human: what happened, what was tried, how to fix it."""

from __future__ import annotations

from bot.base.text import web_address
from bot.rules.campaign import Campaign
from bot.rules.experiment import Asked, Experiment
from bot.rules.stopping import reason_of
from bot.tell.document import Block, Document, Line, Words, bullets, cut, linked, paragraph, say
from bot.tell.figures.rows import device_of
from bot.tell.numbers import device_hours, money

_LATEST = 5


def issue_key(campaign: str) -> str:
    """Return the key of a campaign's one issue."""
    return f"needs-human {campaign}"


def issue_title(campaign: str, reason: str) -> str:
    """Return the title: which campaign, and what it lacks in few words."""
    return f"Nocturne needs a human: {campaign}: {reason_of(reason).issue}"


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
    fix = reason_of(asked.reason).fix
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


def _tried(campaign: Campaign, reason: str) -> list[Line]:
    """Return the latest attempts as a list."""
    shows = reason_of(reason).shows
    if shows == "crashes":
        crashed = [e for e in campaign.finished()[-_LATEST:] if e.verdict == "crashed"]
        return [say("{}: {}: {}", link(e), cut(e.title, 140), _why(e)) for e in crashed]
    if shows == "runs":
        runs = campaign.runs_of(campaign.incumbent)[-_LATEST:]
        return [
            say("run {} of `{}`: {}", run.replicate, run.commit[:12], cut(run.failure.get("reason", ""), 300))
            for run in runs
            if run.failure is not None
        ]
    if shows == "costs":
        done, merged = len(campaign.order), len(campaign.landed())
        hours, paid = device_hours(campaign.gpu_seconds()), money(campaign.cost_usd())
        return [
            say("{} experiments, {} of them merged", done, merged),
            say("{} {}-hours and {} in all", hours, device_of(campaign.runs.values()), paid),
        ]
    if shows == "held":
        held = [e for e in campaign.open_experiments() if e.is_held]
        return [say("{} is held: {}", link(e), cut(e.title, 140)) for e in held[:_LATEST]]
    return [say("{} is open and waits", link(e)) for e in campaign.open_experiments()[:_LATEST]]


def _why(experiment: Experiment) -> Words:
    return cut(experiment.decision.reason if experiment.decision is not None else "", 300)
