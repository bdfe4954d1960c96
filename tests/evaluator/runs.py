"""Small repositories and real runs of the command for the tests."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator import starter_files
from tests.evaluator import forked

EVAL_TOKENS = 2048
STEPS = {"budget": {"kind": "steps", "amount": 3}, "threads": 1, "eval_tokens": EVAL_TOKENS}
CACHE = "nocturne-cache"  # the folder in which all tests of a session keep what was prepared
COMMAND = [sys.executable, "-I", "-m", "evaluator"]


@dataclass(frozen=True)
class Outcome:
    """What one run of the command said."""

    returncode: int
    events: list[dict[str, Any]]
    stderr: str

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]


def starter(folder: Path, replace: Mapping[str, str] | None = None, **constants: object) -> Path:
    """Write the bundled task into `folder` with a very small model; `constants` and `replace` change train.py."""
    starter_files.write(folder, force=False)
    path = folder / "train.py"
    text = path.read_text()
    small = {"DEPTH": 1, "MODEL_DIM": 32, "HEAD_DIM": 16, "BATCH_SIZE": 8}
    for name, value in {**small, **constants}.items():
        text, count = re.subn(rf"(?m)^{name} = [^#\n]*", f"{name} = {value!r}  ", text)
        assert count == 1, name
    for old, new in (replace or {}).items():
        assert old in text, old
        text = text.replace(old, new)
    path.write_text(text)
    return folder


def with_train(folder: Path, text: str) -> Path:
    """Write the bundled task with another train.py."""
    starter_files.write(folder, force=False)
    (folder / "train.py").write_text(text)
    return folder


def prepared(tokens: int | None = EVAL_TOKENS) -> None:
    """Prepare the bundled task, once in a session, whichever worker comes first: to look through a machine for copies
    of held-out text takes half a minute. What was found serves its variants, too."""
    folder = Path(os.environ["XDG_CACHE_HOME"])
    done = folder / f"prepared-{tokens}"
    if folder.name != CACHE or done.exists():
        return
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            subprocess.run(
                [*COMMAND, "prepare", "--settings", "-"], input=json.dumps({"eval_tokens": tokens}), text=True,
                check=True, capture_output=True,
            )  # fmt: skip
            done.touch()


def _prepared_for(repo: Path) -> None:
    """Prepare what a run of this repository needs: nothing if its prepare.py knows no held-out texts, or is none."""
    file = repo / "prepare.py"
    if file.exists() and "def held_out_texts" in file.read_text():
        prepared()


def score(
    repo: Path,
    settings: Mapping[str, Any] | None,
    *more: str,
    env: Mapping[str, str] | None = None,
    python: str = sys.executable,
    prepare: bool = True,
) -> Outcome:
    """Run `score --json` on a repository; not to `prepare` it suits what is refused before it could matter."""
    if prepare:
        _prepared_for(repo)
    words = ["score", str(repo), "--json", *([] if settings is None else ["--settings", "-"]), *more]
    said, place = "" if settings is None else json.dumps(settings), {**os.environ, **(env or {})}
    if python == sys.executable:
        done = forked.run(words, said=said, env=place, timeout=300)
    else:
        done = subprocess.run(
            [python, "-I", "-m", "evaluator", *words], input=said, capture_output=True, text=True, env=place,
            timeout=300, check=False,
        )  # fmt: skip
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(event["v"] == 1 and event["event"] for event in events)
    return Outcome(done.returncode, events, done.stderr)


def start_score(repo: Path, settings: Mapping[str, Any], *more: str) -> subprocess.Popen[bytes]:
    """Start `score` and return at once."""
    _prepared_for(repo)
    file = repo.parent / f"{repo.name}.json"
    file.write_text(json.dumps(settings))
    command = [*COMMAND, "score", str(repo), "--json", "--settings", str(file), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def processes_with(marker: str, *, in_environment: str = "", program: str = "") -> list[int]:
    """Return the processes whose command line holds `marker`, whose environment holds the other text, and whose
    program's path does hold `program`: what makes a jail has the command that it starts in its own command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes()
                named = marker.encode() in line and program.encode() in line.split(b"\0")[0]
                if named and in_environment.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def eventually(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Return whether `true` becomes true in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.05)
    return true()
