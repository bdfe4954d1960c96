"""Throw-away repositories with a task that needs no torch: its score is a formula of train.py's constants."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pygit2

from tests import leaks
from tests.bot import in_process
from tests.bot.storage import started

TRAIN = """\
LEARNING_RATE = 0.001
BATCH_SIZE = 64
WEIGHT_DECAY = 0.1
DROPOUT = 0.2
WARMUP_RATIO = 0.1
ACTIVATION = "gelu"  # gelu, relu2, swiglu
settings = (LEARNING_RATE, BATCH_SIZE, WEIGHT_DECAY, DROPOUT, WARMUP_RATIO, ACTIVATION)
"""
# The best is LEARNING_RATE 0.004, BATCH_SIZE 16, relu2; the rest matters little. Batch sizes above 512 crash.
SCORE = """\
import math, os, random, runpy, sys, time
time.sleep(float(os.environ.get("TASK_SECONDS", "0")))
c = runpy.run_path("train.py")
if c["BATCH_SIZE"] > 512:
    sys.exit("out of memory")
score = 1.0
score += 0.05 * math.log2(c["LEARNING_RATE"] / 0.004) ** 2 / 4
score += 0.02 * math.log2(c["BATCH_SIZE"] / 16) ** 2 / 4
score += 0.01 * (c["ACTIVATION"] != "relu2") + 0.0005 * abs(c["DROPOUT"])
noise = random.Random(f"{os.environ['NOCTURNE_SEED']} {sorted((k, str(v)) for k, v in c.items() if k.isupper())}")
print("METRIC loss=%.6f" % (score + noise.gauss(0, 0.001)))
"""
CONFIG = """\
evaluator:
  kind: command
  command: [python3, score.py]
  metric: {name: loss}
runner: test
"""


def git(folder: Path, *arguments: str) -> str:
    """Run git in `folder` as a test's author and return what it said."""
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Tester"), ("EMAIL", "tester@example.org"))
    }
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], env=os.environ | who, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def make_repository(
    folder: Path, *, config: str = CONFIG, files: Mapping[str, str] | None = None, remote: Path | None = None,
    shared: bool = False,
) -> Path:  # fmt: skip
    """Make a repository with the formula task and one commit. With `remote`, a bare origin too, where the campaign is;
    `shared` if it is at an origin that the test adds."""
    folder.mkdir(parents=True)
    contents = {"train.py": TRAIN, "score.py": SCORE, "program.md": "Lower the loss.\n"}
    named = "remote: origin\n" if shared or remote is not None else ""
    contents |= {".github/nocturne.yml": named + config, **(files or {})}
    for name, text in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    made = started(folder, "Start", pygit2.Signature("Tester", "tester@example.org"))
    if remote is not None:
        pygit2.init_repository(remote, bare=True, initial_head="main")
        made.remotes.create("origin", str(remote))
        made.remotes["origin"].push(["refs/heads/main"])
    return folder


def packed(folder: Path) -> Path:
    """Put the objects of a repository, and those of its local forge, into one file each, and return it: it is copied
    for many tests, and a thousand small files would take longer than what the tests do."""
    for home in (folder / ".git", folder / ".git/nocturne/forge.git"):
        if home.is_dir():
            git(home, "repack", "-a", "-d", "--quiet")
    return folder


def command_line(*words: str) -> list[str]:
    return [sys.executable, "-I", "-m", "bot", *words]


def nocturne(
    folder: Path, *words: str, env: Mapping[str, str] | None = None, code: int = 0, timeout: float = 240,
    process: bool = False,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run one command in `folder`, and see that it ends with `code`. It says it without colours, wherever tests run.

    It runs in the test's own process, unless that is a thread of it, or `process` is what the test is about: then
    `timeout` holds, in seconds.
    """
    plain = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"} | dict(env or {})
    if process or threading.current_thread() is not threading.main_thread():
        done = subprocess.run(
            command_line(*words), cwd=folder, env=plain, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
    else:
        done = in_process.call(command_line(*words), folder, plain)
    leaks.PRINTED.append(done.stdout + done.stderr)
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return done


def status(folder: Path, *words: str) -> dict[str, Any]:
    """Return `nocturne status --json`."""
    answer: dict[str, Any] = json.loads(nocturne(folder, "status", "--json", *words).stdout)
    return answer


def start(folder: Path, *words: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a command in a process group of its own."""
    return subprocess.Popen(
        command_line(*words), cwd=folder, env=os.environ | dict(env or {}), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill -9 the whole process group of a command that `start` started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)


def wait_for(condition: Any, *, seconds: float = 60) -> None:
    """Wait until `condition()` holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.02)


def events(folder: Path, ref: str = "nocturne/ledger", campaign: str = "main") -> list[dict[str, Any]]:
    """Return the ledger's events as git holds them, read without any of our code."""
    tree = pygit2.Repository(folder).revparse_single(ref).peel(pygit2.Tree)
    place = f"{campaign}/events"
    files = _files(tree[place]) if place in tree else iter(())
    return [json.loads(line) for data in files for line in data.splitlines()]


def _files(tree: pygit2.Object) -> Iterator[bytes]:
    """Yield what the files in a tree hold, in git's order."""
    if isinstance(tree, pygit2.Blob):
        yield tree.data
    elif isinstance(tree, pygit2.Tree):
        for entry in tree:
            yield from _files(entry)


def outcome(folder: Path) -> Sequence[tuple[Any, ...]]:
    """Return what a campaign came to, whatever happened on the way: experiments, runs, pulls, merges."""
    told: list[tuple[Any, ...]] = []
    for event in events(folder):
        match event["kind"]:
            case "experiment_proposed":
                told.append(("proposed", event["experiment"], event["hypothesis"]))
            case "pull_opened":
                told.append(("pull", event["experiment"], event["pull"]))
            case "run_finished":
                told.append(("run", event["experiment"], event["replicate"], event["seed"], event["score"]))
            case "experiment_decided":
                told.append(("decided", event["experiment"], event["verdict"], event["effect"]))
            case "experiment_landed":
                told.append(("landed", event["experiment"]))
            case "experiment_finished":
                told.append(("finished", event["experiment"]))
    return told
