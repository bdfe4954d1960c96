"""Carry a change from the incumbent it was made on to another one, forwards or backwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.agents.constants import constants_of, rewrite, same_value
from bot.git import Git
from bot.rules.proposal import Change


def carry(
    git: Git, *, base: Mapping[str, str], changed: Mapping[str, str], onto: Mapping[str, str],
    changes: Sequence[Change],
) -> dict[str, str] | None:  # fmt: skip
    """Return the files of `onto` with what turned `base` into `changed`; None where that doesn't fit.

    A change that is nothing but constants is carried by name, since two of them in neighbouring lines would
    look like a conflict to a merge by lines; everything else is merged by lines.
    """
    by_name = _by_constants(base=base, changed=changed, onto=onto, changes=changes)
    if by_name is not None:
        return by_name
    carried: dict[str, str] = {}
    for path, text in changed.items():
        merged = git.merge_file(base.get(path, "").encode(), onto.get(path, "").encode(), text.encode())
        if merged is None:
            return None
        carried[path] = merged.decode()
    return carried


def _by_constants(
    *, base: Mapping[str, str], changed: Mapping[str, str], onto: Mapping[str, str], changes: Sequence[Change]
) -> dict[str, str] | None:
    """Return `onto` with the constants set, None where the change is more than that or somebody was there."""
    carried: dict[str, str] = {}
    for path, text in changed.items():
        mine = [change for change in changes if change.file == path]
        if not mine or path not in onto or path not in base:
            return None
        new = {change.local: change.new for change in mine}
        if not new.keys() <= _values(path, base[path]).keys() or _rewritten(path, base[path], new) != text:
            return None
        values = _values(path, onto[path])
        if not all(c.local in values and same_value(values[c.local], c.old) for c in mine):
            return None
        landed = _rewritten(path, onto[path], new)
        if landed is None:
            return None
        carried[path] = landed
    return carried


def _values(path: str, text: str) -> dict[str, str]:
    """Return the literals of one file by their names in it."""
    return {constant.local: constant.literal for constant in constants_of({path: text})}


def _rewritten(path: str, text: str, new: Mapping[str, str]) -> str | None:
    """Return the file with new values, None if it can't spell one of them."""
    try:
        return rewrite(text, new, path)
    except ValueError:
        return None
