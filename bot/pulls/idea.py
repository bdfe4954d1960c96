"""How an experiment names the idea of a human that it follows."""

from __future__ import annotations

from bot.pulls.safe import prose
from bot.rules.campaign import Campaign


def idea_words(campaign: Campaign, number: int) -> str:
    """Return where an idea is from, with a reference that GitHub links both ways, and its words, escaped."""
    given = campaign.ideas.known[number].given
    where = f"from #{given.issue}" if given.issue is not None else "from the command line"
    by = f" by {prose(given.giver, 40)}" if given.giver else ""
    return f"idea {number} {where}{by}: {prose(given.text, 300)}"
