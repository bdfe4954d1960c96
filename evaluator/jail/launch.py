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
    goes to its folder by itself. A command that a signal ended inside a jail is seen outside as the exit code
    128 + signal. All of a jail ends with what was launched, and that with the thread that launched it.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    fds: tuple[int, ...]
    own: tuple[int, ...] = ()
    folder: Path | None = None
    limits: ProcessLimits = field(default_factory=ProcessLimits)

    def in_new_process(self) -> None:
        """Set the limits: to be called between fork and exec, by what is given to Popen as `preexec_fn`."""
        self.limits.impose()

    def close(self) -> None:
        """Close the jail's own descriptors; once, after the process was started or could not be."""
        for each in self.own:
            os.close(each)


class Jail(Protocol):
    """One way to start a process in a jail. `name` stands in every score: bubblewrap or none."""

    @property
    def name(self) -> str: ...

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
