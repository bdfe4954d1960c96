"""The kinds of evaluation: `kind: NAME` is what the file NAME.py here does, by being there.

Each has `check(settings, where)`, which raises `UserError` for settings that don't go with it (`where` begins its
message), and `run(job, space, log, say)`, which takes the candidate in `space` to the final event (score or failed).
What needs numpy is imported by `run` alone.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:  # settings ask for the names, and need nothing else
    from evaluator.job import Job, Say
    from evaluator.log import Log
    from evaluator.settings import Settings
    from evaluator.stream import Event
    from evaluator.workspace import Workspace

NAMES = tuple(sorted(found.name for found in pkgutil.iter_modules(__path__)))


class Kind(Protocol):
    """One kind of evaluation."""

    def check(self, settings: Settings, where: str) -> None: ...

    def run(self, job: Job, space: Workspace, log: Log, say: Say) -> Event: ...


def kind_of(name: str) -> Kind:
    """Return the kind of that name, one of `NAMES`."""
    return cast(Kind, importlib.import_module(f"evaluator.kinds.{name}"))
