"""Named constants of other languages, as far as a line tells: Rust, Go, Java, C#, JavaScript, Julia, Zig and others."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bot.agents.formats.c_source import VALUE, mask, site
from bot.agents.formats.site import Site

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
SUFFIXES = tuple(_PATTERNS)


def reader(suffix: str) -> Callable[[str], Sequence[Site]]:
    """Return what reads the constants of source files with this ending."""
    pattern = _PATTERNS[suffix]

    def read(text: str) -> Sequence[Site]:
        bare = mask(text)
        if suffix in ("jl", "r"):
            bare = re.sub(r"#[^\r\n]*", lambda found: " " * len(found[0]), bare)
        return [site(text, match, 0) for match in pattern.finditer(bare)]

    return read
