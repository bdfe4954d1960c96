"""Takes one shape from a fresh repository to its first verdict, by the commands that a user types."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.repositories.catalogue import Shape

HERE = Path(__file__).parent
MEASURED = ("improved", "discarded", "inconclusive")  # verdicts that rest on measured runs of both sides
CONFIG = ".github/nocturne.yml"
STEP_SECONDS = 900.0  # when a step is ended: the machine may be shared


@dataclass(frozen=True)
class Outcome:
    """`verdict` is None if there was none; then `said` is the line that it ended with."""

    shape: Shape
    verdict: str | None
    said: str
    seconds: float


class Stuck(Exception):
    """A step ended otherwise than it should; the message says which one, and its last line."""


def lacks(shape: Shape) -> str | None:
    """Return what of the shape's own needs is not on this machine, or None."""
    for need in shape.needs:
        kind, _, name = need.rpartition(":")
        found = importlib.util.find_spec(name) if kind == "module" else shutil.which(name, path=_path())
        if found is None:
            return f"{name} is not installed"
    return None


def attempt(shape: Shape, folder: Path) -> Outcome:
    """Build `shape` in `folder`, see that its script runs, and let Nocturne do one experiment with it."""
    build(shape, folder)
    began = time.monotonic()
    try:
        found, last = _first_verdict(folder, shape)
        said = "" if found in MEASURED else f"the experiment ended as {found}: {last}"
    except Stuck as stuck:
        found, said = "", str(stuck)
    return Outcome(shape, found if found in MEASURED else None, said, time.monotonic() - began)


def build(shape: Shape, folder: Path) -> None:
    """Make the repository as its user has it, with everything typed that is typed after cloning it.

    Raises Stuck if that does not work, or the script does not run by itself: then Nocturne is not to blame.
    """
    repository = folder / "repository"
    shutil.copytree(HERE / "shapes" / shape.name, repository)
    if shape.text:
        shutil.copy(HERE / "common" / "prepare.py", repository)
    if (repository / "gitignore").exists():
        (repository / "gitignore").rename(repository / ".gitignore")
    (folder / "home").mkdir()
    for name, value in (("user.name", "A User"), ("user.email", "user@example.org")):
        do(folder, ["git", "config", "--global", name, value])
    do(folder, ["git", "init", "--quiet", "--initial-branch=main"])
    do(folder, ["git", "add", "--all"])
    do(folder, ["git", "commit", "--quiet", "--message", "Begin"])
    for line in (*shape.before, shape.alone):
        do(folder, ["bash", "-ec", line], outside={"HF_HUB_OFFLINE": "1"})
    do(folder, ["git", "status", "--short"])


def _first_verdict(folder: Path, shape: Shape) -> tuple[str, str]:
    """Type what the README says, and return the experiment's verdict and the last line of the run."""
    do(folder, ["nocturne", "init"])
    if shape.told:
        with (folder / "repository" / CONFIG).open("a") as config:
            config.write("\n" + shape.told)
    if shape.program:
        (folder / "repository" / "program.md").write_text(shape.program + "\n")
    do(folder, ["git", "add", "--all"])
    do(folder, ["git", "commit", "--quiet", "--message", "Add Nocturne"])
    do(folder, ["nocturne", "doctor", "--quick"], pick="red")
    ran = do(folder, ["nocturne", "run", "-n", "1"])
    return verdict(folder, ran), _last(ran)


def verdict(folder: Path, ran: str) -> str:
    """Return the verdict of the one experiment of the repository; `ran` is what the run printed.

    Raises Stuck if there is none, or more than one.
    """
    told = json.loads(do(folder, ["nocturne", "status", "--json"]))
    done = [name for name, count in told["experiments"].items() if count and name not in ("total", "open")]
    if len(done) != 1:
        raise Stuck(f"run -n 1: {_last(ran) or told['experiments']}")
    return str(done[0])


def do(
    folder: Path, words: Sequence[str], *, outside: dict[str, str] | None = None, pick: str | None = None
) -> str:
    """Run one step in the repository and return what it printed; all of it is kept in `log.txt`.

    Raises Stuck if it fails: with the first line that begins with `pick`, else with its last line.
    """
    env = _environment(folder) | (outside or {})
    program = shutil.which(words[0], path=env["PATH"])
    assert program is not None, words[0]
    process = subprocess.Popen(
        [program, *words[1:]], cwd=folder / "repository", env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        printed, _ = process.communicate(timeout=STEP_SECONDS)
        ended = f"exit code {process.returncode}"
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        printed, _ = process.communicate()
        ended = f"ended after {STEP_SECONDS:.0f} s"
    text = printed.decode(errors="replace").replace("\r", "\n")
    shown = " ".join([Path(words[0]).name, *words[1:]])
    with (folder / "log.txt").open("a") as log:
        log.write(f"$ {shown}\n{text}({ended})\n\n")
    if process.returncode:
        picked = (line for line in text.splitlines() if pick and line.startswith(pick))
        raise Stuck(f"{shown}: {next(picked, None) or _last(text) or ended}")
    return text


def _last(text: str) -> str:
    """Return the last line that says anything."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _environment(folder: Path) -> dict[str, str]:
    """Return a plain user's environment: a home of its own, our commands on the path, and no network's settings."""
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TERM", "TMPDIR") if name in os.environ}
    return kept | {
        "PATH": _path(),
        "HOME": str(folder / "home"),
        "OUTSIDE": str(HERE / "outside"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "OMP_NUM_THREADS": "1",
    }


def _path() -> str:
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
