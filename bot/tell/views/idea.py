"""The one comment that tells an idea's issue how far the idea has come."""

from __future__ import annotations

from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment
from bot.rules.ideas import IdeaState
from bot.tell.document import Document, cut, paragraph
from bot.tell.views.need import link
from bot.tell.views.verdict import measured


def comment_key(campaign: str, idea: int) -> str:
    """Return the key of the comment on an idea."""
    return f"idea {campaign} {idea}"


def noted(state: IdeaState) -> Document:
    """Return the comment on an idea that was just given."""
    said = "**Idea {} is noted.** A next experiment tries it, after the ideas given before it."
    if state.given.labelled:
        said = (
            "**Idea {} is noted as it stands here now.** A next experiment tries it, after the ideas given before it,"
            " and its outcome closes this issue. Later edits count once the label is put on anew; taking it off, or"
            " closing the issue, takes the idea back."
        )
    return (paragraph(said, state.given.number),)


def passed(idea: int, proposer: str, hint: str) -> Document:
    """Return the comment on an idea that a proposer can't follow; `hint` says what it could."""
    said = "**Idea {} waits.** The proposer at work, {}, can't follow it."
    waits = " The idea waits for another proposer, and the search goes on."
    return (paragraph(f"{said}{hint and ' '}{hint}{waits}", idea, cut(proposer, 80)),)


def outcome(campaign: Campaign, experiment: Experiment, state: IdeaState, *, again: bool) -> Document:
    """Return the comment on an idea whose experiment came to its end; `again` says that it is tried once more."""
    decision, landed = experiment.decision, experiment.landed
    assert decision is not None
    became = "Nothing of it is merged."
    if landed is not None:
        became = f"It is merged as `{landed.commit[:12]}` into the campaign's branch."
    parts = [
        paragraph(f"**Idea {{}} was tried: {{}}.** {became}", state.given.number, decision.verdict),
        paragraph("Measured: {}.", measured(campaign, experiment)),
    ]
    if decision.lesson:
        parts.append(paragraph("What it teaches: {}", cut(decision.lesson, 600)))
    if again:
        parts.append(paragraph("That says little of the idea, so it is tried once more."))
    return (*parts, paragraph("All of it: {}.", link(experiment)))
