"""How far the run in hand is, in a small file beside its results, for `nocturne watch` in another terminal.

Only this machine's runs can be seen so, and nothing rests on it: a file that is missing or broken is no progress.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bot.base.pace import Pace
from bot.base.whole import written
from bot.rules.bounds import measurable

FILE = "progress.json"
POINTS = 60  # of the curve
EVERY = 1.0  # seconds between two writes
STALE = 120.0  # seconds without a word, after which a run is not one in hand any more


@dataclass(frozen=True)
class Progress:
    """The run in hand: what it is, which part of its budget is used, and the training losses so far."""

    run: str
    title: str
    fraction: float = 0.0
    seconds_left: float | None = None
    """About how many seconds of training are left by the clock on the wall, None if nobody can tell."""
    losses: tuple[float, ...] = ()
    is_scoring: bool = False


class ProgressFile:
    """Writes the progress of one run into its folder below `runs`, at most once a second."""

    def __init__(self, runs: Path, run: str, title: str) -> None:
        self._path = runs / run / FILE
        self._now = Progress(run, title)
        self._pace = Pace()
        self._written = 0.0

    def take(self, event: Mapping[str, Any]) -> None:
        """Take one of the evaluator's events. What can't be written is left out."""
        loss = event.get("loss")
        more = (float(loss),) if measurable(loss) else ()
        losses = self._now.losses + more
        if len(losses) > POINTS:  # each second one: the whole way stays in sight
            losses = losses[::2]
        fraction, is_scoring = event.get("fraction"), event.get("event") == "scoring"
        done = float(fraction) if measurable(fraction) else self._now.fraction
        left = None if is_scoring else self._pace.left(done)
        self._now = Progress(self._now.run, self._now.title, done, left, losses, is_scoring)
        if time.monotonic() >= self._written + EVERY or self._now.is_scoring:
            self._written = time.monotonic()
            with suppress(OSError), written(self._path) as file:
                file.write(json.dumps(asdict(self._now)).encode())

    def end(self) -> None:
        """The run is over."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def progress_of(runs: Path) -> Progress | None:
    """Return the progress of the run in hand on this machine, None if there is none."""
    newest: tuple[float, Path] | None = None
    with suppress(OSError):
        for entry in os.scandir(runs):
            with suppress(OSError):
                path = Path(entry.path) / FILE
                at = path.stat().st_mtime
                newest = max(newest or (at, path), (at, path))
    if newest is None or time.time() - newest[0] > STALE:
        return None
    try:
        said = json.loads(newest[1].read_text())
        return Progress(**{**said, "losses": tuple(map(float, said["losses"]))[-POINTS:]})
    except (OSError, ValueError, TypeError, KeyError):
        return None
