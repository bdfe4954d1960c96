"""Settings in shell scripts and Makefiles: `NAME=8`, `export NAME=8`, `${NAME:-8}`, `--lr 0.1` in a command."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.agents.formats.site import Site, behind, literal_value, number_literal

_VALUE = r"(?P<quote>[\"']?)(?P<value>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|true|false|True|False)(?P=quote)"
_ASSIGNED = re.compile(
    rf"^[ \t]*(?P<way>(?:export|readonly|local|declare(?:[ \t]+-\w+)*|typeset(?:[ \t]+-\w+)*|env)[ \t]+)?"
    rf"(?P<name>[A-Za-z_]\w*)={_VALUE}(?=[ \t;#\r\n]|$)",
    re.MULTILINE,
)
_MORE = re.compile(rf"(?<=[ \t])(?P<name>[A-Z_][A-Z0-9_]*)={_VALUE}(?=[ \t;#\\\r\n]|$)")
_DEFAULTED = re.compile(
    r"\$\{(?P<name>[A-Za-z_]\w*):?[-=](?P<value>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|true|false)\}"
)
_OPTION = re.compile(rf"(?<=[ \t])(?P<name>--[A-Za-z][\w.-]*)(?:=|[ \t]+){_VALUE}(?=[ \t;#\\\r\n]|$)")
_MAKE = re.compile(
    r"^(?:export[ \t]+|override[ \t]+)*(?P<name>[A-Za-z_]\w*)[ \t]*[:?]{0,2}=[ \t]*"
    r"(?P<value>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)[ \t]*(?=#|\r|\n|$)",
    re.MULTILINE,
)
_BEHIND = re.compile(r"[^\r\n#]*?[ \t]#+[ \t]*([^\r\n]*)")
_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\r\n]*", re.MULTILINE)


def read(text: str) -> list[Site]:
    """Return the numbers and switches that a shell script names, in the order in which they stand."""
    bare = _COMMENT.sub(lambda found: " " * len(found[0]), text)
    found: dict[int, Site] = {}
    for pattern in (_ASSIGNED, _DEFAULTED, _OPTION, _MORE):
        for match in pattern.finditer(bare):
            groups = match.groupdict()
            # What is exported, prefixes a command or is an option of one is read by others.
            ours = pattern is _ASSIGNED and "export" not in (groups.get("way") or "")
            followed = re.compile(r"[ \t]+[^\s#;]").match(bare, match.end()) is not None
            kind_is_macro = ours and not followed
            for site in _site(text, match, macro=kind_is_macro):
                found.setdefault(site.start, site)
    return sorted(found.values(), key=lambda each: each.start)


def read_make(text: str) -> list[Site]:
    """Return the numbers that the variables of a Makefile stand for."""
    return [site for match in _MAKE.finditer(text) for site in _site(text, match, macro=False)]


def spell(literal: str, now: str) -> str:
    """Return a Python literal as a shell has it."""
    value = literal_value(literal)
    if isinstance(value, bool):
        word = str(value)
        return word if now[:1].isupper() else word.lower()
    if isinstance(value, str):
        raise ValueError(f"{literal}: no text stands here")
    return literal if number_literal(literal) else repr(value)


def _site(text: str, match: re.Match[str], *, macro: bool) -> Iterator[Site]:
    written, name = match["value"], match["name"]
    literal = written.title() if written.lower() in ("true", "false") else number_literal(written)
    if literal is None:
        return
    yield Site(
        name, match.start("value"), match.end("value"), literal, name.lstrip("-").replace("-", "_"),
        "macro" if macro else "data", behind(_BEHIND, text, match.end("value")),
    )  # fmt: skip
