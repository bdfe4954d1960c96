"""What the running Python needs to be shown in a jail: the interpreter, its library, and site-packages."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from evaluator.jail.mounts import in_system

# Of an installation (venv, pyenv, conda, uv): what runs. Not share, pkgs or envs, which may hold anything.
_PARTS = ("bin", "lib", "lib32", "lib64", "libexec", "include", "ssl", "nvvm", "targets", "pyvenv.cfg")


def python_paths() -> tuple[Path, ...]:
    """Return the existing paths to bind, as few and as narrow as works; none that every jail shows anyway.

    The source trees of editable installations are not among them.
    """
    kept: list[Path] = []
    for path in _wanted():
        if path.exists() and not in_system(path) and not any(path.is_relative_to(each) for each in kept):
            kept.append(path)
    return tuple(kept)


def _wanted() -> Iterator[Path]:
    for prefix in dict.fromkeys((sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)):
        for root in dict.fromkeys((prefix, os.path.realpath(prefix))):
            yield from (Path(root, part) for part in _PARTS)
    for name in ("stdlib", "platstdlib"):
        yield Path(sysconfig.get_path(name))
    for entry in map(Path, sys.path):
        if entry.is_absolute() and entry.name in ("site-packages", "dist-packages"):
            yield entry
    yield from _links(Path(sys.executable))


def _links(path: Path) -> Iterator[Path]:
    """Yield an executable and all that its symbolic links lead through."""
    for _ in range(40):  # as many as the kernel follows
        yield path
        if not path.is_symlink():
            return
        path = Path(os.path.normpath(path.parent / path.readlink()))
