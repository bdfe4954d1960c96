"""Campaigns for the report's tests: lists of real events, folded by the real fold."""

from __future__ import annotations

import hashlib
import math
import random
from datetime import datetime, timedelta, timezone

from bot.rules import events as ev
from bot.rules.campaign import Campaign, fold

START = datetime(2026, 3, 8, 21, 0, tzinfo=timezone.utc)
NOW = START + timedelta(hours=9)
SIGMA = 0.001
HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "a | b || c \\| d",
    "`code` ``more`` ```fence",
    "\x1b[31mred\x1b[0m and \x1b]0;title\x07 bell\x07",
    "[red]markup[/red] [link=file:///etc/passwd]x[/link]",
    "@octocat closes #1, GH-2, https://evil.example/?q=1 and www.evil.example $x^2$",
    "Größere 学習率 für 🚀 Köpfe, \u202egnirts\u202c",
    "**bold** _it_ [a](javascript:alert(1)) ![i](http://evil.example/i.png) <!-- x -->",
    "]]> &amp; <![CDATA[ \" ' \x00\x0b\ud800",
)
PLAIN = (
    "Raise the matrix learning rate from 0.04 to 0.05",
    "Warm up for 2 % of the steps",
    "Replace GELU by squared ReLU",
    "Deeper and narrower: 10 layers of 640",
    "Window pattern SSSL instead of SSLL",
    "Drop the value embeddings of the even layers",
    "Halve the batch, twice the steps",
    "Decay the weights towards zero at the end",
)
CATEGORIES = ("optimiser", "schedule", "architecture", "batch", "simplification")
CYCLE: tuple[ev.Verdict, ...] = (
    "discarded", "improved", "discarded", "inconclusive", "crashed", "discarded", "rejected", "discarded",
    "discarded", "lost",
)  # fmt: skip


def commit_of(name: str) -> str:
    """Return a commit id that no other name has."""
    return hashlib.sha1(name.encode()).hexdigest()


def diff_of(number: int, text: str = "") -> str:
    """Return a small unified diff."""
    return (
        "--- a/train.py\n+++ b/train.py\n@@ -40,7 +40,7 @@ class Settings:\n     depth = 8\n"
        f"-    matrix_lr = 0.04\n+    matrix_lr = 0.0{number % 9 + 1}  # {text}\n     seed = 1337\n"
    )


