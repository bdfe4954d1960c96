"""Ideas from comments and from labelled issues: who may give them, what is written down, what is said."""

from __future__ import annotations

from collections.abc import Sequence

from bot.forge import NotFound
from bot.forge.github import GitHubForge
from bot.forge.permission import may_write
from bot.loop.context import Context
from bot.loop.ideas import give_idea, idea_text, tell_of_idea, withdraw_idea
from bot.remarks.event import Remark
from bot.remarks.labelled import Labelling
from bot.remarks.parse import CALL
from bot.rules.campaign import Campaign
from bot.text import one_line
from bot.words import LABEL_IDEA


def idea_said(context: Context, campaign: Campaign, text: str, remark: Remark) -> tuple[str, bool]:
    """Write down the idea of a comment; return the reply, and whether it could be done."""
    words = idea_text(text)
    if not words:
        return f"`{CALL} idea` needs words: `{CALL} idea LEARNING_RATE = 0.004`.", False
    state = give_idea(context, words, source=remark.source, giver=remark.author, issue=remark.issue)
    stopped = campaign.stopped is not None or campaign.paused or campaign.stop_asked
    more = f" The loop has ended; `{CALL} resume` lets it go on." if stopped else ""
    return f"Idea {state.given.number} is noted: a next experiment tries it.{more}", True


def why_passed_over(labelling: Labelling) -> str | None:
    """Return why an event of an issue is none of our business, by itself; None where it may be one."""
    if labelling.action in ("labeled", "unlabeled"):
        if labelling.label != LABEL_IDEA:
            return f"the label is not {LABEL_IDEA}"
        return "no person labelled it" if labelling.action == "labeled" and not labelling.by_person else None
    if labelling.action != "closed":
        return f"it was {one_line(labelling.action, 20)}, and that changes no idea"
    return None if LABEL_IDEA in labelling.labels else f"it has no label {LABEL_IDEA}"


def hear(contexts: Sequence[Context], forge: GitHubForge, labelling: Labelling) -> str:
    """Write down an idea as it stood when it was labelled, or that it is taken back; return a line for the log.

    Nothing at all happens where the one who labelled it may not write to the repository. Whoever could take
    the label off or close the issue takes it back. Raises `UserError` where GitHub or the ledger fail: run
    again, and what is lacking is done.
    """
    if labelling.action == "labeled" and not may_write(forge.client, labelling.sender, labelling.sender_id):
        who = one_line(labelling.sender, 40)
        return f"ignored: {who} has no permission to write to {forge.client.repository}"
    begun = [context for context in contexts if context.ledger.refresh().started is not None]
    if not begun:
        return "ignored: no campaign has begun"
    if labelling.action != "labeled":
        gone = [withdraw_idea(context, labelling.issue, labelling.when) for context in begun]
        return "taken back" if any(gone) else "nothing to take back"
    text = idea_text(labelling.title, labelling.body)
    if not text:
        return "ignored: the issue says nothing"
    numbers = []
    for context in begun:
        state = give_idea(
            context, text, source=labelling.source, giver=labelling.sender, issue=labelling.issue, labelled=True,
            when=labelling.when,
        )  # fmt: skip
        try:
            tell_of_idea(context, state)
        except NotFound:
            return f"noted, and there is no issue {labelling.issue} any more"
        numbers.append(str(state.given.number))
    return f"noted as idea {', '.join(numbers)}"
