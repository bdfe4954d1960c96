"""Answers one comment: who may command, a reaction at once, the deed, one reply. May be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from bot.forge import NotFound
from bot.forge.github import GitHubForge
from bot.forge.github_client import GitHubClient, Refused
from bot.forge.permission import may_write
from bot.loop.context import Context
from bot.pulls.safe import code
from bot.remarks.act import act
from bot.remarks.event import Remark
from bot.remarks.parse import parse
from bot.text import one_line

Reaction = Literal["eyes", "+1", "confused"]


def why_ignored(remark: Remark) -> str | None:
    """Return why a comment is none of our business, by itself; None where it may be one."""
    if remark.action != "created":
        return f"it was {one_line(remark.action, 20)}, and only new ones count"
    if not remark.by_person:
        return "no person wrote it"
    if parse(remark.body) is None:
        return "its first word is not /nocturne"
    return None


def answer(contexts: Sequence[Context], forge: GitHubForge, remark: Remark) -> str:
    """Do what a comment asks and reply below it; return one line for the log.

    Nothing at all happens where its author may not write to the repository. Raises `UserError` where GitHub
    or the ledger fail: run again, and what is lacking is done.
    """
    client = forge.client
    if not may_write(client, remark.author, remark.author_id):
        return f"ignored: {one_line(remark.author, 40)} has no permission to write to {client.repository}"
    if not _react(client, remark, "eyes"):
        return "ignored: the comment is gone"
    key = f"answer {remark.comment}"
    try:
        if any(comment.key == key for comment in forge.comments(remark.issue)):
            return "answered already"
        said = act(contexts, client, remark)
        _react(client, remark, "+1" if said.done else "confused")
        asked = code(remark.body.partition("\n")[0], 100)
        forge.upsert_comment(remark.issue, key, f"> {asked}\n\n{said.text}")
    except NotFound:
        return f"not answered: there is no {remark.issue} any more"
    return "done and answered" if said.done else "answered: it could not be done"


def _react(client: GitHubClient, remark: Remark, content: Reaction) -> bool:
    """Put a reaction on the comment, which GitHub keeps once; False where the comment is gone."""
    try:
        client.request("POST", f"/issues/comments/{remark.comment}/reactions", {"content": content})
    except Refused as refused:
        if refused.status == 404:
            return False
        raise client.refusal(refused, "react to comments", "issues: write") from None
    return True
