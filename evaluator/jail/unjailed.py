"""No jail at all, for machines that can't have one and whose owner said so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from evaluator.jail.view import Launch, Limits, View


@dataclass(frozen=True)
class Unjailed:
    """Starts the command as it is. It sees the machine; only the limits hold. The scratch is a plain folder,
    made here, without a quota, and removed by whoever chose its place."""

    name: ClassVar[str] = "none"

    def launch(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        folder: Path,
        view: View,
        limits: Limits,
        fds: Sequence[int] = (),
    ) -> Launch:
        """See `Jail.launch`."""
        view.scratch.mkdir(parents=True, exist_ok=True)
        return Launch(argv=tuple(command), env=env, fds=tuple(fds), folder=folder, limits=limits)
