"""No jail at all, for machines that can't have one and whose owner said so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from evaluator.jail.file_system import FileSystem
from evaluator.jail.in_place import lay_out
from evaluator.jail.launch import Launch
from evaluator.jail.limits import ProcessLimits


@dataclass(frozen=True)
class Unjailed:
    """Starts the command as it is. It sees the machine; only the limits hold. The scratch and the working folder
    are plain folders, made here, without a quota, and removed by whoever chose their places. What is placed in
    the working folder is a link there."""

    name: ClassVar[str] = "none"
    in_place: ClassVar[bool] = True
    processes: ClassVar[int] = 0
    variables: ClassVar[Mapping[str, str]] = {}
    gaps: ClassVar[tuple[str, ...]] = ()

    def launch(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        folder: Path,
        file_system: FileSystem,
        limits: ProcessLimits,
        fds: Sequence[int] = (),
    ) -> Launch:
        """See `Jail.launch`."""
        lay_out(file_system)
        return Launch(argv=tuple(command), env=env, fds=tuple(fds), folder=folder, limits=limits)
