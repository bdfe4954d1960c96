"""Which names the source files of a commit mention."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bot.base.process import ProcessFailed
from bot.git import Git

# Endings of the files in which a name is read; data and texts only mention it.
_SOURCES = (
    "py", "pyx", "pyi", "sh", "bash", "zsh", "mk", "c", "h", "cc", "cpp", "cxx", "hh", "hpp", "cu", "cuh", "cl", "m",
    "mm", "rs", "go", "java", "kt", "cs", "js", "mjs", "ts", "jl", "zig", "r", "R", "lua", "cmake", "metal",
)  # fmt: skip
_TIMEOUT = 60.0  # seconds


def mentioned(
    git: Git, commit: str, names: Collection[str], *, without: Sequence[str] = (), also: Sequence[str] = ()
) -> frozenset[str]:
    """Return which of `names` stand as whole words in the source files of `commit` and in the files `also`, those
    in `without` left out."""
    if not names:
        return frozenset()
    words = [word for name in sorted(names) for word in ("-e", name)]
    paths = [f":(top,glob)**/*.{suffix}" for suffix in _SOURCES] + [":(top,glob)**/Makefile"]
    paths += [f":(top,literal){path}" for path in also if path and not path.startswith(("/", "-", "../"))]
    paths += [f":(top,exclude,literal){path}" for path in without]
    command = ["grep", "--no-color", "-I", "-h", "-o", "-w", "-F", *words, commit, "--", *paths]
    try:
        said = git.run(command, timeout=_TIMEOUT)
    except ProcessFailed as error:
        if error.returncode == 1:  # no match
            return frozenset()
        if error.returncode is None:  # too much to look through: nothing speaks against any name
            return frozenset(names)
        raise
    return frozenset(said.decode(errors="replace").split()) & frozenset(names)
