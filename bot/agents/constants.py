"""The constants of the editable files: what each is worth, how two versions differ, and how one is rewritten.

Where they stand is the formats' business (`bot.agents.formats`): Python source, JSON, YAML, TOML, C, shell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.agents.formats import rewrite, sites_of
from bot.agents.formats.site import Kind, Number, Site, Value, canonical, literal_value, same_value
from bot.rules.proposal import Change

__all__ = [
    "Constant", "Number", "Value", "canonical", "changes_between", "constant_values", "constants_of",
    "literal_value", "rewrite", "same_value",
]  # fmt: skip


@dataclass(frozen=True)
class Constant:
    """A named value: where it stands, how it is written (as a Python literal), what it is worth, what is said
    beside it.

    `name` is how the campaign calls it: `local`, its name in its file, or `file:local` if another file has that
    name too. `key`, `kind`, `choices` and `owner` are its site's.
    """

    file: str
    name: str
    literal: str
    value: Value
    comment: str = ""
    local: str = ""
    key: str = ""
    kind: Kind = "variable"
    choices: tuple[str, ...] = ()
    owner: str = ""


def constants_of(files: Mapping[str, str]) -> tuple[Constant, ...]:
    """Return every constant of `files` that is set in one place; a file that does not parse has none.

    A name found in two files is two constants, each called by its file.
    """
    found: list[tuple[str, Site]] = []
    for path in sorted(files):
        found += ((path, site) for site in sites_of(path, files[path]))
    count = Counter(site.name for _, site in found)
    return tuple(
        Constant(
            file=path,
            name=site.name if count[site.name] == 1 else f"{path}:{site.name}",
            literal=site.literal,
            value=value,
            comment=site.comment,
            local=site.name,
            key=site.key,
            kind=site.kind,
            choices=site.choices,
            owner=site.owner,
        )
        for path, site in found
        if (value := literal_value(site.literal)) is not None
    )


def constant_values(files: Mapping[str, str]) -> dict[str, str]:
    """Return name -> literal for every constant in `files` (what `PastExperiment.parent_values` holds)."""
    return {constant.name: constant.literal for constant in constants_of(files)}


def changes_between(base: Mapping[str, str], proposed: Mapping[str, str]) -> tuple[Change, ...]:
    """Return the constants whose worth differs between two versions of the files."""
    after = {(constant.file, constant.local): constant for constant in constants_of({**base, **proposed})}
    return tuple(
        Change(before.file, before.name, before.literal, then.literal)
        for before in constants_of(base)
        if (then := after.get((before.file, before.local))) is not None
        and not same_value(before.literal, then.literal)
    )


def rewritten(files: Mapping[str, str], changes: Sequence[Change]) -> dict[str, str]:
    """Return the whole new text of each file that `changes` touch."""
    new: dict[str, str] = {}
    for path in sorted({each.file for each in changes}):
        new[path] = rewrite(files[path], {each.name: each.new for each in changes if each.file == path}, path)
    return new
