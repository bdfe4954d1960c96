"""A campaign of any length in a repository of its own, written in bulk: the commits, the events and what stands beside.

What is written is what the loop writes, event for event and file for file, by the same code; only the commits of the
ledger are fewer, one for each thousand events. One experiment in five crashes or is rejected by its reviewer, one in
`MERGED` is merged.
"""

from __future__ import annotations

import io
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from bot.agents.proposers.offline import OfflineProposer
from bot.git import RefUpdate
from bot.ledger.lines import encoded
from bot.ledger.places import spread
from bot.ledger.store import REF, SEGMENT_EVENTS
from bot.loop.commits import kept_files
from bot.loop.context import Context, open_context
from bot.rules import events as ev
from bot.rules.proposal import Proposal
from bot.tell.display import PlainDisplay
from tests.bot.repositories import TRAIN, git, make_repository

START = datetime(2026, 3, 8, 21, 0, tzinfo=timezone.utc)
MERGED = 50
SIGMA = 0.001
RUNNER = "test"


@dataclass(frozen=True)
class Tried:
    """One experiment: its mark in the stream of commits, and that of the incumbent that it was made on."""

    number: int
    parent: int
    verdict: ev.Verdict
    text: str


def plan(experiments: int) -> list[Tried]:
    """Return what is tried: the same for each length, as far as it goes."""
    found, incumbent = [], 0
    for number in range(1, experiments + 1):
        verdict: ev.Verdict = "discarded"
        if number % MERGED == 3:
            verdict = "improved"
        elif number % 10 == 4:
            verdict = "crashed"
        elif number % 10 == 7:
            verdict = "rejected"
        elif number % 10 == 9:
            verdict = "inconclusive"
        rate = 0.001 + 0.0000001 * number
        text = TRAIN.replace("LEARNING_RATE = 0.001", f"LEARNING_RATE = {rate:.7f}")
        found.append(Tried(number, incumbent, verdict, text))
        if verdict == "improved":
            incumbent = number
    return found


def write_commits(repository: Path, tried: list[Tried]) -> dict[int, str]:
    """Write the candidates' commits in one pack; return them by experiment, and the first commit as 0."""
    base = git(repository, "rev-parse", "main")
    stream = io.BytesIO()
    for each in tried:
        parent = f":{each.parent}" if each.parent else base
        message, text = f"experiment {each.number}".encode(), each.text.encode()
        stream.write(
            b"commit refs/nocturne/bench\nmark :%d\ncommitter Nocturne <n@example.org> %d +0000\ndata %d\n%s\n"
            b"from %s\nM 100644 inline train.py\ndata %d\n%s\n"
            % (each.number, 1772000000 + each.number, len(message), message, parent.encode(), len(text), text)
        )
    marks = repository / ".git/marks"
    command = ["git", "fast-import", "--quiet", "--force", f"--export-marks={marks}"]
    subprocess.run(command, cwd=repository, input=stream.getvalue(), check=True, timeout=1200)
    there = (line.split() for line in marks.read_text().splitlines())
    return {0: base} | {int(mark[1:]): commit for mark, commit in there}


