"""What a jailed process sees. Paths are the same inside and outside, so that no jail needs to translate them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from evaluator.jail.limits import set_limits


@dataclass(frozen=True)
class Tree:
    """A writable working folder: `place` begins as a copy of the folders `sources`, and is gone with the jail.

    `size` is what they take, in bytes of whole pages: room for that is given besides `View.scratch_bytes`.
    """

    place: Path
    sources: tuple[Path, ...]
    size: int


@dataclass(frozen=True)
class View:
    """The file system of a jail: a read-only system, and nothing else but what is named here.

    `read_only` and `writable` are files and folders bound at their own paths (missing ones are left out, and
    a later one may lie inside an earlier one); `hidden` are files and folders that appear empty, whatever
    holds them, and `replaced` are files (the first of each pair) that appear as others. `scratch` is a
    writable folder of at most `scratch_bytes`, the only place to write besides `writable`, and gone with
    the jail; so are /tmp and /dev/shm, of the same size each. `devices` binds the nodes of GPUs, where there
    are any.

    `tree` is the working folder, of the same size besides what it begins with. `placed` are files and folders
    (the first of each pair) that appear read-only at another path, most often inside `tree`; where `tree` itself
    has something at that path, they are left out. `links` are symbolic links: a place relative to `scratch`, and
    where it leads.
    """

    read_only: tuple[Path, ...]
    scratch: Path
    scratch_bytes: int
    writable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    replaced: tuple[tuple[Path, Path], ...] = ()
    devices: bool = False
    tree: Tree | None = None
    placed: tuple[tuple[Path, Path], ...] = ()
    links: tuple[tuple[str, Path], ...] = ()


@dataclass(frozen=True)
class Limits:
    """Limits that the kernel holds for each process: open files, size of one file, the processor cores that it may
    run on (None: all of ours), and no core dumps."""

    open_files: int = 4096
    file_bytes: int = 1 << 40
    cores: frozenset[int] | None = None


@dataclass(frozen=True)
class Launch:
    """How to start a process in its jail: for `subprocess.Popen(argv, env=env, pass_fds=fds, cwd=folder)`.

    `fds` are all descriptors to pass, the caller's own among them under their own numbers; `own` are those
    that the jail made, to be closed by `close` once the process was started. `folder` is None where the jail
    goes to its folder by itself. A command that a signal ended inside a jail is seen outside as the exit code
    128 + signal. All of a jail ends with what was launched, and that with the thread that launched it.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    fds: tuple[int, ...]
    own: tuple[int, ...] = ()
    folder: Path | None = None
    limits: Limits = Limits()

    def in_new_process(self) -> None:
        """Set the limits: to be called between fork and exec, by what is given to Popen as `preexec_fn`."""
        set_limits(self.limits)

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
        view: View,
        limits: Limits,
        fds: Sequence[int] = (),
    ) -> Launch:
        """Return how to start `command` with exactly the environment `env`, in `folder`, seeing `view`."""
        ...
