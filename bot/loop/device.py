"""One trainer per GPU: loops on one machine take turns, and do other work while they wait."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from bot.errors import UserError
from bot.git.file_lock import try_lock
from bot.loop.machine import gpu_ids
from bot.rules.experiment import Experiment

OnEvent = Callable[[Mapping[str, Any]], object]


class Meanwhile(Protocol):
    """What else is done while a run trains, a piece at a time."""

    def __call__(self) -> bool:
        """Do a piece of it; False if nothing is left to do for now."""
        ...

    def first(self, experiment: Experiment, act: Callable[[Experiment], object]) -> None:
        """Let this be done for an experiment before all else when the next run has begun, unless it has come further
        by then."""
        ...


_PAUSE = 0.2  # seconds between two looks at a device that another run has


@contextmanager
def alone_on_gpus(on_event: OnEvent, meanwhile: Meanwhile | None) -> Iterator[tuple[int, ...]]:
    """Hold the GPUs that this process sees, once no other run of this user has them; the files that are locked.

    Whoever inherits the files holds the GPUs too: they are free once all that do are gone, however these end. A
    machine without GPUs has nothing to hold.
    """
    held: list[int] = []
    try:
        for name in gpu_ids():
            held.append(_lock_file(name))
            while not try_lock(held[-1]):
                on_event({"event": "waiting", "why": "another run has the GPU"})
                if meanwhile is None or not meanwhile():
                    time.sleep(_PAUSE)
        yield tuple(held)
    finally:
        for handle in held:
            os.close(handle)


def _lock_file(name: str) -> int:
    """Raises UserError if the file can't be opened, as if the folder is another user's."""
    folder = Path(tempfile.gettempdir(), f"nocturne-gpus-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        return os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UserError(
            f"{folder}: GPUs can't be locked there ({error.strerror}): delete it, or set TMPDIR"
        ) from None
