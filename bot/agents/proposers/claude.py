"""`proposer: claude`: a model of Anthropic's, with the offline search if none answers."""

from __future__ import annotations

from bot.agents.claude.proposer import ClaudeProposer
from bot.agents.claude.settings import campaign_role
from bot.agents.proposers.offline import OfflineProposer
from bot.agents.registry import Setup

REPAIRS = True


def make(setup: Setup) -> ClaudeProposer:
    role = campaign_role(setup, "proposer", setup.config.models.proposer)
    return ClaudeProposer(role, OfflineProposer())
