"""After a power cut or a full disk: puts damaged objects and refs of ours right, and says what it did.

Damaged files are moved aside, never deleted; good copies come from the other side (the user's repository
and the remote each hold all of it); only where neither has one do we go back to an older commit.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.errors import UserError
from bot.git import Damaged, Git
from bot.git.command import (
    NETWORK_TIMEOUT,
    RemoteUnreachable,
    failure_text,
    git_output,
    last_line,
    raise_for_disk,
)
from bot.git.file_lock import alone
from bot.git.objects import read_objects
from bot.git.transfer import tracking_ref
from bot.process import ProcessFailed

STALE_LOCK = 10.0  # seconds; git holds the lock of a ref for milliseconds
_RECENT = 6  # commits that the check before the first use looks into
_CANDIDATES = 1000  # how many commits back a readable one is looked for
_OUR_REFS = ("refs/heads/nocturne", "refs/remotes/nocturne", "refs/nocturne")
_NAME = re.compile(r"\b([0-9a-f]{64}|[0-9a-f]{40})\b")


@dataclass(frozen=True)
class _Side:
    """One store of the tree: a git folder and the ref in it; `ours` says whether it is ours to mend."""

    name: str
    folder: Path
    ref: str
    ours: bool = True

    def run(self, arguments: Sequence[str], stdin: bytes | None = None) -> bytes:
        # A commit-graph would hide that a commit is missing.
        command = [f"--git-dir={self.folder}", "-c", "core.commitGraph=false", *arguments]
        return git_output(command, cwd=self.folder, stdin=stdin)

    def attempt(self, *arguments: str) -> tuple[bool, str]:
        """Return whether a command succeeded, and what it said."""
        try:
            return True, self.run(arguments).decode(errors="replace")
        except ProcessFailed as error:
            return False, failure_text(error)
        except Damaged as error:
            cause = error.__cause__
            return False, failure_text(cause) if isinstance(cause, ProcessFailed) else str(error)

    def set_aside(self, path: Path) -> None:
        """Move a damaged file into `nocturne/damaged/` of the git folder."""
        try:
            kept = self.folder / "nocturne" / "damaged"
            kept.mkdir(parents=True, exist_ok=True)
            path.rename(kept / f"{path.parent.name}{path.name}-{time.time_ns()}")
        except FileNotFoundError:
            return  # another process did so first
        except OSError as error:
            raise_for_disk(error)
            raise


def repair(git: Git, remote: str, ref: str) -> list[str]:
    """Mend `ref` here and on the remote after a crash; return notes for the human, none if nothing was wrong.

    Raises `UserError` where nothing readable is left anywhere.
    """
    with (
        alone(git.common_dir / "nocturne" / "repair.lock", patience=60.0),
        _both_sides(git, remote, ref) as sides,
    ):
        notes = drop_stale_locks(git, remote)
        for side in sides:
            count = _set_aside_objects(side) if side.ours else 0
            if count:
                kept = side.folder / "nocturne" / "damaged"
                notes.append(f"{count} damaged objects of {side.name} were moved to {kept}")
        copied = sum(_copy_missing(side, tip, sides) for side in sides if side.ours and (tip := _tip(side)))
        if copied:
            notes.append(f"{copied} damaged or missing objects of {ref} were copied from the other side")
        broken = [side for side in sides if _is_broken(side)]
        if broken:
            notes.append(_go_back(ref, sides, broken))
    return notes


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
    if there is not None and git.common_dir in there.parents:  # the store inside .git is ours altogether
        yield from there.glob("packed-refs.lock")


def recent_damage(git_dir: Path, commit: str) -> bool:
    """Say whether the newest few commits up to `commit` lack an object or hold one that cannot be read."""
    side = _Side("", git_dir, "")
    try:
        newest = side.run(["rev-list", "--first-parent", f"-{_RECENT + 1}", commit, "--"]).decode().split()
        older = [f"^{newest[-1]}"] if len(newest) > _RECENT else []
        listed = side.run(["rev-list", "--objects", "--no-object-names", commit, *older, "--"]).decode()
        return None in read_objects(side.run, listed.split())
    except (Damaged, ProcessFailed):
        return True


@contextmanager
def _both_sides(git: Git, remote: str, ref: str) -> Iterator[list[_Side]]:
    """Give the user's repository and the remote: itself where it is on this machine, else a fresh copy."""
    here = _Side("this repository", git.common_dir, tracking_ref(ref))
    path = git.remote_path(remote)
    if path is not None:
        yield [here, _Side("the remote", path, ref)]
        return
    with tempfile.TemporaryDirectory(prefix="nocturne-") as scratch:
        git_output(["init", "--quiet", "--bare", "--template=", scratch])
        # The user's settings for this remote (its URL, its credentials) hold for the copy too.
        command = [
            f"--git-dir={scratch}",
            "-c",
            f"include.path={git.common_dir / 'config'}",
            "fetch",
            "--quiet",
        ]
        try:
            command += ["--no-tags", remote, f"+{ref}:{ref}"]
            git_output(command, cwd=git.top, env=git.login, timeout=NETWORK_TIMEOUT)
        except ProcessFailed as error:
            said = failure_text(error)
            if "couldn't find remote ref" not in said:
                raise RemoteUnreachable(
                    f"{ref} is damaged here and {remote} cannot be reached for a good copy"
                    f" ({last_line(said)}): run again when it can"
                ) from None
        yield [here, _Side("the remote", Path(scratch), ref, ours=False)]


