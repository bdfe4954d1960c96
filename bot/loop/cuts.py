"""Where the secret of the cuts lies, and what runs lost at them: targets that no run is ever shown (`evaluator.cuts`).

The evaluator wants a folder with the key and the losses of the runs to compare with, and leaves a run's own there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Cuts(Protocol):
    """The secret of a campaign's cuts, wherever it is kept."""

    def are_asked(self) -> bool:
        """Whether there is a secret at all."""
        ...

    def folder(self, run: str, others: Sequence[str], scratch: Path) -> AbstractContextManager[Path]:
        """Give the evaluator's folder for `run`, which is compared with the runs `others`. `scratch` is a folder that
        lives as long as the run. Raises `UserError` if nothing can be written."""
        ...


@dataclass(frozen=True)
class CutsOfClone:
    """A secret that the evaluator draws in a clone's own git folder, at `place`, and keeps there."""

    place: Path

    def are_asked(self) -> bool:
        """See `Cuts`."""
        return True

    @contextmanager
    def folder(self, run: str, others: Sequence[str], scratch: Path) -> Iterator[Path]:
        """See `Cuts`."""
        yield self.place


class NoCuts:
    """No secret: says `why` once, when the first run would have asked for it."""

    def __init__(self, why: str, note: Callable[[str], object]) -> None:
        self._why, self._note, self._said = why, note, False

    def are_asked(self) -> bool:
        """See `Cuts`."""
        if not self._said:
            self._note(self._why)
        self._said = True
        return False

    def folder(self, run: str, others: Sequence[str], scratch: Path) -> AbstractContextManager[Path]:
        """See `Cuts`. Nobody calls it: there is nothing to ask."""
        raise ValueError(self._why)
