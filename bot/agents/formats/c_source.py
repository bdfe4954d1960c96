"""Constants of C, C++ and CUDA: `#define NAME 8`, `const int NAME = 8;`, `constexpr`, template defaults; and of
other languages, as far as a line tells: Rust, Go, Java, C#, JavaScript, Julia, Zig and others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from bot.agents.formats.site import Site, behind, literal_value, number_literal

SUFFIXES = (
    *("c", "h", "cc", "cpp", "cxx", "c++", "hh", "hpp", "hxx", "cu", "cuh", "cl", "metal", "hip", "m", "mm"),
    *("inc", "inl", "ipp", "tpp", "ino", "glsl", "comp", "ispc"),
)
NUMBER = (
    r"-?(?:0[xX][0-9a-fA-F]+|\d+(?:'\d+)*(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)"
    r"(?P<suffix>[uUlLzZfF]{0,4})(?![\w.'])"
)
VALUE = rf"(?P<value>\d+[uUlL]{{0,3}}\s*<<\s*\d+(?![\w.])|{NUMBER}|true\b|false\b)"
_HIDDEN = re.compile(r"//[^\r\n]*|/\*.*?\*/|\"(?:[^\"\\\r\n]|\\.)*\"|'(?:[^'\\\r\n]|\\.)'", re.DOTALL)
_COMMENT = re.compile(r"[^\r\n/\"']*(?://+[ \t]*([^\r\n]*)|/\*[ \t]*(.*?)[ \t]*\*/)")
_DEFINE = re.compile(
    rf"^[ \t]*#[ \t]*define[ \t]+(?P<name>[A-Za-z_]\w*)[ \t]+\(*[ \t]*{VALUE}[ \t]*\)*[ \t]*(?=\r|\n|$)",
    re.MULTILINE,
)
_CONST = re.compile(
    r"(?:^|(?<=[;{}>\n]))[ \t]*(?:(?:static|inline|extern|thread_local|volatile|unsigned|signed|long|short|__constant__"
    r"|__device__|constant)\s+)*(?:const|constexpr|constinit)\s+"
    r"(?:(?:static|inline|const|constexpr|unsigned|signed|long|short|int|float|double|char|bool|auto|half|uint"
    r"|size_t|[\w:]+_t|std::[\w:]+)\s+)*(?P<rest>[^;()]{1,400};)",
    re.MULTILINE,
)
_LATE_CONST = re.compile(r"\b(?:int|float|double|unsigned|size_t|\w+_t)\s+const\s+(?P<rest>[^;(){}]{1,400};)")
_DECLARATOR = re.compile(
    rf"(?:^|(?<=[,\s]))(?P<name>[A-Za-z_]\w*)\s*(?:=\s*|\{{\s*)\(*\s*{VALUE}\s*\)*\s*(?=[,;}}])"
)
_TEMPLATE = re.compile(r"\btemplate\s*<(?P<rest>[^<>;{}]{1,400})>")
_DEFAULT = re.compile(
    rf"(?:^|,)\s*(?:const\s+)?(?:unsigned\s+)?(?:int|unsigned|bool|long|\w+_t)\s+(?P<name>[A-Za-z_]\w*)\s*=\s*{VALUE}\s*(?=,|$)"
)


def read(text: str) -> list[Site]:
    """Return the named constants of C source, in the order in which they stand."""
    bare = mask(text)
    found = [site(text, match, 0) for match in _DEFINE.finditer(bare)]
    for outer in (*_CONST.finditer(bare), *_LATE_CONST.finditer(bare)):
        found += _inner(text, _DECLARATOR, outer)
    for outer in _TEMPLATE.finditer(bare):
        found += _inner(text, _DEFAULT, outer)
    return sorted(dict.fromkeys(found), key=lambda each: each.start)


def spell(literal: str, now: str) -> str:
    """Return a Python literal as C writes it, with the suffix of what stands there now."""
    value = literal_value(literal)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        raise ValueError(f"{literal}: no text stands here")
    suffix = re.search(r"(?<=[\d.])[uUlLzZfF]+$", now)
    tail = suffix[0] if suffix and not now.lower().startswith("0x") else ""
    if re.fullmatch(r"\d+ << \d+", literal):
        return literal
    if number_literal(literal):
        return literal + tail
    return repr(value) + tail


def mask(text: str) -> str:
    """Return `text` with comments and texts blanked, every character in its place."""
    return _HIDDEN.sub(lambda found: re.sub(r"[^\r\n]", " ", found[0]), text)


def without_comments(text: str) -> str:
    """Return `text` with a space for each comment."""
    return _HIDDEN.sub(lambda found: " " if found[0].startswith("/") else found[0], text)


def site(text: str, match: re.Match[str], at: int) -> Site:
    """Return the constant that `match` found in a part of `text` that begins at `at`."""
    start, end = at + match.start("value"), at + match.end("value")
    return Site(
        match["name"],
        start,
        end,
        _literal(text[start:end]),
        match["name"],
        "macro",
        behind(_COMMENT, text, end),
    )


def _inner(text: str, pattern: re.Pattern[str], outer: re.Match[str]) -> Iterator[Site]:
    for match in pattern.finditer(outer["rest"]):
        yield site(text, match, outer.start("rest"))


def _literal(written: str) -> str:
    if written in ("true", "false"):
        return written.title()
    if written.lower().startswith(("0x", "-0x")):
        return re.sub(r"[uUlLzZ]+$", "", written)
    plain = re.sub(r"(?<=[\d.])[uUlLzZfF]+(?=\s|$|<)", "", written.replace("'", ""))
    return re.sub(r"\s*<<\s*", " << ", plain)


_NAME = r"(?P<name>[A-Za-z_]\w*)"
_EQUALS = rf"\s*=\s*\(*\s*{VALUE}\s*\)*[ \t]*(?=[;,\r\n]|$)"
_START = r"^[ \t]*"
_LANGUAGES = {
    ("rs",): rf"{_START}(?:pub(?:\([\w ]+\))?\s+)?(?:const|static)\s+{_NAME}\s*:\s*\w+{_EQUALS}",
    ("go",): rf"{_START}(?:const\s+|var\s+)?{_NAME}(?:\s+\w+)?{_EQUALS}",
    ("java", "cs", "kt", "scala", "swift", "dart"): (
        rf"{_START}(?:(?:public|private|protected|internal|static|final|const|readonly|int|long|float|double|boolean"
        rf"|bool|uint|let|val|lazy|var)\s+)*(?:final|const|readonly|val|let)\s+(?:(?:int|long|float|double|boolean|bool"
        rf"|uint|val|static)\s+)*{_NAME}(?:\s*:\s*\w+)?{_EQUALS}"
    ),
    (
        "js",
        "mjs",
        "cjs",
        "ts",
        "tsx",
        "jsx",
    ): rf"{_START}(?:export\s+)?const\s+{_NAME}(?:\s*:\s*\w+)?{_EQUALS}",
    ("jl",): rf"{_START}const\s+{_NAME}(?:::\w+)?{_EQUALS}",
    ("zig",): rf"{_START}(?:pub\s+)?const\s+{_NAME}(?:\s*:\s*\w+)?{_EQUALS}",
    ("lua",): rf"{_START}(?:local\s+)?(?P<name>[A-Z_][A-Z0-9_]*){_EQUALS}",
    ("r",): rf"{_START}(?P<name>[A-Za-z_][\w.]*)\s*(?:<-|=)\s*{VALUE}[ \t]*(?=\r|\n|$)",
}
_PATTERNS = {
    suffix: re.compile(pattern, re.MULTILINE)
    for suffixes, pattern in _LANGUAGES.items()
    for suffix in suffixes
}
OTHERS = tuple(_PATTERNS)
"""The endings of the other languages."""


def reader(suffix: str) -> Callable[[str], Sequence[Site]]:
    """Return what reads the constants of source files with this ending."""
    pattern = _PATTERNS[suffix]

    def read(text: str) -> Sequence[Site]:
        bare = mask(text)
        if suffix in ("jl", "r"):
            bare = re.sub(r"#[^\r\n]*", lambda found: " " * len(found[0]), bare)
        return [site(text, match, 0) for match in pattern.finditer(bare)]

    return read
