"""A message as plain data: whoever sends it decides how it looks, and escapes every word of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """Plain text, from whomever it may come; `url` makes a link of it where it is a web address."""

    text: str
    bold: bool = False
    url: str | None = None


Line = tuple[Words, ...]


@dataclass(frozen=True)
class Part:
    """A heading and lines below it, the weightiest first: what does not fit is left out from the end."""

    heading: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Message:
    """One message. `key` names it for ever: nobody sends two of the same key.

    `summary` is one line for a phone's lock screen; `facts` are labels and values; `chart` describes the
    picture that goes with it, None where there is none.
    """

    key: str
    title: str
    summary: str
    facts: tuple[tuple[str, str], ...] = ()
    parts: tuple[Part, ...] = ()
    foot: str = ""
    chart: str | None = None
