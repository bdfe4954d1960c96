"""An append-only tree of files kept in one ref of the remote, changed by commits pushed without force."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TypeVar

from bot.base.process import ProcessFailed
from bot.errors import NotAllowed, UserError
from bot.git import Damaged, Git, RefUpdate
from bot.git.command import Locked, git_output
from bot.git.file_lock import alone
from bot.git.repair import drop_stale_locks, fetch_again, outlast_locks
from bot.git.transfer import tracking_ref

ATTEMPTS = 60
_LOCK_PATIENCE = 20.0  # seconds to wait for another process of this machine before racing it
_PAUSE = 0.02  # seconds before the second attempt; it doubles up to _LONGEST_PAUSE
_LONGEST_PAUSE = 1.0
Files = Mapping[str, "bytes | None"]
T = TypeVar("T")


@dataclass(frozen=True)
class Snapshot:
    """The tree as it was at `commit` (None: nothing was ever written). `notes` are for the human."""

    commit: str | None
    git: Git = field(repr=False, compare=False)
    notes: tuple[str, ...] = ()

    def read(self, path: str) -> bytes | None:
        """Return the content of `path`, None if there is none."""
        return self.git.read_blob(self.commit, path) if self.commit else None

    def read_many(self, paths: Sequence[str]) -> dict[str, bytes | None]:
        """Return the contents of several paths in one go."""
        return self.git.read_blobs(self.commit, paths) if self.commit else dict.fromkeys(paths)


class Records:
    """The tree in `ref` of `remote`. Any number of processes and machines may write at once."""

    def __init__(self, git: Git, remote: str, ref: str) -> None:
        self.git = git
        self.remote = remote
        self.ref = ref
        self._lock_name = ref.replace("/", "-") + ".lock"
        self._notes: list[str] = []
        self._checked = False
        self._was_here = False
        self._latest: Snapshot | None = None

    def read(self, look: Callable[[Snapshot], T], *, again: bool = True) -> T:
        """Return what `look` says of the tree as it is on the remote now.

        With `again` False that is the tree as it was last read or written here. If `look` meets damage, the tree is
        fetched anew and looked at once more. Raises `UserError` if that does not help, and `RemoteUnreachable`.
        """
        troubles = 0
        while True:
            try:
                return look(self._load() if again or self._latest is None else self._latest)
            except Damaged as error:
                troubles += 1
                self._fix(error, troubles)

    def update(
        self,
        change: Callable[[Snapshot], Files | None],
        message: str | Callable[[], str],
        *,
        attempts: int = ATTEMPTS,
    ) -> Snapshot:
        """Write what `change` returns for the newest tree; call it again if somebody else wrote first.

        `change` returns {path: content}, None as content deletes, and None or {} is nothing to do. A callable
        `message` is asked after `change`. Returns the tree that holds the change. Raises `UserError` if it cannot
        be written.

        The first attempt builds on what was last seen and asks nobody before it pushes: that goes through
        only if nobody else wrote since. "Nothing to do" is believed of the newest tree alone.
        """
        with alone(self.git.common_dir / "nocturne" / self._lock_name, _LOCK_PATIENCE):
            attempt = troubles = 0
            while attempt < attempts:
                try:
                    done = self._try(change, message)
                except Damaged as error:
                    troubles += 1
                    self._fix(error, troubles)
                    continue
                if done is not None:
                    return done
                self._latest, troubles = None, 0
                # Being late again and again without anybody writing is a lock that a crash left behind.
                if attempt % 5 == 4:
                    self._notes += drop_stale_locks(self.git, self.remote)
                time.sleep(min(_LONGEST_PAUSE, _PAUSE * 2**attempt) * (0.5 + random.random()))
                attempt += 1
        raise UserError(
            f"could not write {self.ref} in {attempts} attempts: others write without pause, or a lock file"
            " was left in the remote's refs folder: run again in a minute"
        )

    def _fix(self, error: Damaged, times: int) -> None:
        """Put right what an attempt has met, as far as that is possible; the third time in a row it is told."""
        self._latest = None
        self.git.look_again()
        said = str(error)
        try:
            if isinstance(error, Locked):
                self._notes += outlast_locks(self.git, self.remote)
            else:
                self._notes.append(fetch_again(self.git, self.remote, self.ref, said))
        except Damaged as further:
            said, times = str(further), 3
        if times >= 3:
            raise UserError(
                f"{self.ref} cannot be read, nor fetched from the remote ({said}): restore it from another clone, or"
                f" see `git fsck` in {self.git.common_dir}"
            )

    def take_notes(self) -> tuple[str, ...]:
        """Return what has been repaired since this was last asked, as sentences for the human."""
        notes, self._notes = tuple(dict.fromkeys(self._notes)), []
        return notes

    def _load(self) -> Snapshot:
        commit = self.git.fetch(self.remote, [self.ref]).get(self.ref)
        if commit is None and (self._was_here or not self._checked):
            self._miss()
        self._checked = True
        self._was_here = commit is not None
        self._latest = Snapshot(commit, self.git, tuple(self._notes))
        return self._latest

    def _miss(self) -> None:
        """The remote has no such ref: see whether it was damaged, or deleted under our copy of it."""
        there = self.git.remote_path(self.remote)
        if there is not None and (there / self.ref).exists():
            raise Damaged(f"{self.ref} of the remote cannot be read")
        ours = tracking_ref(self.ref)
        copy = self.git.resolve(ours)
        if copy is None:
            return
        kept = f"refs/nocturne/lost/{self.ref.rpartition('/')[2]}-{copy[:12]}"
        self.git.store.move({kept: (None, copy), ours: (copy, None)}, "nocturne: kept")
        self._notes.append(
            f"the remote no longer has {self.ref}: starting a new one; the last copy is kept as {kept}"
        )

    def _try(
        self,
        change: Callable[[Snapshot], Files | None],
        message: str | Callable[[], str],
    ) -> Snapshot | None:
        """Make one attempt; None if somebody else was first.

        It goes on top of what was last seen here. What `change` objects to there may have been put right by others
        meanwhile, and that nothing is to be done is believed of the newest tree alone.
        """
        now, files = self._latest, None
        try:
            files = change(now) if now is not None else None
        except Exception:
            now = None
        if now is None or not files:
            seen, now = now, self._load()
            files = change(now) if seen is None or seen.commit != now.commit else None
            if not files:
                return now
        text = message if isinstance(message, str) else message()
        commit = self.git.commit_files(now.commit, files, text, datetime.now(timezone.utc))
        result = self.git.push(self.remote, [RefUpdate(self.ref, commit, now.commit)])
        if result.pushed:
            self._was_here = True
            self._tidy(commit)
            self._latest = Snapshot(commit, self.git, tuple(self._notes))
            return self._latest
        if result.rejected == "denied":
            raise NotAllowed(
                f"the remote refuses to move {self.ref} ({result.detail}): allow this user to push"
                " branches whose names begin with nocturne/"
            )
        return None

    def _tidy(self, commit: str) -> None:
        """Let git pack what is ours to pack when it finds that due; asked at every 256th commit or so."""
        if commit.startswith("00"):
            for folder in (self.git.common_dir, self.git.own_remote):
                with suppress(ProcessFailed, Damaged, UserError, OSError):  # what matters has been written
                    git_output([f"--git-dir={folder}", "gc", "--auto", "--quiet"])
