"""Readers that are not ours: what GitHub, a browser, Slack, a terminal and git make of a text that we wrote.

GitHub's own parser of Markdown is cmark-gfm (https://github.github.com/gfm/); of the HTML that it makes, and of our
pages, `html.parser` tells the elements. Each reader returns what it found in a form in which a text that is only read
leaves no trace.
"""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options

from tests.bot.hostile import ACTED_ON, UNSEEN

_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
_EXTENSIONS = ["table", "strikethrough", "autolink", "tasklist"]
_OPTIONS = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES | Options.CMARK_OPT_GITHUB_PRE_LANG


class Page(HTMLParser):
    """The elements of a page in order, with their links; its texts; whether each element ends where it may."""

    def __init__(self, page: str, passing: frozenset[str] = frozenset()) -> None:
        """`passing` are elements that may come and go with the words, such as `code`."""
        super().__init__()
        self.built: list[str] = []
        self.texts: list[str] = []  # outside of code
        self.code: list[str] = []
        self.values: list[str] = []  # of attributes
        self.nested = True
        self._passing = passing
        self._open: list[str] = []
        self.feed(page)
        self.close()
        self.nested = self.nested and not self._open

    @property
    def said(self) -> str:
        """All that is there to be read."""
        return "\n".join((*self.texts, *self.code, *self.values))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = " ".join(name for name, _ in attrs)
        links = " ".join(value or "" for name, value in attrs if name in ("href", "id", "class"))
        if tag not in self._passing or attrs:
            self.built.append(f"{tag} {names} {links}".strip())
        self.values += [value or "" for _, value in attrs]
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if self._open[-1:] == [tag]:
            self._open.pop()
        else:
            self.nested = False

    def handle_data(self, data: str) -> None:
        (self.code if {"code", "pre"} & {*self._open} else self.texts).append(data)

    def handle_comment(self, data: str) -> None:
        self.built.append("comment")

    def handle_decl(self, decl: str) -> None:
        self.built.append("declaration")

    def unknown_decl(self, data: str) -> None:
        self.built.append("declaration")

    def handle_pi(self, data: str) -> None:
        self.built.append("instruction")


def on_github(markdown: str) -> Page:
    """Return Markdown as GitHub would build it. A dollar sign may stand in a `span`, code be words."""
    made = cmarkgfm.markdown_to_html_with_extensions(markdown, options=_OPTIONS, extensions=_EXTENSIONS)
    return Page(made, frozenset(("code", "span")))


def acts(text: str) -> bool:
    """Whether GitHub would mention, refer, link or skip because of a text that is no code."""
    return ACTED_ON.search(text) is not None


def unseen(text: str) -> bool:
    """Whether something in a text is not seen, or changes how the rest is seen."""
    return UNSEEN.search(text) is not None


_NOTHING = re.compile(  # Cc, Cf, Cs, Zl, Zp and Co: private characters look like nothing, or like anything
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ud800-\uf8ff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U0010ffff]"
)


def seen(text: str) -> str:
    """Return what a person reads: nothing without a shape, and one space where there is any."""
    return " ".join(_NOTHING.sub("", UNSEEN.sub("", text)).split())


def leaks(said: str, secrets: tuple[str, ...]) -> bool:
    """Whether somebody who reads `said` reads one of the credentials, also once it is unescaped."""
    if not secrets:
        return False
    shown = (seen(said), seen(html.unescape(said)), seen(said.replace("\\", "")))
    return any(secret in each for secret in secrets for each in shown)


# Slack: https://docs.slack.dev/messaging/formatting-message-text
_LINK = re.compile(r"<(https?://[^<>|]*)\|([^<>|]*)>")
_BARE = re.compile(r"&(?!amp;|lt;|gt;)|[<>]")
_EMOJI = re.compile(r":[a-z0-9_+'-]+:", re.IGNORECASE)
_EDGE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def on_slack(mrkdwn: str) -> tuple[str, ...]:
    """Return what Slack would make of mrkdwn besides words: links, marks, emoji, quotes, control sequences."""
    links = [found[1] for found in _LINK.finditer(mrkdwn)]
    words = _LINK.sub(r"\2", mrkdwn)
    marks = Counter(re.findall(r"[*~`]", words)) + Counter("_" for _ in _EDGE.finditer(words))
    quotes = re.findall(r"(?m)^\s*(?:>|&gt;)", words) if ">" in words else []
    more = {
        "emoji": len(_EMOJI.findall(words)),
        "quotes": len(quotes),
        "control": len(_BARE.findall(words)),
        "lines": mrkdwn.count("\n"),
    }
    counted = (f"{count} {what}" for what, count in (*sorted(marks.items()), *more.items()))
    return (*links, *counted)


def slack_texts(thing: object) -> Iterator[tuple[str, str]]:
    """Yield the texts of blocks, each with its type."""
    if isinstance(thing, list):
        for each in thing:
            yield from slack_texts(each)
    elif isinstance(thing, dict):
        if thing.get("type") in ("mrkdwn", "plain_text"):
            yield str(thing["type"]), str(thing["text"])
        elif thing.get("type") == "image":
            yield "plain_text", str(thing["alt_text"])
        else:
            for each in thing.values():
                yield from slack_texts(each)


def on_terminal(written: str) -> int:
    """Return how many characters of what a terminal is sent do something, but for ends of lines and our colours."""
    plain = re.sub(r"\x1b\[[0-9;]*m|[\u200c\u200d]", "", written)
    return len(_NOTHING.findall(plain)) + plain.count("\t")


# git-am(1) and mailinfo: where a patch begins; git-commit(1): what an editor's clean-up drops; git-rebase(1)
_IN_A_MESSAGE = re.compile(r"(?m)^(?:diff -|Index: |---(?:\s|$)|From |#)|\A(?:fixup|squash|amend)!")


def in_mail(message: str) -> bool:
    """Whether git would take a line of a commit's message for something else: a patch, a comment, an order."""
    return _IN_A_MESSAGE.search(message) is not None


_FENCE = re.compile(r'<data ([0-9a-f]{16}) from="([^"<>\n]*)">\n(.*)\n</data \1>', re.DOTALL)


def in_prompt(quoted: str) -> bool:
    """Whether all of a quoted text stands between its fences (`bot.agents.quoting.RULE`)."""
    found = _FENCE.fullmatch(quoted)
    return found is not None and found[1] not in found[3]


def rows(table: str) -> list[list[str]]:
    """Return a table of tab-separated values as pandas reads it: fields may be quoted, and span lines."""
    import csv

    return list(csv.reader(table.splitlines(keepends=True), delimiter="\t"))


def strings(data: str) -> Iterator[str]:
    """Yield all strings of JSON."""

    def within(thing: object) -> Iterator[str]:
        if isinstance(thing, str):
            yield thing
        elif isinstance(thing, (list, dict)):
            for each in thing.values() if isinstance(thing, dict) else thing:
                yield from within(each)

    return within(json.loads(data))
