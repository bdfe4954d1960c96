"""The formats in which settings stand: which file has which, and the one reader and writer of all of them.

A format reads `text -> sites` and spells a new value in its own notation; nothing but the characters of that
value changes in the file. A new format is a module with `read` and `spell`, and a line in `_FORMATS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bot.agents.formats import c_source, json_file, python, shell, toml_file, yaml_file
from bot.agents.formats.site import Site, literal_value, same_value

MOST_SITES = 400
LONGEST_FILE = 400_000
"""Characters of a file beyond which it is data, and no place of settings."""


@dataclass(frozen=True)
class Format:
    """How the settings of one kind of file are read, and how a new value of one is spelled."""

    title: str
    read: Callable[[str], Sequence[Site]]
    spell: Callable[[str, str], str]
    """Takes the new value as a Python literal and the text that stands there now; returns the new text."""


PYTHON = Format("Python", python.read, python.spell)
_SHELL = Format("shell", shell.read, shell.spell)
_MAKE = Format("make", shell.read_make, shell.spell)
_FORMATS: Mapping[str, Format] = {
    **dict.fromkeys(("py", "pyw"), PYTHON),
    **dict.fromkeys(("json", "jsonc", "json5"), Format("JSON", json_file.read, json_file.spell)),
    **dict.fromkeys(("yaml", "yml"), Format("YAML", yaml_file.read, yaml_file.spell)),
    "toml": Format("TOML", toml_file.read, toml_file.spell),
    **dict.fromkeys(("ini", "cfg", "conf"), Format("INI", toml_file.read_ini, toml_file.spell)),
    **dict.fromkeys(c_source.SUFFIXES, Format("C", c_source.read, c_source.spell)),
    **{suffix: Format(suffix, c_source.reader(suffix), c_source.spell) for suffix in c_source.OTHERS},
    **dict.fromkeys(("sh", "bash", "zsh", "env"), _SHELL),
    "mk": _MAKE,
}
_NAMED = {"Makefile": _MAKE, "makefile": _MAKE, "GNUmakefile": _MAKE, ".env": _SHELL}
_SHEBANGS = ((re.compile(r"#!.*\bpython"), PYTHON), (re.compile(r"#!.*\b(?:ba|z|da)?sh\b"), _SHELL))


def format_of(path: str, text: str) -> Format | None:
    """Return the format of a file, by its name or else its first line; None if it is none that is read here."""
    name = path.rpartition("/")[2]
    suffix = name.rpartition(".")[2].lower() if "." in name else ""
    known = _NAMED.get(name) or _FORMATS.get(suffix)
    if known is None and not suffix:
        first = text.removeprefix("\ufeff").split("\n", 1)[0]
        known = next((each for pattern, each in _SHEBANGS if pattern.match(first)), None)
    return known


@lru_cache(maxsize=256)
def sites_of(path: str, text: str) -> tuple[Site, ...]:
    """Return the settings of a file, each name once: one that is set twice has no single place.

    A file that is too long, does not parse or has another format has none.
    """
    known = format_of(path, text)
    if known is None or len(text) > LONGEST_FILE:
        return ()
    found: dict[str, Site | None] = {}
    for site in known.read(text):
        found[site.name] = None if site.name in found else site
    return tuple(
        site for site in found.values() if site is not None and literal_value(site.literal) is not None
    )[:MOST_SITES]


def rewrite(text: str, literals: Mapping[str, str], path: str = "train.py") -> str:
    """Return the text of the file `path` with the named settings set to new Python literals and not one other
    character changed. A name may have its file before it (`train.py:LR`).

    Raises `KeyError` if a name is no setting of the file, `ValueError` if a literal is none or the file's format
    can't spell it.
    """
    literals = {name.removeprefix(f"{path}:"): literal for name, literal in literals.items()}
    for name, literal in literals.items():
        if literal_value(literal) is None:
            raise ValueError(f"{name}: {literal!r} is not a literal")
    known = format_of(path, text)
    sites = {site.name: site for site in sites_of(path, text)}
    if known is None:
        raise KeyError(next(iter(literals), path))
    places = sorted(((sites[name], literal) for name, literal in literals.items()), key=lambda p: p[0].start)
    written = text
    for site, literal in reversed(places):
        now = text[site.start : site.end]
        new = known.spell(literal, now)
        if "\n" in new or "\r" in new:
            raise ValueError(f"{site.name}: {literal!r} does not fit on the line")
        written = written[: site.start] + new + written[site.end :]
    after = {site.name: site.literal for site in sites_of(path, written)}
    for name, literal in literals.items():
        if name not in after or not same_value(after[name], literal):
            raise ValueError(f"{name}: {literal!r} can't be written in {path}")
    return written
