"""How busy the GPU is: what share of the wall trains, and what share trains what could change a verdict.

    python -m tests.benchmarks.night [--mind 20] [--training 30] [--experiments 8] [--scale 1] [--starter]

The mind is a sleep, the training of all rows but the starter's is a sleep in the jail, and GitHub is the one on
loopback, which answers each call after 100 ms. Busy is what lies between the first line of the task's script and its
last (for the starter between its first batch and its score); all else is idle, start-up too. The wall begins with the
first run of experiment 1 and ends with the last run. `--scale` shortens mind and training, and nothing else.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.agents.constants import changes_between, rewrite
from bot.agents.protocol import Question
from bot.loop.context import open_context
from bot.loop.runner import Until, run_loop
from bot.rules.ahead import record_of
from bot.rules.campaign import Campaign
from bot.rules.night import is_useful, run_span
from bot.rules.proposal import Proposal
from bot.tell.display import PlainDisplay
from tests.bot.repositories import SCORE, TRAIN, git, make_repository
from tests.bot.test_github_campaign import PERMISSIONS
from tests.github.server import serve

DELAY = 0.1  # seconds until GitHub answers
WINS = 5  # one experiment in so many is better
CONFIG = """\
evaluator: {kind: command, command: [python3, score.py], metric: {name: loss}, jail: none}
runner: test
"""
STARTER = Path(__file__).parents[2] / "evaluator/starter"
_SLEEP = 'time.sleep(float(os.environ.get("TASK_SECONDS", "0")))'
_ENDS = 'print("METRIC began=%.3f" % began)\nprint("METRIC ended=%.3f" % time.time())\n'


@dataclass(frozen=True)
class Row:
    """What one loop did with its wall, in seconds."""

    name: str
    experiments: int
    runs: int
    wall: float
    busy: float
    useful: float
    more: str = ""

    def __str__(self) -> str:
        busy, useful = (f"{share / self.wall:6.1%}" for share in (self.busy, self.useful))
        each = 3600 * self.experiments / self.wall
        return (
            f"{self.name:<34} {self.experiments:>3} {self.runs:>4} {self.wall:>8.1f} s {busy} {useful}"
            f" {each:>7.1f}  {self.more}"
        )


def sleeping(seconds: float) -> str:
    """Return the task's script, which sleeps and says when it began and ended."""
    return SCORE.replace(_SLEEP, f"began = time.time(); time.sleep({seconds})") + _ENDS


class Sleeper:
    """A mind that sleeps, and turns one constant to what is worse, and now and then another to what is better."""

    def __init__(self, seconds: float, worse: tuple[str, float], better: tuple[str, float]) -> None:
        self.seconds, self.worse, self.better = seconds, worse, better

    def propose(self, question: Question) -> Proposal | None:
        """See `Proposer`."""
        time.sleep(self.seconds)
        name, value = self.better if question.number % WINS == 0 else self.worse
        value *= 1 + question.number / 20
        wanted = {name: f"{value:.6g}" if value < 1 else str(round(value))}
        new = {"train.py": rewrite(question.files["train.py"], wanted)}
        changes = changes_between(question.files, new)
        return Proposal(
            f"Set {wanted}", "other", "Because.", "better", "low", new, changes, proposer="a sleep"
        )


@contextmanager
def repository(config: str, files: dict[str, str]) -> Iterator[tuple[Path, dict[str, str]]]:
    """Give a clone of a repository on the GitHub on loopback, and the environment of a job on it."""
    with (
        tempfile.TemporaryDirectory(prefix="nocturne-night-") as scratch,
        serve(Path(scratch, "github")) as github,
    ):
        models = github.repository("octo/models", private=True, default_branch="main")
        token = github.token(
            "github-actions[bot]", kind="workflow", repository=models, permissions=PERMISSIONS
        )
        top = make_repository(Path(scratch, "clone"), config=config, files=files, shared=True)
        git(top, "push", "--quiet", str(models.path), "main")
        git(top, "remote", "add", "origin", f"{github.server_url}/octo/models.git")
        github.delay = DELAY
        yield top, {
            "GITHUB_API_URL": github.api_url, "GITHUB_SERVER_URL": github.server_url,
            "GITHUB_REPOSITORY": "octo/models", "GITHUB_TOKEN": token,
        }  # fmt: skip


