"""How a process is started in a jail, and what each kind of jail can do."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from evaluator.jail.file_system import FileSystem
from evaluator.jail.limits import ProcessLimits


@dataclass(frozen=True)
class Launch:
    """How to start a process in its jail: for `subprocess.Popen(argv, env=env, pass_fds=fds, cwd=folder)`.

    `fds` are all descriptors to pass, the caller's own among them under their own numbers; `own` are those
    that the jail made, to be closed by `close` once the process was started. `folder` is None if the jail
    goes to its folder by itself. `leaves` are folders on the disk, to be put away
    (`in_place.put_away`) when the jail has ended. A command that a signal ended inside a jail is seen outside as
    the exit code 128 + signal. All of a jail ends with what was launched, and that with the thread that launched it.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    fds: tuple[int, ...]
    own: tuple[int, ...] = ()
    folder: Path | None = None
    leaves: tuple[Path, ...] = ()
    limits: ProcessLimits = field(default_factory=ProcessLimits)

    def in_new_process(self) -> None:
        """Set the limits: to be called between fork and exec, by what is given to Popen as `preexec_fn`."""
        self.limits.impose()

    def close(self) -> None:
        """Close the jail's own descriptors; once, after the process was started or could not be."""
        for each in self.own:
            os.close(each)


class Jail(Protocol):
    """One way to start a process in a jail. `name` stands in every score: bubblewrap, landlock or none."""

    @property
    def name(self) -> str: ...

    @property
    def in_place(self) -> bool:
        """Whether paths mean the same inside and outside: the working and the scratch folder are then plain folders
        that the jail makes on the disk."""
        ...

    @property
    def processes(self) -> int:
        """How many processes the jail itself takes, beside those of the command: none without a jail."""
        ...

    @property
    def variables(self) -> Mapping[str, str]:
        """What must stand in the environment of a command besides its own."""
        ...

    @property
    def gaps(self) -> tuple[str, ...]:
        """What it leaves open that another jail closes, in a sentence each."""
        ...

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
        """Return how to start `command` with exactly the environment `env`, in `folder`, seeing `file_system`."""
        ...
