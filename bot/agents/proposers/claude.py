"""`proposer: claude`: a model of Anthropic's, with the offline search if none answers."""

from __future__ import annotations

from bot.agents.claude.proposer import ClaudeProposer
from bot.agents.claude.settings import campaign_role, unpriced
from bot.agents.proposers.offline import OfflineProposer
from bot.agents.registry import Setup

REPAIRS = True


def make(setup: Setup) -> ClaudeProposer:
    models = setup.config.models
    role = campaign_role(setup, "proposer", models.proposer)
    if setup.config.outer != "off":
        for missing in filter(None, (unpriced(setup.config, model) for model in models.alternatives)):
            setup.note(missing)
    return ClaudeProposer(role, OfflineProposer())
