"""What a review says of a proposal that was tried before on the same incumbent."""

from __future__ import annotations

from bot.agents.novelty import twin
from bot.loop.ideas import tries_of_its_idea
from bot.rules.campaign import Campaign, Experiment
from bot.rules.proposal import Change


def tried_here(campaign: Campaign, experiment: Experiment) -> tuple[str, ...]:
    """Return the objection to an experiment that sets what another one set on the same incumbent, if any.

    Only what a model or a human proposes is held to it: the offline search keeps its own account of what it
    tried, and may try near values on purpose. What was lost was never measured, and may come again; so may
    what was only carried to a newer incumbent, and what a human wants tried again.
    """
    proposal, candidate = experiment.proposal, experiment.candidate
    if proposal is None or candidate is None or proposal.proposer.startswith("offline"):
        return ()
    if experiment.reverts is not None or experiment.carried_over or experiment.retries is not None:
        return ()
    others = [
        past
        for past in campaign.history()
        if past.number != experiment.number
        and past.number not in tries_of_its_idea(campaign, experiment)
        and past.verdict != "lost"
        and campaign.experiments[past.number].parent == candidate.parent
    ]
    changes = tuple(Change(**change) for change in proposal.changes)
    found = twin(changes, proposal.edit, others)
    return (found.why,) if found else ()
