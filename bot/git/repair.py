"""After a crash: removes locks of our refs whose holder died, and gets a fresh copy of a ref from the remote."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

from bot.git.command import raise_for_disk
from bot.git.repository import Git

STALE_LOCK = 10.0  # seconds; git holds the lock of a ref for milliseconds
_OUR_REFS = ("refs/heads/nocturne", "refs/remotes/nocturne", "refs/nocturne")
_NAME = re.compile(r"\b[0-9a-f]{40}\b")


def outlast_locks(git: Git, remote: str) -> list[str]:
    """Wait until no lock file of our refs is left, or what is left is stale and removed; return the notes."""
    notes: list[str] = []
    until = time.monotonic() + 2 * STALE_LOCK
    while list(_lock_files(git, remote)) and time.monotonic() < until:
        notes += drop_stale_locks(git, remote)
        time.sleep(0.2)
    return notes


def drop_stale_locks(git: Git, remote: str) -> list[str]:
    """Remove lock files of our refs that are older than `STALE_LOCK`; return a note for each."""
    notes = []
    for path in _lock_files(git, remote):
        try:
            if time.time() - path.stat().st_mtime <= STALE_LOCK:
                continue
            path.unlink()
        except FileNotFoundError:
            continue  # its holder lives, and is done
        except OSError as error:
            raise_for_disk(error)
            raise
        notes.append(f"the lock {path}, left behind by a crash, was removed")
    return notes


def _lock_files(git: Git, remote: str) -> Iterator[Path]:
    """Yield the lock files of our refs, here and in a remote on this machine."""
    there = git.remote_path(remote)
    for folder in {git.common_dir, there or git.common_dir}:
        for refs in _OUR_REFS:
            yield from (folder / refs).rglob("*.lock")
    if there == git.own_remote:
        yield from there.glob("packed-refs.lock")


def fetch_again(git: Git, remote: str, ref: str, said: str) -> str:
    """Get `ref` from the remote as if none of it were here, and return a note for the human.

    `said` is what was found damaged: files of objects that it names are moved aside. Raises `Damaged` and
    `UserError` if that does not help.
    """
    for name in _NAME.findall(said):
        path = git.store.loose_path(name)
        kept = git.common_dir / "nocturne" / "damaged" / f"{name}-{time.time_ns()}"
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            path.rename(kept)
        except FileNotFoundError:
            continue  # missing, in a pack, or moved by another process
        except OSError as error:
            raise_for_disk(error)
            raise
    git.fetch_anew(remote, ref)
    return (
        f"{ref} was damaged here by a crash ({said}) and was fetched again from the remote: nothing is lost"
    )
