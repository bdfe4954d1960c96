"""The issue that asks for a human: what happened, what was tried, how to mend it. All words of others are escaped."""

from __future__ import annotations

from bot.pulls.safe import prose
from bot.rules.asking import Asked, Reason
from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment
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
_MENDS: dict[Reason, str] = {
    "crashes": (
        "Read why they crashed, in their pull requests. Where the task is at fault, mend it on the campaign's branch"
        " `{branch}`; then let the streak count anew with {resume}."
    ),
    "baseline": (
        "Read the failure, mend the task on the campaign's branch `{branch}` and push it; then let the loop go on with"
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
        " all. What is held lands by itself then; where the loop has ended, {resume} lets it go on. How many may wait"
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
) -> str:  # fmt: skip
    """Return the text. `campaign` is None where the ledger can't hold it, `job` links the job's log."""
    resume = "`/nocturne resume` in a comment" if on_github else "`nocturne resume`"
    approve = "the comment `/nocturne approve`" if on_github else "`nocturne approve N`"
    mend = _MENDS[asked.reason].format(branch=branch, config=config, resume=resume, approve=approve)
    tried = _tried(campaign, asked.reason) if campaign is not None else []
    address = web_address(job)
    point = "has come to a point from which it does not go on by itself"
    if asked.reason == "unreviewed":
        point = "merges nothing more until a human has read some of what it merged"
    closing = "This issue is closed by itself when the loop goes on."
    if campaign is None:
        closing = "The ledger does not know of this issue, so close it yourself when it is mended."
    parts = [
        f"The loop of campaign **{prose(name, 80)}** {point}.",
        f"**What happened.** {prose(asked.detail, 1000).rstrip('.')}.",
        "\n".join(["**What was tried.**", "", *tried]) if tried else "",
        f"**How to mend it.** {mend}",
        f"[The log of the job]({address})" if address else "",
        closing,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def mended(campaign: Campaign) -> str:
    """Return the comment with which the issue is closed."""
    number = max(campaign.experiments, default=0)
    return f"**Mended.** The loop goes on: {_linked(campaign.experiments[number])} has begun since.\n"


def _tried(campaign: Campaign, reason: Reason) -> list[str]:
    """Return the latest attempts as a list."""
    if reason == "crashes":
        crashed = [e for e in campaign.finished()[-_LATEST:] if e.verdict == "crashed"]
        return [f"- {_linked(e)}: {prose(e.title, 140)}: {_why(e)}" for e in crashed]
    if reason in ("baseline", "machine"):
        runs = campaign.runs_of(campaign.incumbent)[-_LATEST:]
        return [
            f"- run {run.replicate} of `{run.commit[:12]}`: {prose((run.failure or {}).get('reason', ''), 300)}"
            for run in runs
            if run.failure is not None
        ]
    if reason in ("gpu_hours", "cost_usd"):
        done, merged = len(campaign.order), len(campaign.landed())
        return [
            f"- {done} experiments, {merged} of them merged",
            f"- {campaign.gpu_seconds() / 3600:.2f} GPU-hours and {campaign.cost_usd():.2f} USD in all",
        ]
    if reason == "unreviewed":
        return [
            f"- {_linked(e)} is held: {prose(e.title, 140)}" for e in campaign.open_experiments() if e.is_held
        ][:_LATEST]
    return [f"- {_linked(e)} is open and waits" for e in campaign.open_experiments()[:_LATEST]]


def _why(experiment: Experiment) -> str:
    return prose(experiment.decision.reason, 300) if experiment.decision is not None else ""


def _linked(experiment: Experiment) -> str:
    address = web_address(experiment.pull.url) if experiment.pull is not None else None
    said = f"experiment {experiment.number}"
    return f"[{said}]({address})" if address else said
