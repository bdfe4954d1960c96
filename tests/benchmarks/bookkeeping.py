"""What an experiment costs beside its training: CPU seconds, git processes and pushes, on the local forge.

    python -m tests.benchmarks.bookkeeping [--experiments 12] [--list]

Beside it stands a loop of three plain git commits per experiment, the least that such a ledger could cost.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bot.repositories import events, git, make_repository

# Runs `nocturne WORDS` in process and notes what each child took, to tell the evaluator's time from ours.
_DRIVER = """
import json, os, resource, subprocess, sys
taken = []
def try_wait(self, flags):
    try:
        pid, status, used = os.wait4(self.pid, flags)
    except ChildProcessError:
        return self.pid, 0
    if pid == self.pid:
        command = self.args if isinstance(self.args, str) else " ".join(map(str, self.args))
        taken.append((command, used.ru_utime + used.ru_stime))
    return pid, status
subprocess.Popen._try_wait = try_wait
from bot.commands.cli import main
began = resource.getrusage(resource.RUSAGE_SELF)
code = main(sys.argv[2:])
used = resource.getrusage(resource.RUSAGE_SELF)
own = used.ru_utime + used.ru_stime - began.ru_utime - began.ru_stime
json.dump({"own": own, "children": taken, "start": began.ru_utime + began.ru_stime}, open(sys.argv[1], "w"))
sys.exit(code)
"""


def run_campaign(folder: Path, experiments: int) -> tuple[dict[str, float], list[list[str]]]:
    """Run a campaign; return its CPU seconds by who took them, and the words of every git process of it."""
    repository = make_repository(folder / "repository")
    home, told, traces = folder / "home", folder / "told.json", folder / "traces"
    for made in (home, traces):
        made.mkdir()
    # https://git-scm.com/docs/api-trace2: every git process tells, those that git starts itself too.
    (home / ".gitconfig").write_text(f"[trace2]\n\teventTarget = {traces}\n")
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    subprocess.run(
        [sys.executable, "-c", _DRIVER, str(told), "run", "-n", str(experiments)],
        cwd=repository, env=env | {"HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2])}, check=True,
        capture_output=True, timeout=1200,
    )  # fmt: skip
    found = json.loads(told.read_text())
    seconds = {"start": found["start"], "own": found["own"], "git": 0.0, "evaluator": 0.0}
    for command, used in found["children"]:
        seconds["git" if command.startswith("git ") else "evaluator"] += used
    commands = []
    for trace in sorted(traces.iterdir()):
        said = (json.loads(line) for line in trace.read_text().splitlines())
        commands += [each["argv"] for each in said if each["event"] == "start"]
    done = sum(
        event["kind"] == "experiment_finished" for event in events(repository, ref=_ledger(repository))
    )
    assert done == experiments, f"{done} of {experiments} experiments came to an end"
    return seconds, commands


def _ledger(repository: Path) -> str:
    return git(repository, "for-each-ref", "--format=%(refname)", "refs/remotes/nocturne/ledger")


def plain_loop(folder: Path, experiments: int) -> float:
    """Return the CPU seconds of a loop that commits each experiment's change, run and verdict with git."""
    repository = make_repository(folder / "plain")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for number in range(experiments):
        for name, text in (
            ("train.py", f"LEARNING_RATE = {number}\n"),
            ("runs.jsonl", json.dumps({"experiment": number, "score": 1.0}) + "\n"),
            ("verdicts.jsonl", json.dumps({"experiment": number, "verdict": "discarded"}) + "\n"),
        ):
            with (repository / name).open("a") as file:
                file.write(text)
            git(repository, "add", name)
            git(repository, "commit", "--quiet", "--message", f"Experiment {number}: {name}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def kind_of(words: list[str]) -> str:
    """Return the verb of a git command line."""
    rest = iter(words[1:])
    for word in rest:
        if word in ("-c", "-C"):
            next(rest)
        elif not word.startswith("-"):
            return word
    return "git"


def main() -> int:
    parser = argparse.ArgumentParser(description="What the bookkeeping of an experiment costs.")
    parser.add_argument("--experiments", type=int, default=12)
    parser.add_argument("--list", action="store_true", help="say how often each git command was started")
    options = parser.parse_args()
    count = options.experiments
    with tempfile.TemporaryDirectory(prefix="nocturne-bookkeeping-") as scratch:
        seconds, commands = run_campaign(Path(scratch), count)
        plain = plain_loop(Path(scratch), count)
    verbs = collections.Counter(map(kind_of, commands))
    ours = seconds["own"] + seconds["git"]
    print(f"{count} experiments on the local forge, with their start and the baseline, per experiment:")
    print(f"  bookkeeping       {ours / count:6.2f} s of CPU"
          f" ({seconds['own'] / count:.2f} s ours, {seconds['git'] / count:.2f} s of git)")  # fmt: skip
    print(f"  git processes     {len(commands) / count:6.1f}, those that git itself starts included")
    print(f"  pushes            {verbs['push'] / count:6.1f}")
    print(f"  three git commits {plain / count:6.2f} s of CPU, the plain loop")
    print(
        f"  outside: imports {seconds['start']:.2f} s once, evaluator {seconds['evaluator'] / count:.2f} s each"
    )
    if options.list:
        for verb, number in verbs.most_common():
            print(f"  {number / count:7.1f}  {verb}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
