"""What a run may have left behind: processes, mounts, files, changes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import site
import sysconfig
from collections.abc import Iterator
from pathlib import Path

_SHARED = ("/tmp", "/var/tmp", "/dev/shm", "/run")


def of_processes(*words: str) -> Iterator[str]:
    """Yield each process of the machine, but this one, that has a word in its command line, environment or
    working directory."""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            known = (process / "cmdline").read_bytes()
            with contextlib.suppress(OSError):
                known += (process / "environ").read_bytes() + os.fsencode((process / "cwd").readlink())
            if any(os.fsencode(word) in known for word in words):
                yield f"process {process.name}: {known[:200]!r}"


def of_mounts(*words: str) -> Iterator[str]:
    """Yield each mount that has a word in its line."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if any(word in line for word in words):
            yield f"mount {line}"


def of_files(marker: str, *folders: Path) -> Iterator[str]:
    """Yield each file with `marker` in its name: anywhere in `folders`, and where everybody may write; and
    files that Python reads when it starts, with `marker` in them."""
    for folder in folders:
        yield from (str(path) for path in folder.rglob(f"*{marker}*"))
    everybodys = (*_SHARED, str(Path.home()), sysconfig.get_paths()["stdlib"], *site.getsitepackages())
    for shared in map(Path, everybodys):
        with contextlib.suppress(OSError):
            yield from (str(path) for path in shared.glob(f"*{marker}?*"))
        for name in ("sitecustomize.py", "usercustomize.py"):
            with contextlib.suppress(OSError):
                if marker in (shared / name).read_text():
                    yield str(shared / name)


def fingerprint(folder: Path) -> dict[str, str]:
    """Return kind, mode and content of everything in `folder`."""
    found = {}
    for path in sorted(folder.rglob("*")):
        stat = path.lstat()
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            content = ""
        found[str(path.relative_to(folder))] = f"{stat.st_mode:o} {content}"
    return found
