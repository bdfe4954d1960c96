"""`reviewer: rules`: what can be told without a model (`bot.agents.review`), which always comes first, is all."""

from __future__ import annotations

from bot.agents.registry import Setup


def make(_setup: Setup) -> None:
    return None