def _set_aside_objects(side: _Side) -> int:
    """Move every loose object aside that is empty or cannot be decoded; return how many there were."""
    count = 0
    for path in (side.folder / "objects").glob("[0-9a-f][0-9a-f]/*"):
        name = path.parent.name + path.name
        if _NAME.fullmatch(name) and not _decodes(path, name):
            side.set_aside(path)
            count += 1
    return count


def _decodes(path: Path, name: str) -> bool:
    """Say whether a loose object file holds what its name promises."""
    hasher = hashlib.sha1() if len(name) == 40 else hashlib.sha256()
    reader = zlib.decompressobj()
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                hasher.update(reader.decompress(chunk))
    except zlib.error:
        return False
    except OSError:
        return True  # not ours to read: no sign of damage
    return reader.eof and hasher.hexdigest() == name


def _tip(side: _Side) -> str | None:
    """Return where the side's ref points, whether that commit is there or not; None where it says nothing."""
    found, said = side.attempt("rev-parse", "--verify", "--quiet", "--end-of-options", side.ref)
    return said.strip() if found and _NAME.fullmatch(said.strip()) else None


def _is_complete(side: _Side, commit: str) -> bool:
    """Say whether everything that `commit` reaches is in the side's store."""
    return side.attempt("rev-list", "--objects", "--quiet", commit, "--")[0]


def _is_broken(side: _Side) -> bool:
    tip = _tip(side)
    return not _is_complete(side, tip) if tip else (side.folder / side.ref).exists()


def _copy_missing(side: _Side, commit: str, sides: Sequence[_Side]) -> int:
    """Copy the objects below `commit` that `side` lacks from the other sides; return how many."""
    copied = 0
    others = [other for other in sides if other is not side]
    while True:
        complete, said = side.attempt("rev-list", "--objects", "--quiet", commit, "--")
        if complete:
            return copied
        wanted = {name for name in _NAME.findall(said) if not side.attempt("cat-file", "-e", name)[0]}
        got = sum(_copy_object(other, side, name) for name in wanted for other in others)
        if got == 0:
            return copied
        copied += got


def _copy_object(source: _Side, target: _Side, name: str) -> bool:
    found, kind = source.attempt("cat-file", "-t", name)
    if not found:
        return False
    content = source.run(["cat-file", kind.strip(), name])
    target.run(["hash-object", "-t", kind.strip(), "-w", "--stdin"], content)
    return True


def _history(side: _Side) -> list[str]:
    """Return the commits that the side's ref is known to have been at, newest first."""
    log = side.folder / "logs" / side.ref
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    names = [
        parts[1] for line in lines if len(parts := line.split(" ", 2)) == 3 and _NAME.fullmatch(parts[1])
    ]
    tip = _tip(side)
    found = [name for name in [tip, *reversed(names)] if name and set(name) != {"0"}]
    if len(found) < 2 and tip:
        # No log of this ref: its parents, as far as they can be read.
        at = tip
        while len(found) < _CANDIDATES:
            readable, parent = side.attempt("rev-parse", "--verify", "--quiet", f"{at}^")
            if not readable:
                break
            at = parent.strip()
            found.append(at)
    return list(dict.fromkeys(found))[:_CANDIDATES]


def _go_back(ref: str, sides: Sequence[_Side], broken: Sequence[_Side]) -> str:
    """Set the broken sides to the newest commit that can be read whole; return the note that says so."""
    histories = {side.folder: _history(side) for side in sides}
    found: list[tuple[_Side, str]] = []
    for side in sides:
        for commit in histories[side.folder]:
            if side.ours:
                _copy_missing(side, commit, sides)
            if _is_complete(side, commit):
                found.append((side, commit))
                break
    if not found:
        if max(len(history) for history in histories.values()) > 1:
            raise UserError(
                f"nothing readable is left of {ref}: restore it from another clone"
                f" (`git push {broken[-1].folder} <commit>:{ref}`)"
            )
        for side in broken:
            _move_ref(side, None)
        return f"the only commit of {ref} was damaged by a crash: 1 append may be missing, starting anew"
    source, best = found[0]
    for side, commit in found[1:]:
        _carry(side, source, commit)
        if source.attempt("merge-base", "--is-ancestor", best, commit)[0]:
            source, best = side, commit
    for side in broken:
        if side.ours:
            _carry(source, side, best)
            _move_ref(side, best)
    lost = max(history.index(best) if best in history else len(history) for history in histories.values())
    if lost == 0:
        where = " and ".join(side.name for side in broken)
        return f"{ref} of {where} was damaged by a crash and put right: nothing lost"
    return (
        f"{ref} was damaged by a crash: its newest commits could not be read, so it went back to {best[:12]};"
        f" up to {lost} appends may be missing"
    )


def _carry(source: _Side, target: _Side, commit: str) -> None:
    """Give `target` everything that `commit` reaches in `source`."""
    if source is target or _is_complete(target, commit):
        return
    pack = source.run(["pack-objects", "--revs", "--stdout", "--quiet"], f"{commit}\n".encode())
    target.run(["index-pack", "--stdin", "--strict"], pack)


def _move_ref(side: _Side, commit: str | None) -> None:
    """Point the side's ref at `commit` (None: nowhere), its damaged file moved aside first."""
    path = side.folder / side.ref
    if path.exists():
        side.set_aside(path)
    if commit:
        side.run(["update-ref", "-m", "nocturne: repair", side.ref, commit])
        # Entries for commits that are gone would make every later `git fsck` complain.
        keep = ("--expire=never", "--expire-unreachable=never")
        side.attempt("reflog", "expire", "--stale-fix", *keep, side.ref)
    else:
        side.attempt("update-ref", "-d", side.ref)  # a packed copy of it, if there is one
