"""Settings in TOML and in INI files, line by line, so that comments and layout stay."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from bot.agents.formats.site import MAX_ELEMENTS, PLAIN_NUMBER, Site, last_part, literal_value, switched

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_TABLE = re.compile(r"[ \t]*\[{1,2}[ \t]*([^\[\]\r\n]+?)[ \t]*\]{1,2}[ \t]*(?:[#;][^\r\n]*)?$")
_KEY = r"(?:[\w-]+|\"[^\"\r\n]*\"|'[^'\r\n]*')"
_PAIR = re.compile(rf"[ \t]*(?P<key>{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*)[ \t]*=[ \t]*")
_INI_PAIR = re.compile(r"[ \t]*(?P<key>[A-Za-z_][\w.-]*)[ \t]*[=:][ \t]*")
_VALUE = re.compile(
    rf"(?P<number>[-+]?\d[\d_]*(?![\w.:-])|{PLAIN_NUMBER}(?![\w.:-]))|(?P<switch>(?i:true|false|yes|no|on|off)\b)"
    r"|(?P<text>\"[^\"\\\r\n]*\"|'[^'\r\n]*')"
)
_END = re.compile(r"[ \t]*(?:[#;]+[ \t]*(?P<comment>[^\r\n]*))?[\r\n]*$")


def read(text: str) -> list[Site]:
    """Return the numbers, switches and texts of TOML with dotted names: `model.n_layer`, `betas[0]`."""
    return list(_read(text, _PAIR))


def read_ini(text: str) -> list[Site]:
    """Return the numbers and switches of an INI file with dotted names: `model.n_layer`."""
    return list(_read(text, _INI_PAIR))


def spell(literal: str, now: str) -> str:
    """Return a Python literal as TOML writes it, in the manner of what stands there now."""
    value = literal_value(literal)
    if isinstance(value, bool):
        return switched(value, now)
    if isinstance(value, str):
        return f"'{value}'" if now.startswith("'") else json.dumps(value)
    if re.fullmatch(rf"-?[\d_]+|{PLAIN_NUMBER}", literal):
        return re.sub(r"\.(?=$|[eE])", ".0", re.sub(r"^(-?)\.", r"\g<1>0.", literal))
    return repr(value)


def _read(text: str, pair: re.Pattern[str]) -> Iterator[Site]:
    table, waiting = "", ""
    for found in _LINE.finditer(text):
        line, at = found[0], found.start()
        if not line:
            continue
        if at == 0:
            at += len(line) - len(line.removeprefix("\ufeff"))
            line = line.removeprefix("\ufeff")
        if waiting:  # inside a text or an array of several lines
            waiting = "" if waiting in line else waiting
            continue
        head = _TABLE.match(line.rstrip("\r\n"))
        if head:
            table = _plain(head[1])
            continue
        key = pair.match(line)
        if key is None or line.lstrip().startswith(("#", ";")):
            continue
        name = _plain(key["key"])
        name = f"{table}.{name}" if table else name
        rest = line[key.end() :]
        waiting = _opened(rest)
        if not waiting:
            yield from _values(name, rest, at + key.end())


def _values(name: str, rest: str, at: int) -> Iterator[Site]:
    """Yield the value at the beginning of `rest`, or what stands in a short array or an inline table there."""
    single = _VALUE.match(rest)
    if single:
        end = _END.match(rest, single.end())
        if end:
            yield _site(name, single, at, end["comment"] or "")
        return
    if rest.startswith("["):
        inner = re.match(r"\[([^\[\]{}\r\n]*)\]", rest)
        parts = list(_VALUE.finditer(rest, 1, inner.end() - 1)) if inner else []
        if (
            inner
            and len(parts) <= MAX_ELEMENTS
            and len(parts) == len([p for p in inner[1].split(",") if p.strip()])
        ):
            end = _END.match(rest, inner.end())
            for place, part in enumerate(parts):
                yield _site(f"{name}[{place}]", part, at, (end["comment"] if end else "") or "")
    elif rest.startswith("{"):
        close = rest.find("}")
        for key in re.finditer(rf"(?<=[{{,])\s*({_KEY})\s*=\s*", rest[: close + 1]):
            value = _VALUE.match(rest, key.end())
            if value and value.end() <= close:
                yield _site(f"{name}.{_plain(key[1])}", value, at, "")


def _site(name: str, value: re.Match[str], at: int, comment: str) -> Site:
    written = value[0]
    if value["number"]:
        literal = written.removeprefix("+")
    elif value["switch"]:
        literal = str(written.lower() in ("true", "yes", "on"))
    else:
        literal = repr(written[1:-1])
    return Site(name, at + value.start(), at + value.end(), literal, last_part(name), comment=comment.strip())


def _opened(rest: str) -> str:
    """Return what closes a value that goes on in the next line; empty if it ends in this one."""
    for quotes in ('"""', "'''"):
        if rest.startswith(quotes):
            return "" if quotes in rest[3:] else quotes
    bare = re.sub(r"\"[^\"]*\"|'[^']*'|#.*", "", rest)
    return "]" if bare.startswith("[") and bare.count("[") > bare.count("]") else ""


def _plain(key: str) -> str:
    return re.sub(r"\s*\.\s*", ".", key.strip()).replace('"', "").replace("'", "")
