"""What a night gains if nobody reads what it merges, beside the same night with a reader: `make bench-unread`.

Real campaigns on the local forge, with the same proposals: each is a step of one constant from where the incumbent has
it, drawn by the seed, eight of ten in the right direction. The task is the tests' formula with its noise; its runs are
scored in this process: nothing is trained. The reader has read each merge before the next experiment begins. What is
told is the true gain: the formula without noise, of the baseline and of the head.
"""

from __future__ import annotations

import argparse
import io
import random
import statistics
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from bot.agents.constants import changes_between, rewrite
from bot.agents.protocol import Question
from bot.loop.context import open_context
from bot.loop.runner import Until, run_loop
from bot.rules.events import ExperimentRead
from bot.rules.human import unread
from bot.rules.proposal import Proposal
from bot.tell.display import PlainDisplay
from tests.bot import trainer
from tests.bot.repositories import CONFIG, SCORE, TRAIN, make_repository


@dataclass(frozen=True)
class Arm:
    """One way of a night: what the configuration says of unread merges, and whether somebody reads."""

    name: str
    config: str
    reads: bool = False


WITH_READER = Arm("a reader at once", "when_unreviewed: tell\n", reads=True)
ARMS = (
    WITH_READER,
    Arm("nobody, tell (the default)", ""),
    Arm("nobody, hold (the old default)", "when_unreviewed: hold\n"),
    Arm("nobody, pause", "when_unreviewed: pause\n"),
)


@dataclass(frozen=True)
class Night:
    """What came of one night: the true gain, experiments that ended, merges, held ones, and who read none."""

    gain: float
    experiments: int
    merges: int
    held: int
    unread: int


BEST = {"LEARNING_RATE": 0.004, "BATCH_SIZE": 16}  # by the formula
START = rewrite(TRAIN, {"LEARNING_RATE": "0.0000156", "BATCH_SIZE": "256"})  # eight and four doublings away


class Steps:
    """Proposes the same steps in each night of a seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.asked: Counter[int] = Counter()

    def propose(self, question: Question) -> Proposal | None:
        if question.revision is not None:
            return None
        self.asked[question.number] += 1  # again if what it said was tried before
        rng = random.Random(f"unread/{self.seed}/{question.number}/{self.asked[question.number]}")
        name = rng.choice(("LEARNING_RATE", "LEARNING_RATE", "BATCH_SIZE"))
        right, doublings = rng.random() < 0.8, rng.uniform(0.3, 0.7)
        now = constants(question.files["train.py"])[name]
        up = (now < BEST[name]) == right
        value = now * 2 ** (doublings if up else -doublings)
        text = f"{value:.4g}" if name == "LEARNING_RATE" else str(max(1, round(value)))
        new = {"train.py": rewrite(question.files["train.py"], {name: text})}
        said = f"Set {name} to {text}"
        return Proposal(
            said, "other", "A step.", "better", "low", new, changes_between(question.files, new), "steps"
        )


def constants(text: str) -> dict[str, Any]:
    """Return the constants of a train.py."""
    values: dict[str, Any] = {}
    exec(text, {}, values)
    return values


def true_score(text: str) -> float:
    """Return the formula's score of a train.py, without its noise."""
    with mock.patch("runpy.run_path", return_value=constants(text)):
        found: dict[str, Any] = {}
        exec(SCORE.partition("noise = ")[0], found)
    return float(found["score"])


def night(arm: Arm, seed: int, experiments: int) -> Night:
    """Play one night."""
    with tempfile.TemporaryDirectory(prefix="nocturne-unread-") as folder, trainer.installed():
        top = make_repository(
            Path(folder) / "task",
            config=f"{CONFIG}seed: {seed}\n{arm.config}",
            files={"train.py": START},
        )
        context = open_context(top, None, PlainDisplay(io.StringIO()), {}, Steps(seed))
        for _ in range(experiments):
            stop = run_loop(context, Until(1))
            known = context.ledger.refresh()
            if arm.reads and unread(known):
                read = [ExperimentRead(each.number, "review:1") for each in unread(known)]
                context.ledger.append(lambda _, read=read: read)  # type: ignore[misc]
            if stop.reason == "unreviewed":
                break
        known = context.ledger.refresh()
        first, last = (
            true_score((context.git.read_blob(commit, "train.py") or b"").decode())
            for commit in (known.incumbents[0], known.incumbent)
        )
        held = sum(each.is_held and each.landed is None for each in known.open_experiments())
        return Night(first - last, len(known.order), len(known.landed()), held, len(unread(known)))


def interval(values: list[float], rng: random.Random) -> tuple[float, float]:
    """Return a 95 % interval of a mean, by 10,000 resamplings."""
    means = sorted(statistics.fmean(rng.choices(values, k=len(values))) for _ in range(10_000))
    return means[249], means[9749]


def main() -> None:
    parser = argparse.ArgumentParser(description="What a night gains if nobody reads what it merges.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--experiments", type=int, default=32)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    seeds = range(1, options.seeds + 1)
    with ProcessPoolExecutor(options.processes) as pool:
        jobs = {
            (arm, seed): pool.submit(night, arm, seed, options.experiments) for seed in seeds for arm in ARMS
        }
        found = {key: job.result() for key, job in jobs.items()}
    print(
        f"{options.seeds} seeds, {options.experiments} experiments a night; true gain, difference from a reader at once"
    )
    print(
        f"{'':32} {'gain':>7} {'difference [95 %]':>27} {'exper.':>7} {'merges':>7} {'held':>6} {'unread':>7}"
    )
    for arm in ARMS:
        nights = [found[arm, seed] for seed in seeds]
        apart = [found[arm, seed].gain - found[WITH_READER, seed].gain for seed in seeds]
        low, high = interval(apart, random.Random(1))
        mean = statistics.fmean
        difference = f"{mean(apart):+.4f} [{low:+.4f}, {high:+.4f}]"
        print(
            f"{arm.name:32} {mean(n.gain for n in nights):7.4f} {difference:>27}"
            f" {mean(n.experiments for n in nights):7.1f} {mean(n.merges for n in nights):7.1f}"
            f" {mean(n.held for n in nights):6.1f} {mean(n.unread for n in nights):7.1f}"
        )
    for seed in seeds:
        print(f"seed {seed}: " + ", ".join(f"{arm.name} {found[arm, seed].gain:.4f}" for arm in ARMS))


if __name__ == "__main__":
    main()
