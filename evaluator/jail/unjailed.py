"""No jail at all, for machines that can't have one and whose owner said so."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from evaluator.jail.file_system import FileSystem
from evaluator.jail.launch import Launch
from evaluator.jail.limits import ProcessLimits
from evaluator.jail.mounts import is_taken


def _link(place: Path, to: Path) -> None:
    """Make a link, where the working folder has nothing at that place."""
    with contextlib.suppress(FileExistsError, NotADirectoryError):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(os.path.abspath(to))  # noqa: PTH100  (Path.resolve would follow links)


@dataclass(frozen=True)
class Unjailed:
    """Starts the command as it is. It sees the machine; only the limits hold. The scratch and the working folder
    are plain folders, made here, without a quota, and removed by whoever chose their places. What is placed in
    the working folder is a link there."""

    name: ClassVar[str] = "none"

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
        file_system.scratch.mkdir(parents=True, exist_ok=True)
        for name, to in file_system.links:
            _link(file_system.scratch / name, to)
        if file_system.tree is not None:
            place = file_system.tree.place
            for source in reversed(file_system.tree.sources):  # what the first of them holds is to stay
                shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True)
            for source, target in file_system.placed:
                inside = source.exists() and target.is_relative_to(place)
                if inside and not is_taken(str(target.relative_to(place)), file_system.tree.sources):
                    _link(target, source)
        return Launch(argv=tuple(command), env=env, fds=tuple(fds), folder=folder, limits=limits)
