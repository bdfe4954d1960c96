"""A remote of ours on the same disk: it shares the files of objects, and its refs are moved without starting git.

For every other remote, a path too, git is asked: there may be hooks, and rights that are not ours.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bot.base.whole import sync_folder
from bot.git.command import Damaged, Locked
from bot.git.moving import Taken
from bot.git.objects import FOLDER, SUBMODULE, parse_commit, parse_tree
from bot.git.store import Store
from bot.git.transfer import PushResult, RefUpdate, track, tracking_ref

_MOST = 500  # commits that are shared one by one; a pack is the better way for more


class TooMuch(Exception):
    """Git had better carry this: a long history, or one that is cut off here."""


def fetch_beside(here: Store, there: Store, refs: Sequence[str]) -> dict[str, str]:
    """Return {full name: sha} of the refs of `there`, and have them here; see `Git.fetch`."""
    found = there.refs(refs)
    known = here.refs([tracking_ref(ref) for ref in found])
    old = {ref: sha for ref, sha in found.items() if known.get(tracking_ref(ref)) != sha}
    if old:
        share(there, here, list(old.values()))
        track(here, old)
    return found


def push_beside(here: Store, there: Store, updates: Sequence[RefUpdate]) -> PushResult:
    """Move the refs of `there`, all or none; see `Git.push`."""
    now = there.refs([update.ref for update in updates])
    moves: dict[str, tuple[str | None, str | None]] = {}
    for update in updates:
        at = now.get(update.ref)
        if at == update.new:
            continue
        if update.expected not in ("any", at):
            return PushResult(False, "moved", f"{update.ref} is not at {update.expected}")
        if at and update.new and update.forward_only and not here.is_ancestor(at, update.new):
            return PushResult(False, "moved", f"{update.ref} would not be fast-forwarded")
        moves[update.ref] = (at, update.new)
    share(here, there, [new for _, new in moves.values() if new is not None])
    if moves:
        try:
            there.move(moves, "nocturne: push")
        except (Taken, Locked) as error:
            return PushResult(False, "moved", str(error))
    with suppress(Locked, Damaged):  # the next fetch puts it right
        track(here, {update.ref: update.new for update in updates})
    return PushResult(True, changed=bool(moves))


def share(source: Store, target: Store, commits: Sequence[str]) -> None:
    """Have `commits`, and all that they are made of, in `target`. Raises `TooMuch`, and `Damaged`.

    What an object is made of comes before the object: one that is there is there whole.
    """
    folders: set[Path] = set()
    met = 0
    ahead: list[tuple[str, str, bytes | None]] = [("commit", commit, None) for commit in commits]
    while ahead:
        kind, sha, content = ahead.pop()
        if target.has(sha):
            continue
        if content is None:  # else what it is made of is there by now
            met += kind == "commit"
            if met > _MOST or (kind == "commit" and not source.has(sha)):
                raise TooMuch
            content = source.read(sha, kind)
            if kind != "blob":
                ahead.append((kind, sha, content))
                ahead += [(kind, part, None) for kind, part in _parts(kind, content)]
                continue
        place = target.loose_path(sha)
        try:
            place.parent.mkdir(exist_ok=True)
            os.link(source.loose_path(sha), place)
        except FileExistsError:
            continue
        except OSError:  # in a pack, on another disk, or a file system without links
            target.write(kind, content)
        else:
            folders.add(place.parent)
    for folder in folders:
        sync_folder(folder)


def _parts(kind: str, content: bytes) -> list[tuple[str, str]]:
    """Return kind and name of what a commit or a tree is made of; submodules are elsewhere."""
    if kind == "commit":
        tree, parents = parse_commit(content)
        return [("tree", tree), *(("commit", parent) for parent in parents)]
    return [
        ("tree" if mode == FOLDER else "blob", part)
        for _, mode, part in parse_tree(content)
        if mode != SUBMODULE
    ]