def campaign(
    name: str, mind: Sleeper, config: str, files: dict[str, str], experiments: int, aside: str
) -> Row:
    """Run a campaign and measure it."""
    text = f"{config}stop: {{experiments: {experiments}}}\n{aside}"
    with repository(text, files) as (top, environ):
        said = io.StringIO()
        context = open_context(top, None, PlainDisplay(said), environ, mind)
        run_loop(context, Until())
        known = context.ledger.refresh()
    assert len(known.order) == experiments, said.getvalue()
    spans = {name: span(known, name) for name in known.runs}
    began = min(spans[run.run][0] for run in known.runs_for(1))
    after = {name: each for name, each in spans.items() if each[0] >= began}
    useful = sum(end - start for name, (start, end) in after.items() if is_useful(known, known.runs[name]))
    found = record_of(known)
    more = f"{len(known.landed())} merged, {found.prepared} ahead, {found.carried} carried, {found.dropped} dropped"
    return Row(
        name, experiments, len(after), max(end for _, end in after.values()) - began,
        sum(end - start for start, end in after.values()), useful, more,
    )  # fmt: skip


def span(known: Campaign, name: str) -> tuple[float, float]:
    """Return when a run was busy: as its script says, else from its first batch to its score, by our clock."""
    run = known.runs[name]
    assert run.score is not None, run.failure
    if "began" in run.metrics:
        return run.metrics["began"], run.metrics["ended"]
    began, end = run_span(known, run)
    return began + run.metrics["startup_seconds"], end


def serial(mind: float, training: float, experiments: int) -> Row:
    """Do as autoresearch's own loop does: think, commit, train, keep or reset, over and over; no GitHub, no jail."""
    with tempfile.TemporaryDirectory(prefix="nocturne-serial-") as scratch:
        top = make_repository(Path(scratch, "clone"), files={"score.py": sleeping(training)})
        best, spans, kept = float("inf"), [], 0
        for number in range(experiments):
            time.sleep(mind if number else 0.0)  # the wall begins with the first training
            new = "0.004" if number % WINS == 0 else "0.0001"
            (top / "train.py").write_text(rewrite(TRAIN, {"LEARNING_RATE": f"{new}{number:02d}"}) or "")
            git(top, "commit", "--quiet", "--all", "--message", f"Experiment {number}")
            done = subprocess.run(
                [sys.executable, "score.py"], cwd=top, env={"NOCTURNE_SEED": "1"}, capture_output=True, text=True,
                check=True,
            )  # fmt: skip
            said = dict(line.removeprefix("METRIC ").split("=") for line in done.stdout.splitlines())
            spans.append((float(said["began"]), float(said["ended"])))
            if float(said["loss"]) < best:
                best, kept = float(said["loss"]), kept + 1
            else:
                git(top, "reset", "--quiet", "--hard", "HEAD~1")
    busy = sum(end - start for start, end in spans)
    return Row(
        "autoresearch's serial loop",
        experiments,
        experiments,
        spans[-1][1] - spans[0][0],
        busy,
        busy,
        f"{kept} kept",
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="How busy the GPU is.")
    parser.add_argument("--mind", type=float, default=20.0, help="seconds to a proposal")
    parser.add_argument("--training", type=float, default=30.0, help="seconds of a training")
    parser.add_argument("--experiments", type=int, default=8)
    parser.add_argument("--scale", type=float, default=1.0, help="of mind and training")
    parser.add_argument(
        "--starter", action="store_true", help="train the bundled starter too, on this machine's CPU"
    )
    parser.add_argument(
        "--rows", nargs="+", default=["serial", "one", "ahead"], choices=["serial", "one", "ahead"]
    )
    options = parser.parse_args()
    mind, training, experiments = (
        options.mind * options.scale,
        options.training * options.scale,
        options.experiments,
    )
    print(f"a mind of {mind:g} s, trainings of {training:g} s (sleeps), GitHub at {DELAY * 1000:.0f} ms")
    print(f"{'':<34} exp runs     wall   busy useful  exp/hour", flush=True)
    if "serial" in options.rows:
        print(serial(mind, training, experiments), flush=True)
    script = {"score.py": sleeping(training)}
    turns = {"one": "ahead: 0\n", "ahead": "ahead: 5\n"}
    for row in (each for each in options.rows if each in turns):
        sleeper = Sleeper(mind, ("BATCH_SIZE", 128), ("LEARNING_RATE", 0.002))
        print(
            campaign(f"nocturne, {turns[row].strip()}", sleeper, CONFIG, script, experiments, turns[row]),
            flush=True,
        )
    if options.starter:
        files = {name: (STARTER / name).read_text() for name in ("train.py", "prepare.py", "program.md")}
        real = f"evaluator: {{budget: {{kind: wall, amount: {training}}}}}\nrunner: test\n"
        for row in (each for each in options.rows if each in turns):
            sleeper = Sleeper(mind, ("MATRIX_LR", 0.05), ("HEAD_LR", 0.002))
            print(
                campaign(f"the starter, {turns[row].strip()}", sleeper, real, files, experiments, turns[row]),
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
