"""Reads GitHub's JSON as the forge's records, and writes texts as GitHub takes them. No network here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

from bot.forge import BODY_LIMIT, PullRequest, PullState, cut

TITLE_LIMIT = 256
_MARK, _MARK_END = "<!-- nocturne:", " -->\n"
_SIGN, _SIGN_END = "\n<!-- nocturne-text:", " -->"
_SIGNED = re.compile(r"\r?\n<!-- nocturne-text:([0-9a-f]{12}|-) ([0-9a-f]{12}) -->\s*\Z")
# Who may write to the repository, or has been let in by somebody who may. Anybody can write our mark into a
# comment of their own; it counts from these only.
_TRUSTED = ("OWNER", "MEMBER", "COLLABORATOR")


def pull_of(record: Mapping[str, Any]) -> PullRequest:
    """Return the pull request of an answer of `pulls`."""
    merged = record["merged_at"] is not None
    state: PullState = "merged" if merged else "open" if record["state"] == "open" else "closed"
    body, *signs = unsigned(record["body"] or "")
    texts = {"title": record["title"], "body": body}
    return PullRequest(
        number=int(record["number"]),
        title=record["title"],
        body=body,
        head=record["head"]["ref"],
        head_sha=str(record["head"]["sha"]),
        base=record["base"]["ref"],
        state=state,
        url=record["html_url"],
        labels=tuple(label["name"] for label in record.get("labels") or ()),
        edited=frozenset(what for what, sign in zip(texts, signs, strict=True) if _sign(texts[what]) != sign),
    )


def signed(title: str | None, body: str) -> str:
    """Return a pull request's text with what tells later whether people have changed it, or its title.

    A `title` that is not given is taken for theirs from then on.
    """
    sign = f"{_SIGN}{_sign(title_of(title)) if title is not None else '-'} {{}}{_SIGN_END}"
    said = cut(plain(body), BODY_LIMIT - len(sign) - 12)
    return said + sign.format(_sign(said))


def unsigned(body: str) -> tuple[str, str, str]:
    """Return the text itself, and what was written down of title and text; that is empty if it is not ours."""
    found = _SIGNED.search(body)
    return (body[: found.start()], found[1], found[2]) if found else (body, "", "")


def _sign(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.split("\n")).strip()
    return hashlib.sha256(lines.encode(errors="replace")).hexdigest()[:12]


def pull_for(
    records: Sequence[Mapping[str, Any]], repository: str, head: str, base: str | None
) -> Mapping[str, Any] | None:
    """Return which of the listed pull requests is the one of our branch `head`; None if none is.

    One for `base` comes first, then an open one, then the oldest. A fork's branch of that name is another.
    """

    def ours(record: Mapping[str, Any]) -> bool:
        home = record["head"].get("repo")  # null where it was deleted
        name = home["full_name"] if home else repository
        return bool(record["head"]["ref"] == head and name.lower() == repository.lower())

    def rank(record: Mapping[str, Any]) -> tuple[bool, bool, int]:
        return (record["base"]["ref"] != base, record["state"] != "open", record["number"])

    return min(filter(ours, records), key=rank, default=None)


def marked(key: str, body: str) -> str:
    """Return the text of the comment `key`: a mark that GitHub does not show, and the body, cut to fit."""
    return cut(f"{_MARK}{quote(key, safe='/ ')}{_MARK_END}{plain(body)}", BODY_LIMIT)


def unmarked(record: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return (key, body) of one of our comments, None for anybody else's."""
    text = (record["body"] or "").replace("\r\n", "\n")
    mark, end, body = text.partition(_MARK_END)
    user = record.get("user") or {}
    trusted = user.get("type") == "Bot" or record.get("author_association") in _TRUSTED
    if not (end and mark.startswith(_MARK) and trusted):
        return None
    return unquote(mark.removeprefix(_MARK)), body


def plain(text: str) -> str:
    """Return `text` without what JSON can carry and GitHub does not take: NUL, and halves of characters."""
    return text.replace("\0", "").encode(errors="replace").decode()


def title_of(text: str) -> str:
    """Return a title of one line, cut to GitHub's limit."""
    return cut(" ".join(plain(text).split()), TITLE_LIMIT)