class Writer:
    """Makes the events of what was tried, and what stands beside them."""

    def __init__(self, commits: dict[int, str]) -> None:
        self.commits = commits
        self.random = random.Random(7)
        self.level = {0: 1.2}
        self.made: dict[int, int] = {}

    def run(self, mark: int, experiment: int | None, fails: bool = False) -> ev.RunFinished:
        replicate = self.made[mark] = self.made.get(mark, 0) + 1
        commit = self.commits[mark]
        score = None if fails else self.level[mark] + self.random.gauss(0, SIGMA)
        curve = tuple(
            (float(step), step * 0.3, round(2.2 - step / 1000 + self.random.gauss(0, 0.01), 4))
            for step in range(0, 1000, 25)
        )
        return ev.RunFinished(
            f"{commit[:12]}-{replicate}", commit, 1000 + replicate, replicate, experiment, score,
            {"class": "oom", "reason": "CUDA out of memory"} if fails else None, {"peak_vram_mb": 45060.2},
            None if fails else "f1", "bubblewrap", RUNNER, 331.0, 300.0, curve,
        )  # fmt: skip

    def experiment(self, each: Tried) -> Iterator[ev.Event]:
        n, merged = each.number, each.verdict == "improved"
        commit, parent = self.commits[n], self.commits[each.parent]
        gain = {"improved": -0.003, "discarded": 0.006, "inconclusive": -0.0002}.get(each.verdict, 0.0)
        self.level[n] = self.level[each.parent] + gain * (0.995 ** (n / MERGED) if merged else 1.0)
        until = (START + timedelta(minutes=6 * n)).isoformat()
        yield ev.LeaseTaken(f"experiment:{n}", 1, "host/boot/1/1", until)
        yield ev.ExperimentClaimed(n, parent)
        yield ev.ModelCalled(n, "proposer", f"c{n}", 1, "claude-opus-4-8", 900, 700, 21000, 800, 0.05, "end")
        changes = (
            {
                "file": "train.py",
                "name": "LEARNING_RATE",
                "old": "0.001",
                "new": each.text.split("\n")[0].split()[-1],
            },
        )
        yield ev.ExperimentProposed(
            n, f"Raise the learning rate a little, try {n}", "optimiser", "The last raise paid, so go on",
            "small", "low", "claude", changes, ("train.py",), 0.0, 900, 700,
        )  # fmt: skip
        yield ev.CandidateBuilt(n, 1, parent, commit, 1, 1)
        yield ev.PullOpened(n, 100 + n, f"nocturne/exp/main/{n}", f"https://example.org/pull/{100 + n}")
        yield ev.Reviewed(n, 1, each.verdict != "rejected", ("fits the rules",), "f1")
        scores = []
        for _ in range({"improved": 2, "discarded": 1, "inconclusive": 3, "crashed": 1}.get(each.verdict, 0)):
            done = self.run(n, n, each.verdict == "crashed")
            yield ev.LeaseTaken(f"run:{done.run}", 1, "host/boot/1/1", until)
            yield done
            scores += [] if done.score is None else [done.score]
        mean = sum(scores) / len(scores) if scores else None
        against = self.level[each.parent]
        yield ev.ExperimentDecided(
            n, 1, each.verdict, merged, None if mean is None else mean - against,
            None if mean is None else 0.0012, SIGMA, mean, None if mean is None else against, len(scores),
            2 if scores else 0, "as the rule says", f"Lesson of try {n}",
        )  # fmt: skip
        if merged:
            yield ev.LandingBegun(n, 1)
            yield ev.ExperimentLanded(n, commit, parent)
        yield ev.ExperimentFinished(n)
        if merged:
            yield ev.ExperimentRead(n, f"review:{n}")
            yield self.run(n, None)

    def beside(self, each: Tried) -> dict[str, bytes]:
        """Return the files that the ledger keeps of an experiment."""
        proposal = Proposal("", "optimiser", "", "", "", {"train.py": each.text}, ())
        return kept_files(each.number, 0, proposal)


def make(folder: Path, experiments: int) -> Path:
    """Make a repository whose campaign `main` has had so many experiments; return it."""
    repository = make_repository(folder)
    context = open_context(repository, None, PlainDisplay(io.StringIO()), {}, OfflineProposer())
    tried = plan(experiments)
    commits = write_commits(repository, tried)
    _write_ledger(context, Writer(commits), tried)
    head = next((each.number for each in reversed(tried) if each.verdict == "improved"), 0)
    branch = RefUpdate(f"refs/heads/{context.branch}", commits[head], None)
    assert context.git.push(context.remote.name_or_url, [branch]).pushed
    for home in (repository / ".git", repository / ".git/nocturne/forge.git"):
        subprocess.run(["git", "repack", "-a", "-d", "-k", "--quiet"], cwd=home, check=True, timeout=3600)
    return repository


def _write_ledger(context: Context, writer: Writer, tried: list[Tried]) -> None:
    commit: str | None = None
    lines: list[bytes] = []
    beside: dict[str, bytes] = {}
    segment = 0

    def flush() -> None:
        nonlocal commit, segment
        segment += 1
        files: dict[str, bytes | None] = {f"main/{spread(name)}": content for name, content in beside.items()}
        files[f"main/events/{segment:06d}.jsonl"] = b"".join(lines)
        if segment == 1:
            files["main/schema"] = b"1\n"
        before, commit = commit, context.git.commit_files(commit, files, "main: events", START)
        pushed = context.git.push(context.remote.name_or_url, [RefUpdate(REF, commit, before)])
        assert pushed.pushed, pushed.detail
        lines.clear()
        beside.clear()

    def events() -> Iterator[ev.Event]:
        yield ev.CampaignStarted("main", "main", writer.commits[0], "loss", "minimize", 1)
        for _ in range(2):
            yield writer.run(0, None)
        for each in tried:
            beside.update(writer.beside(each))
            yield from writer.experiment(each)

    for count, event in enumerate(events()):
        at = (START + timedelta(seconds=24 * count)).isoformat(timespec="milliseconds")
        lines.append(encoded(ev.to_json(event, at=at, by="host/boot/1/1")))
        if len(lines) == SEGMENT_EVENTS:
            flush()
    if lines:
        flush()
