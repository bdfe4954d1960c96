"""What folders take on the disk, looked at a little at a time: no quota holds who writes there."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

_BLOCK = 512  # of st_blocks, whatever the file system's are
_NAME = 1024  # bytes that a name takes at the least, as in memory (`holdings`)
_LOOK_SECONDS = 0.02


class OnDisk:
    """What `folders` hold. A look takes some milliseconds and goes on where the last one ended, since there may be any
    number of files."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._walk = self._sizes()
        self._last = self._now = 0

    def look(self) -> float:
        """Return the MiB that were there when all of it was looked through last, or more if more was found since."""
        until = time.monotonic() + _LOOK_SECONDS
        for size in self._walk:
            self._now += size
            if time.monotonic() > until:
                return max(self._last, self._now) / 2**20
        self._last, self._now, self._walk = self._now, 0, self._sizes()
        return self._last / 2**20

    def _sizes(self) -> Iterator[int]:
        waiting = [str(each) for each in self._folders]
        while waiting:
            try:
                entries = os.scandir(waiting.pop())
            except OSError:  # it is gone, here and below
                continue
            with entries:
                for entry in entries:
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except OSError:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    yield max(status.st_blocks * _BLOCK, _NAME)
