"""The newcomer's first hour: types what docs/first-hour.md shows, and writes what the terminal says into the page.

    make first-hour

Each `console` block of the page holds commands after `$ `; what stands between them is written anew, and so are the
minutes in the headings, counted from the first command of the section. Each section has a repository of its own.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.benchmarks.repositories.catalogue import SHAPES
from tests.benchmarks.repositories.trial import HERE as REPOSITORIES
from tests.benchmarks.repositories.trial import build

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/first-hour.md"
BLOCK = re.compile(r"(?P<minute>\*\*Minute )\d+|```console\n(?P<block>.*?)```", re.S)


def argparse_repository(folder: Path) -> None:
    """A script of one's own: settings in argparse, a loss printed at its end."""
    repository = folder / "repository"
    repository.mkdir()
    (folder / "home").mkdir()
    shutil.copy(Path(__file__).with_name("train.py"), repository)
    for line in (
        "git config --global user.name Ann && git config --global user.email ann@example.org",
        "git init --quiet --initial-branch=main && git add -A && git commit --quiet -m 'Fit a line'",
    ):
        subprocess.run(["bash", "-ec", line], cwd=repository, env=_environment(folder), check=True)


def autoresearch_repository(folder: Path) -> None:
    """The shape of autoresearch's port for Macs, so small that a CPU will do."""
    build(next(shape for shape in SHAPES if shape.name == "macos"), folder)


BUILDERS: dict[str, Callable[[Path], None]] = {
    "A script with argparse": argparse_repository,
    "A repository of autoresearch's shape": autoresearch_repository,
}


def section_of(title: str) -> str:
    """Return what the page says below a heading."""
    return PAGE.read_text("utf-8").partition(f"## {title}\n")[2].partition("\n## ")[0]


def commands_of(block: str) -> list[str]:
    """Return the commands of a console block."""
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


def typed(folder: Path, command: str) -> str:
    """Type a command at a terminal of 100 columns without colours, answer yes, and return what is seen."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["bash", "-c", command], cwd=folder / "repository", env=_environment(folder), stdin=theirs, stdout=theirs,
        stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    while True:
        ready, _, _ = select.select([ours], [], [], 1.0)
        try:
            more = os.read(ours, 65536) if ready else b""
        except OSError:  # nobody is at the other end any more
            break
        if more:
            seen += more
            if seen.endswith(b"[y/N] "):
                os.write(ours, b"y\n")
        elif process.poll() is not None:
            break
    os.close(ours)
    process.wait()
    return _plain(seen.decode(errors="replace"), folder)


def replayed(section: str, folder: Path, build_it: Callable[[Path], None]) -> str:
    """Return the text of a section with its blocks and minutes as they are now."""
    build_it(folder)
    began = time.monotonic()

    def again(found: re.Match[str]) -> str:
        if found["minute"]:
            return f"{found['minute']}{int((time.monotonic() - began) / 60)}"
        lines = commands_of(found["block"])
        return "".join(["```console\n", *(f"$ {line}\n{typed(folder, line)}" for line in lines), "```"])

    return BLOCK.sub(again, section)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the sections anew, or those whose titles are given; each is written as soon as it is through."""
    titles = list(sys.argv[1:] if argv is None else argv) or list(BUILDERS)
    for title in titles:
        shown = section_of(title)
        with tempfile.TemporaryDirectory(prefix="hour-") as name:
            again = replayed(shown, Path(name), BUILDERS[title])
        PAGE.write_text(PAGE.read_text("utf-8").replace(shown, again), "utf-8")
        print(f"{title}: done", flush=True)
    return 0


def _environment(folder: Path) -> dict[str, str]:
    """Return a newcomer's environment, without what this machine has set."""
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder / "home"),
        "LANG": "C.UTF-8", "TERM": "dumb", "COLUMNS": "100", "GIT_CONFIG_NOSYSTEM": "1", "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1", "PAGER": "cat", "OUTSIDE": str(REPOSITORIES / "outside"),
    }  # fmt: skip


def _plain(seen: str, folder: Path) -> str:
    """Return what a terminal shows at the end, with a home of its own in the place of this machine's folders."""
    lines = [line.rpartition("\r")[2] for line in seen.replace("\r\n", "\n").splitlines()]
    text = "".join(f"{line.rstrip()}\n" for line in lines if line.strip())  # a line that is gone leaves none
    for there, shown in (
        (folder / "repository", "~/task"),
        (folder / "home", "~"),
        (sys.prefix, "~/nocturne"),
    ):
        text = text.replace(str(there), shown)
    return text


if __name__ == "__main__":
    sys.exit(main())
