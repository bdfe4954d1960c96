"""Settings in JSON, with comments and trailing commas if there are any."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from bot.agents.formats.site import MAX_ELEMENTS, Site, behind, last_part, literal_value, number_literal

_DEEPEST = 40
_COMMENT = re.compile(r"[ \t,]*//[ \t]*([^\r\n]*)")
_TOKEN = re.compile(
    r'\s+|//[^\r\n]*|/\*.*?\*/|(?P<string>"(?:[^"\\\r\n]|\\.)*")'
    r"|(?P<number>-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))|(?P<word>[A-Za-z_$][\w$]*)|(?P<mark>[{}\[\]:,])",
    re.DOTALL,
)


class _Broken(ValueError):
    """The text is no JSON."""


def read(text: str) -> list[Site]:
    """Return the numbers, switches and texts of `text` with dotted names: `model.n_layer`, `betas[0]`."""
    try:
        tokens = list(_tokens(text))
        found: list[Site] = []
        end = _value(text, tokens, 0, "", found, 0)
        return found if end == len(tokens) else []
    except (_Broken, IndexError):
        return []


def spell(literal: str, now: str) -> str:
    """Return a Python literal as JSON writes it."""
    value = literal_value(literal)
    if isinstance(value, int | float) and not isinstance(value, bool):
        plain = re.fullmatch(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?", literal)
        return literal if plain else json.dumps(value)
    return json.dumps(value)


def _tokens(text: str) -> Iterator[re.Match[str]]:
    place = 1 if text.startswith("\ufeff") else 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise _Broken
        if found.lastgroup is not None:
            yield found
        place = found.end()


def _value(text: str, tokens: list[re.Match[str]], at: int, name: str, found: list[Site], depth: int) -> int:
    """Read the value that begins with token `at`; return the number of the token behind it."""
    token = tokens[at]
    if depth > _DEEPEST:
        raise _Broken
    if token["mark"] == "{":
        return _members(text, tokens, at + 1, name, found, depth)
    if token["mark"] == "[":
        return _elements(text, tokens, at + 1, name, found, depth)
    if token["mark"]:
        raise _Broken
    literal = _literal(token)
    if literal is not None and name:
        found.append(
            Site(
                name,
                token.start(),
                token.end(),
                literal,
                last_part(name),
                comment=behind(_COMMENT, text, token.end()),
            )
        )
    return at + 1


def _members(
    text: str, tokens: list[re.Match[str]], at: int, name: str, found: list[Site], depth: int
) -> int:
    while tokens[at]["mark"] != "}":
        key = tokens[at]
        if key["mark"] or tokens[at + 1]["mark"] != ":":
            raise _Broken
        word = json.loads(key["string"], strict=False) if key["string"] else key[0]
        at = _value(text, tokens, at + 2, f"{name}.{word}" if name else word, found, depth + 1)
        at = _comma(tokens, at, "}")
    return at + 1


def _elements(
    text: str, tokens: list[re.Match[str]], at: int, name: str, found: list[Site], depth: int
) -> int:
    inner: list[Site] = []
    count = 0
    while tokens[at]["mark"] != "]":
        at = _value(text, tokens, at, f"{name}[{count}]", inner, depth + 1)
        at = _comma(tokens, at, "]")
        count += 1
    if count <= MAX_ELEMENTS:
        found += inner
    return at + 1


def _comma(tokens: list[re.Match[str]], at: int, closing: str) -> int:
    if tokens[at]["mark"] == ",":
        return at + 1
    if tokens[at]["mark"] != closing:
        raise _Broken
    return at


def _literal(token: re.Match[str]) -> str | None:
    if token["number"]:
        return number_literal(token["number"])
    if token["word"] in ("true", "false"):
        return token["word"].title()
    if token["string"]:
        try:
            return repr(json.loads(token["string"], strict=False))
        except ValueError:
            return None
    return None
