"""The jail that bubblewrap makes (https://github.com/containers/bubblewrap, 0.6 and later)."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from evaluator.errors import UserError
from evaluator.jail import install
from evaluator.jail.file_system import FileSystem
from evaluator.jail.launch import Launch
from evaluator.jail.limits import ProcessLimits
from evaluator.jail.memory_file import memory_file
from evaluator.jail.mounts import Mount, covers, mounts, uncovered
from evaluator.jail.seccomp import program

_ALWAYS = (
    *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
    *("--unshare-cgroup-try", "--cap-drop", "ALL", "--die-with-parent", "--new-session"),
    *("--hostname", "jail"),
)
_MANY = 20  # covers that bubblewrap makes by itself as quickly
# Fills the working folder, and goes where the command is to begin: FOLDER SOURCE PLACE ... -- COMMAND. No Python need
# be in sight.
_FILL = """
folder=$1
shift
while [ "$1" != -- ]; do
  /bin/cp -RP --preserve=mode,timestamps "$1/." "$2" 2>/dev/null || /bin/cp -RP "$1/." "$2" || exit 126
  shift 2
done
shift
cd -- "$folder" || exit 126
exec "$@"
"""
_FILLED_FROM = "/.tree"  # where its sources stand in the jail, read-only
_LEFT_BY_SHELLS = ("PWD", "OLDPWD", "SHLVL", "_")
_STAGE = (sys.executable, "-I", "-S", "-B", str(Path(__file__).with_name("stage.py")))
_WHERE_KNOWN = ("--disable-userns", "--size")


@dataclass(frozen=True)
class Bubblewrap:
    """bubblewrap at the path `bwrap`. `options` are those of `--disable-userns` and `--size` that it takes.

    Before 0.8 the first is missing: the system call filter refuses user namespaces by itself then. Before
    0.7 the second is missing, and nothing replaces it: a tmpfs then holds half of the machine's memory, and
    only `ProcessLimits.file_bytes` bounds a single file. `holds_quota` tells.

    bubblewrap itself gets an empty environment, and its options and the variables of the command in a file
    without a name, since /proc/1 shows both the environment and the command line of bubblewrap in the jail.

    bubblewrap's process 1 asks to die with its parent only once the file system stands. So whoever kills a
    jail that may be younger than 0.1 seconds stops what was launched first (SIGSTOP), and then kills it
    together with its child: killed alone it would leave that child behind.
    """

    bwrap: str
    options: frozenset[str]
    name: ClassVar[str] = "bubblewrap"
    in_place: ClassVar[bool] = False
    processes: ClassVar[int] = 2  # who waits outside, and process 1 inside
    variables: ClassVar[Mapping[str, str]] = {}
    gaps: ClassVar[tuple[str, ...]] = ()

    @property
    def holds_quota(self) -> bool:
        """Whether scratch, /tmp and /dev/shm are kept to their size."""
        return "--size" in self.options

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
        many = len(file_system.hidden) + len(file_system.replaced) > _MANY
        staged = covers(file_system) if many and _stage_works() else ()
        steps = mounts(uncovered(file_system) if staged else file_system)
        _refuse_null((str(folder), *env, *env.values(), *(step.source + step.target for step in steps)))
        fills = [step for step in steps if step.kind == "fill"]
        own: list[int] = []
        # A folder of the tree is there once that is filled.
        words = [*_ALWAYS, *(self.options - {"--size"}), "--chdir", "/" if fills else str(folder)]
        rules = program(bound=bool(limits.cores), alone=limits.alone)
        if rules:
            own.append(memory_file(rules))
            words += ["--seccomp", str(own[-1])]
        for step in steps:
            words += self._words(step, own)
        for variable, value in env.items():
            words += ["--setenv", variable, value]
        own.append(memory_file(b"".join(os.fsencode(word) + b"\0" for word in words)))
        inside = (*_filled(fills, folder), *_without_pwd(env), *command)
        argv = (self.bwrap, "--args", str(own[-1]), "--", *inside)
        if staged:
            own.append(memory_file(json.dumps(staged).encode()))
            argv = (*_STAGE, str(own[-1]), *argv)
        return Launch(argv=argv, env={}, fds=(*fds, *own), own=tuple(own), limits=limits)

    def _words(self, mount: Mount, own: list[int]) -> Iterator[str]:
        match mount.kind:
            case "bind":
                yield from ("--ro-bind", mount.source, mount.target)
            case "bind_rw":
                yield from ("--bind", mount.source, mount.target)
            case "device":
                yield from ("--dev-bind", mount.source, mount.target)
            case "tmpfs":
                size = ("--size", str(mount.size)) if self.holds_quota else ()
                yield from (*size, "--perms", f"{mount.mode:04o}", "--tmpfs", mount.target)
            case "folder":
                yield from ("--perms", "0755", "--dir", mount.target)
            case "link":
                yield from ("--symlink", mount.source, mount.target)
            case "file":
                own.append(memory_file(mount.source.encode()))
                yield from ("--perms", "0444", "--file", str(own[-1]), mount.target)
            case "told":
                own.append(memory_file(mount.source.encode()))
                yield from ("--perms", "0444", "--ro-bind-data", str(own[-1]), mount.target)
            case "fill":
                yield from ("--ro-bind", mount.source, _seen_at(mount.source))
            case "proc" | "dev":
                yield from (f"--{mount.kind}", mount.target)
            case "seal":
                yield from ("--remount-ro", mount.target)
            case _:
                raise ValueError(f"{mount.kind}: no such kind of mount")


def find_bubblewrap() -> Bubblewrap | None:
    """Return the bubblewrap of this machine (see `install.find`) and what it can do; None if there is none."""
    path = install.find()
    if path is None:
        return None
    try:
        done = subprocess.run([path, "--help"], env={}, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"{path}: can't be run: {error}; reinstall the package bubblewrap") from None
    known = frozenset(option for option in _WHERE_KNOWN if f" {option} " in done.stdout + done.stderr)
    if Path(path).stat().st_mode & stat.S_ISUID and os.geteuid() != 0:
        known = frozenset()  # installed setuid root, it refuses both
    return Bubblewrap(path, known)


@functools.cache
def _stage_works() -> bool:
    """Whether Python may make the namespaces that stage.py needs; Ubuntu allows them to bubblewrap alone."""
    nothing = memory_file(b"[]")
    try:
        trial = [*_STAGE, str(nothing), "/bin/sh", "-c", "exit 7"]
        return (
            subprocess.run(trial, env={}, pass_fds=(nothing,), capture_output=True, timeout=20).returncode
            == 7
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    finally:
        os.close(nothing)


def _refuse_null(words: Iterable[str]) -> None:
    if any("\0" in word for word in words):
        raise ValueError("no path and no variable of a jail can hold a null character")


def _seen_at(source: str) -> str:
    """Return where a source of the working folder stands in the jail."""
    return f"{_FILLED_FROM}{hashlib.sha256(os.fsencode(source)).hexdigest()[:8]}"


def _filled(fills: Sequence[Mount], folder: Path) -> tuple[str, ...]:
    """Return the words that fill the working folder, and go on with those behind them in `folder`."""
    if not fills:
        return ()
    # The last first: cp replaces what is there, and what the first of them holds is to stay.
    pairs = [word for fill in reversed(fills) for word in (_seen_at(fill.source), fill.target)]
    return ("/bin/sh", "-c", _FILL, "sh", str(folder), *pairs, "--")


def _without_pwd(env: Mapping[str, str]) -> tuple[str, ...]:
    """bubblewrap always sets PWD, and shells more: what puts them right before the command starts."""
    words = ["/usr/bin/env"]
    for name in _LEFT_BY_SHELLS:
        words += [f"{name}={env[name]}"] if name in env else ["-u", name]
    first = [word for word in words[1:] if "=" not in word]
    return (words[0], *first, *(word for word in words[1:] if "=" in word))