class Night:
    """Writes events one after the other, two minutes apart. Everything random comes from `seed`."""

    def __init__(
        self, *, metric: str = "val_bpb", direction: ev.Direction = "minimize", seed: int = 7
    ) -> None:
        self.recorded: list[ev.Recorded] = []
        self.random = random.Random(seed)
        self.direction = direction
        self.sign = 1.0 if direction == "minimize" else -1.0
        self.level = {commit_of("base"): 0.9979}
        self.incumbent = commit_of("base")
        self.replicates: dict[str, int] = {}
        self.wins = 0
        self.add(ev.CampaignStarted("overnight", "main", self.incumbent, metric, direction, 1))

    def add(self, event: ev.Event) -> None:
        at = START + timedelta(seconds=120 * len(self.recorded))
        self.recorded.append(ev.Recorded(event, at.isoformat(), "host/1"))

    def run(
        self, commit: str, experiment: int | None, *, score: float | None = None, fails: bool = False,
        jail: str = "bubblewrap", runner: str = "1x H100", curve: bool = True, gaps: tuple[str, ...] = (),
    ) -> float | None:  # fmt: skip
        """Record one run; its score is the commit's level and some noise where none is given."""
        replicate = self.replicates[commit] = self.replicates.get(commit, 0) + 1
        if score is None and not fails:
            score = self.level[commit] + self.random.gauss(0, SIGMA)
        points = tuple(
            (
                float(step),
                step * 0.3,
                2.2 * math.exp(-step / 300) + 3 * (score or 1.0) + self.random.gauss(0, 0.01),
            )
            for step in range(0, 1000, 25)
        )
        failure = {"class": "oom", "reason": "CUDA out of memory: <b>2 GiB</b>"} if fails else None
        self.add(
            ev.RunFinished(
                f"{commit[:12]}-{replicate}", commit, 1000 + replicate, replicate, experiment, score, failure,
                {"peak_vram_mb": 45060.2 + replicate}, None if fails else "f1", jail, runner, 331.0, 300.0,
                points[:6] if fails else points if curve else (), gaps=gaps,
            )
        )  # fmt: skip
        return score

    def baseline(self, runs: int = 2, **more: object) -> None:
        for _ in range(runs):
            self.run(self.incumbent, None, **more)  # type: ignore[arg-type]

    def experiment(
        self,
        number: int,
        verdict: ev.Verdict,
        hypothesis: str,
        *,
        finish: bool = True,
        score: float | None = None,
    ) -> None:
        """Record one experiment from its claim to its end, as far as its verdict lets it come."""
        self.add(ev.ExperimentClaimed(number, self.incumbent))
        self.add(
            ev.ExperimentProposed(
                number, hypothesis, CATEGORIES[number % len(CATEGORIES)], f"Because {hypothesis}", "small",
                "low", "claude", cost_usd=0.05,
            )
        )  # fmt: skip
        if verdict == "lost":
            self._decide(number, 0, verdict, [], "the machine went away", hypothesis)
            return
        commit = commit_of(f"experiment {number} {hypothesis!r}")
        # Gains grow smaller as the night goes on, as they do.
        shift = {
            "improved": -max(0.0025 * 0.94**self.wins, 0.00002),
            "discarded": 0.004 + 0.004 * self.random.random(),
            "inconclusive": -0.0003,
        }
        self.level[commit] = self.level[self.incumbent] + self.sign * shift.get(verdict, 0.0)
        self.add(ev.CandidateBuilt(number, 1, self.incumbent, commit, 3 + number % 7, 2))
        self.add(
            ev.PullOpened(
                number, 100 + number, f"nocturne/{number}", f"https://example.org/pull/{100 + number}"
            )
        )
        self.add(ev.Reviewed(number, 1, verdict != "rejected", ("touches prepare.py",), "f1"))
        runs = {"improved": 2, "inconclusive": 3, "discarded": 1}.get(verdict, 0)
        scores = [self.run(commit, number, score=score) for _ in range(runs)]
        if verdict == "crashed":
            self.run(commit, number, fails=True)
        if finish:
            self._decide(
                number, 1, verdict, [s for s in scores if s is not None], "as the rule says", hypothesis
            )
        if finish and verdict == "improved":
            self.run(self.incumbent, None)

    def _decide(
        self, number: int, round: int, verdict: ev.Verdict, scores: list[float], reason: str, words: str
    ) -> None:
        mean = sum(scores) / len(scores) if scores else None
        against = self.level[self.incumbent]
        land = verdict == "improved"
        self.add(
            ev.ExperimentDecided(
                number, round, verdict, land, None if mean is None else mean - against,
                None if mean is None else 0.0012, SIGMA, mean, None if mean is None else against, len(scores),
                2 if scores else 0, reason, f"Lesson of {words}",
            )
        )  # fmt: skip
        if land:
            commit = commit_of(f"experiment {number} {words!r}")
            self.add(ev.ExperimentLanded(number, commit, self.incumbent))
            self.incumbent = commit
            self.wins += 1
        self.add(ev.ExperimentFinished(number))

    def campaign(self) -> Campaign:
        return fold(self.recorded)


def night_of(experiments: int, *, hostile: bool = True, direction: ev.Direction = "minimize") -> Night:
    """Return a night of `experiments` with every verdict and, where asked, every hostile hypothesis."""
    night = Night(direction=direction)
    night.baseline()
    words = (*PLAIN[:4], *HOSTILE) if hostile else PLAIN
    for number in range(1, experiments + 1):
        night.experiment(number, CYCLE[number % len(CYCLE)], words[number % len(words)])
    return night
