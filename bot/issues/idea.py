"""The one comment that tells an idea's issue how far the idea has come. All words of others are escaped."""

from __future__ import annotations

from bot.pulls.safe import prose
from bot.pulls.verdict import measured
from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment
from bot.rules.ideas import IdeaState
from bot.text import web_address


def comment_key(campaign: str, idea: int) -> str:
    """Return the key of the comment on an idea."""
    return f"idea {campaign} {idea}"


def noted(state: IdeaState) -> str:
    """Return the comment on an idea that was just given."""
    number = state.given.number
    if not state.given.labelled:
        return f"**Idea {number} is noted.** A next experiment tries it, after the ideas given before it.\n"
    return (
        f"**Idea {number} is noted as it stands here now.** A next experiment tries it, after the ideas given before"
        " it, and its outcome closes this issue. Later edits count once the label is put on anew; taking it off, or"
        " closing the issue, takes the idea back.\n"
    )


def passed(idea: int, proposer: str, hint: str) -> str:
    """Return the comment on an idea that a proposer can't follow; `hint` says what it could."""
    return (
        f"**Idea {idea} waits.** The proposer at work, {prose(proposer, 80)}, did not follow it.{hint and ' '}{hint}"
        " The idea waits for another proposer, and the search goes on.\n"
    )


def outcome(campaign: Campaign, experiment: Experiment, state: IdeaState, *, again: bool) -> str:
    """Return the comment on an idea whose experiment came to its end; `again` says that it is tried once more."""
    decision = experiment.decision
    assert decision is not None
    parts = [f"**Idea {state.given.number} was tried: {decision.verdict}.** {_became(experiment)}"]
    parts.append(f"Measured: {measured(campaign, experiment)}.")
    if decision.lesson:
        parts.append(f"What it teaches: {prose(decision.lesson, 600)}")
    if again:
        parts.append("That says little of the idea, so it is tried once more.")
    parts.append(f"All of it: {_linked(experiment)}.")
    return "\n\n".join(parts) + "\n"


def _linked(experiment: Experiment) -> str:
    """Return a link to the experiment's pull request."""
    pull = experiment.pull
    if pull is None:
        return f"experiment {experiment.number}"
    address = web_address(pull.url)
    return f"[experiment {experiment.number}]({address})" if address else f"experiment {experiment.number}"


def _became(experiment: Experiment) -> str:
    if experiment.landed is not None:
        return f"It is merged as `{experiment.landed.commit[:12]}` into the campaign's branch."
    return "Nothing of it is merged."
