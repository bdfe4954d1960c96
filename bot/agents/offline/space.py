"""What the offline search may turn in the editable files, what it leaves alone and why, and what a human said of it."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bot.agents.constants import Constant, constants_of
from bot.agents.formats import LONGEST_FILE, format_of
from bot.agents.formats.site import last_part
from bot.agents.offline.knobs import UNREAD, Knob, knob_of
from bot.agents.offline.name_use import name_use_of
from bot.base.text import one_line

MOST_KNOBS = 200
"""Knobs beyond which the search would know too little of each: those with the least promise are left alone."""
_SHOWN = 6
_TOLD, _LEFT = 8, 5


@dataclass(frozen=True)
class Rules:
    """What is known of a search beyond the editable files: the config's `turn` and `leave`, the names that other
    files of the repository mention, and the words of the commands that run, which may set an option themselves."""

    turn: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()
    outside: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Left:
    """A constant that is left alone, and why, in a few words."""

    constant: Constant
    why: str


@dataclass(frozen=True)
class Space:
    """What may be turned, in the order of the source; what is left alone; and files that nothing is read from."""

    knobs: tuple[Knob, ...]
    left: tuple[Left, ...]
    constants: tuple[Constant, ...]
    unread: tuple[tuple[str, str], ...]


def space_of(files: Mapping[str, str], rules: Rules | None = None) -> Space:
    """Return what may be turned in `files` under `rules`."""
    return _space_of(tuple(sorted(files.items())), rules or Rules())


@lru_cache(maxsize=8)
def _space_of(texts: tuple[tuple[str, str], ...], rules: Rules) -> Space:
    files = dict(texts)
    usage = name_use_of(files, rules.outside)
    constants = constants_of(files)
    knobs: list[Knob] = []
    left: list[Left] = []
    for constant in constants:
        forced = _is_forced(constant, rules)
        if forced is False:
            left.append(Left(constant, "`leave:` says so"))
            continue
        given = not forced and _is_given(constant, rules.words)
        found = "the command gives it itself" if given else knob_of(constant, usage, forced=bool(forced))
        if isinstance(found, Knob):
            knobs.append(found)
        else:
            left.append(Left(constant, found))
    if not knobs:
        # Nothing that can be seen reads them, and yet they stand in a file that is there to be changed.
        unread = {
            each.constant: knob_of(each.constant, usage, read=True) for each in left if each.why == UNREAD
        }
        knobs = [found for found in unread.values() if isinstance(found, Knob)]
        left = [each for each in left if not isinstance(unread.get(each.constant), Knob)]
    kept = sorted(knobs, key=lambda knob: -knob.weight)[:MOST_KNOBS]
    for knob in knobs if len(knobs) > MOST_KNOBS else ():
        if knob not in kept:
            left.append(Left(knob.constant, f"more than {MOST_KNOBS} others promise more"))
    return Space(tuple(k for k in knobs if k in kept), tuple(left), constants, tuple(_unread(files)))


def unread_names(files: Mapping[str, str]) -> frozenset[str]:
    """Return the names whose use elsewhere in the repository would tell that they are alive."""
    found = (
        name for c in constants_of(files) if c.kind != "data" for name in (c.key, c.owner.partition(".")[0])
    )
    return frozenset(name for name in found if re.fullmatch(r"[A-Za-z_]\w{1,63}|[A-Za-z]", name))


def unknown_names(files: Mapping[str, str], rules: Rules) -> list[str]:
    """Return one sentence for each entry of `turn` and `leave` that names no constant of `files`."""
    constants = constants_of(files)
    said = []
    for key, entries in (("turn", rules.turn), ("leave", rules.leave)):
        for entry in entries:
            if entry == "*" or any(_matches(constant, entry) for constant in constants):
                continue
            known = sorted({name for constant in constants for name in _names_of(constant)})
            close = difflib.get_close_matches(entry, known, n=1, cutoff=0.6)
            hint = f"did you mean `{close[0]}`?" if close else _listed(known)
            said.append(f"{key}: `{one_line(entry, 60)}` names nothing in {', '.join(sorted(files))}: {hint}")
    return said


def told(space: Space) -> str:
    """Return `5 things: LR, DEPTH, ...; left alone: SEED (...)`."""
    count = len(space.knobs)
    names = ", ".join(
        f"{one_line(k.name, 60)} ({one_line(k.constant.literal, 24)})" for k in space.knobs[:_TOLD]
    )
    more = f" and {count - _TOLD} more" if count > _TOLD else ""
    said = f"{count} {'thing' if count == 1 else 'things'}: {names}{more}"
    left = [each for each in space.left if " " not in str(each.constant.value)]  # prose is no setting
    if left:
        said += f"; left alone: {one_line(reasons(left, _LEFT), 600)}"
    unread = [f"{path} ({why})" for path, why in space.unread]
    return said + (f"; nothing is read from {one_line(', '.join(unread), 200)}" if unread else "")


def nothing_to_turn(space: Space, files: Collection[str]) -> str:
    """Return one line for whom the search has nothing to turn: where it looked, and what would help."""
    looked = ", ".join(sorted(files)[:_SHOWN]) or "no file"
    found = f" ({one_line(reasons(space.left, 3), 300)})" if space.left else ""
    why = (
        f"; {one_line(', '.join(f'{path}: {said}' for path, said in space.unread[:3]), 200)}"
        if space.unread
        else ""
    )
    return (
        f"the offline search finds nothing to turn in {looked}{found}{why}: name constants under `turn:`, or the files"
        " that hold the settings under `editable:`, or set `proposer: claude`, which edits any text and needs"
        " ANTHROPIC_API_KEY"
    )


def everything_tried(space: Space) -> str:
    """Return one line for whom the search has tried all that it can turn."""
    names = ", ".join(knob.name for knob in space.knobs[:_SHOWN])
    more = f" and {len(space.knobs) - _SHOWN} more" if len(space.knobs) > _SHOWN else ""
    return (
        f"everything was tried: every step of {one_line(names, 200)}{more}, alone and in pairs; name more under `turn:`"
        " or `editable:`, or set `proposer: claude`"
    )


def reasons(left: Sequence[Left], most: int) -> str:
    """Return what is left alone and why, as `SEED (seeds: ...), PATH (...) and 4 more`."""
    shown = [f"{each.constant.name}: {each.why}" for each in left[:most]]
    more = [f"{len(left) - most} more are left alone"] if len(left) > most else []
    return "; ".join([*shown, *more])


def _is_forced(constant: Constant, rules: Rules) -> bool | None:
    """Return True if a human wants it turned, False if left alone, None if nobody said: a name beats a pattern, and
    between two of a kind `leave` wins."""
    for exact in (True, False):
        for entries, answer in ((rules.leave, False), (rules.turn, True)):
            if any(_is_exact(constant, entry) if exact else _matches(constant, entry) for entry in entries):
                return answer
    return None


def _names_of(constant: Constant) -> tuple[str, ...]:
    """Return all that a human may call a constant: whole or by its last part, with its file or without."""
    whole = re.sub(r"\[\d+\]$", "", constant.local)
    names = (constant.local, whole, whole.lstrip("-"), last_part(constant.local), constant.key)
    return tuple(dict.fromkeys([*(n for n in names if n), *(f"{constant.file}:{n}" for n in names if n)]))


def _is_exact(constant: Constant, entry: str) -> bool:
    return entry in _names_of(constant)


def _matches(constant: Constant, entry: str) -> bool:
    return any(entry == name or fnmatch.fnmatchcase(name, entry) for name in _names_of(constant))


def _is_given(constant: Constant, words: Sequence[str]) -> bool:
    """Whether the command sets a constant itself: an option, or what becomes one (`--lr=3` for nanoGPT's globals, a
    field for tyro), or a key of a settings file as hydra takes it, `optim.lr=3`."""
    for word in words:
        name, value, _ = word.partition("=")
        plain = name.removeprefix("--").replace("-", "_")
        if constant.kind == "data":
            given = plain == constant.local and (plain != name or value)
        else:
            known = constant.kind in ("option", "variable", "field") and plain != name
            given = word == constant.local or (known and plain.rpartition(".")[2] == constant.key)
        if given:
            return True
    return False


def _unread(files: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the files in which nothing is found, and why, as far as that is the format's doing."""
    found = []
    for path in sorted(files):
        known = format_of(path, files[path])
        if known is None:
            found.append((path, "of no format that the search reads"))
        elif len(files[path]) > LONGEST_FILE:
            found.append((path, f"longer than {LONGEST_FILE:,} characters"))
        elif not constants_of({path: files[path]}):
            found.append((path, "no settings"))
    return found


def _listed(known: Sequence[str]) -> str:
    plain = [name for name in known if ":" not in name]
    return f"there are {', '.join(plain[:_SHOWN])}" if plain else "there are no constants in it"
