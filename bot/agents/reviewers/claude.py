"""`reviewer: claude`: a model of Anthropic's, after the rules have found nothing."""

from __future__ import annotations

from bot.agents.claude.reviewer import ClaudeReviewer
from bot.agents.claude.settings import campaign_role
from bot.agents.registry import Setup


def make(setup: Setup) -> ClaudeReviewer:
    return ClaudeReviewer(campaign_role(setup, "reviewer", setup.config.models.reviewer))
