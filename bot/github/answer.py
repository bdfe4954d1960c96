"""Answers one event: who may command, a reaction at once, the deed, one reply. May be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from bot.base.text import one_line
from bot.forge import NotFound
from bot.forge.github import GitHubForge
from bot.forge.github_client import GitHubClient, Refused
from bot.forge.labels import LABEL_IDEA
from bot.forge.permission import may_write
from bot.github.act import act
from bot.github.event import Comment, Labelling
from bot.github.parse import parse
from bot.loop.context import Context
from bot.loop.ideas import give_idea, idea_text, tell_of_idea, withdraw_idea
from bot.tell.document import code
from bot.tell.writers import markdown

Reaction = Literal["eyes", "+1", "confused"]


def why_ignored(comment: Comment) -> str | None:
    """Return why a comment is none of our business, by itself; None if it may be one."""
    if comment.action != "created":
        return f"it was {one_line(comment.action, 20)}, and only new ones count"
    if not comment.by_person:
        return "no person wrote it"
    if parse(comment.body) is None:
        return "its first word is not /nocturne"
    return None


def answer(contexts: Sequence[Context], forge: GitHubForge, comment: Comment) -> str:
    """Do what a comment asks and reply below it; return one line for the log.

    Nothing at all happens if its author may not write to the repository. Raises `UserError` if GitHub
    or the ledger fail: run again, and what is lacking is done.
    """
    client = forge.client
    if not may_write(client, comment.author, comment.author_id):
        return f"ignored: {one_line(comment.author, 40)} has no permission to write to {client.repository}"
    if not _react(client, comment, "eyes"):
        return "ignored: the comment is gone"
    key = f"answer {comment.comment}"
    try:
        if any(comment.key == key for comment in forge.comments(comment.issue)):
            return "answered already"
        said = act(contexts, client, comment)
        _react(client, comment, "+1" if said.done else "confused")
        asked = markdown.line((code(comment.body.partition("\n")[0], 100),))
        forge.upsert_comment(comment.issue, key, f"> {asked}\n\n{said.text}")
    except NotFound:
        return f"not answered: there is no {comment.issue} any more"
    return "done and answered" if said.done else "answered: it could not be done"


def _react(client: GitHubClient, comment: Comment, content: Reaction) -> bool:
    """Put a reaction on the comment, which GitHub keeps once; False if the comment is gone."""
    try:
        client.request("POST", f"/issues/comments/{comment.comment}/reactions", {"content": content})
    except Refused as refused:
        if refused.status == 404:
            return False
        raise client.refusal(refused, "react to comments", "issues: write") from None
    return True


def why_passed_over(labelling: Labelling) -> str | None:
    """Return why an event of an issue is none of our business, by itself; None if it may be one."""
    if labelling.action in ("labeled", "unlabeled"):
        if labelling.label != LABEL_IDEA:
            return f"the label is not {LABEL_IDEA}"
        return "no person labelled it" if labelling.action == "labeled" and not labelling.by_person else None
    if labelling.action != "closed":
        return f"it was {one_line(labelling.action, 20)}, and that changes no idea"
    return None if LABEL_IDEA in labelling.labels else f"it has no label {LABEL_IDEA}"


def hear(contexts: Sequence[Context], forge: GitHubForge, labelling: Labelling) -> str:
    """Write down an idea as it stood when it was labelled, or that it is taken back; return a line for the log.

    Nothing at all happens if the one who labelled it may not write to the repository. Whoever could take
    the label off or close the issue takes it back. Raises `UserError` if GitHub or the ledger fail: run
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
