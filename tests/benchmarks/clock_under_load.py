"""An unchanged reference, and the same script with another constant, scored again and again while other processes keep
the machine busy: how often are they refused for their time?

    python -m tests.benchmarks.clock_under_load [--runs 20] [--changed 5] [--busy 4] [--seconds 3] [--budget wall]

For budgets on the wall and of the processor, with gradient accumulation over 1, 4 and 16 batches and slow first steps
that the script does not count. The reference is measured once, with nobody else at work. What changed is charged by
its measure; what did not is a run of the reference, and refused nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCUMULATIONS = (1, 4, 16)
BUDGETS = ("wall", "cpu")

PREPARE = """
import torch
MAX_SEQ_LEN, TIME_BUDGET, EVAL_TOKENS, VOCABULARY = 16, 3, 16 * 64, 32
class Tokenizer:
    @classmethod
    def from_directory(cls): return cls()
    def get_vocab_size(self): return VOCABULARY
def get_token_bytes(device="cpu"): return torch.ones(VOCABULARY, dtype=torch.int32, device=device)
def make_dataloader(tokenizer, B, T, split):
    draw = torch.Generator().manual_seed(1 if split == "train" else 2)
    while True:
        start = torch.randint(VOCABULARY, (B, 1), generator=draw)
        x = (start + torch.cumsum(torch.randint(1, 4, (B, T + 1), generator=draw), 1)) % VOCABULARY
        yield x[:, :-1].contiguous(), x[:, 1:].contiguous(), 1
def evaluate_bpb(model, tokenizer, batch_size): raise NotImplementedError
"""

TRAIN = """
import os, time, torch
from prepare import MAX_SEQ_LEN, TIME_BUDGET, Tokenizer, evaluate_bpb, make_dataloader
ACCUMULATION = {accumulation}
LEARNING_RATE = 0.02
clock = time.process_time if os.environ["NOCTURNE_BUDGET"] == "cpu" else time.perf_counter
torch.manual_seed(42)
torch.set_num_threads(1)
tokenizer = Tokenizer.from_directory()
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.e, self.o = torch.nn.Embedding(32, 32), torch.nn.Linear(32, 32)
    def forward(self, x): return self.o(self.e(x))
model = Net()
optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
loader = make_dataloader(tokenizer, 16, MAX_SEQ_LEN, "train")
def work(seconds):  # a fixed amount of it: so many seconds of a processor that is alone
    for _ in range(int(seconds * {speed})): pass
counted, step = 0.0, 0
while counted < TIME_BUDGET:
    began = clock()
    for _ in range(ACCUMULATION):
        x, y, _ = next(loader)
        loss = torch.nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten()) / ACCUMULATION
        loss.backward()
        work((0.15 if step < 3 else 0.02) / ACCUMULATION)
    optimizer.step()
    optimizer.zero_grad()
    if step > 10:  # as autoresearch counts
        counted += clock() - began
    step += 1
    print(f"step {{step}} | loss: {{loss.item() * ACCUMULATION:.4f}}", flush=True)
print("val_bpb:", evaluate_bpb(model, tokenizer, 16))
"""


@dataclass(frozen=True)
class Line:
    """What became of so many runs of one script: `again` were lost to the machine, and would be made again. `most` is
    the largest part of its budget that a run used."""

    runs: int
    scored: int
    refused: int
    again: int
    failed: int
    most: float


def write(folder: Path, accumulation: int, speed: float) -> Path:
    """Write the task into `folder`."""
    folder.mkdir(parents=True)
    (folder / "prepare.py").write_text(PREPARE)
    (folder / "train.py").write_text(TRAIN.format(accumulation=accumulation, speed=int(speed)))
    return folder


def loops_per_second() -> float:
    """Return how often this machine goes round an empty loop in a second of its processor."""
    began, count = time.process_time(), 2_000_000
    for _ in range(count):
        pass
    return count / (time.process_time() - began)


@contextlib.contextmanager
def company(busy: int) -> Iterator[None]:
    """Keep `busy` processes at work meanwhile."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
    try:
        yield
    finally:
        for each in others:
            each.kill()
            each.wait()


def score(repo: Path, settings: dict[str, Any], *words: str) -> dict[str, Any]:
    """Return the last event of one run."""
    done = subprocess.run(
        [sys.executable, "-I", "-m", "evaluator", "score", str(repo), "--json", "--settings", "-", *words],
        input=json.dumps(settings), capture_output=True, text=True, check=False, env=dict(os.environ),
    )  # fmt: skip
    last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if last["event"] == "error":
        raise SystemExit(f"{repo}: {last['message']}")
    return last


def tried(repo: Path, settings: dict[str, Any], runs: int, *words: str) -> Line:
    """Score the script again and again, and count what became of it."""
    amount = settings["budget"]["amount"]
    ends = [score(repo, settings, *words) for _ in range(runs)]
    refused = [end for end in ends if end.get("class") in ("refused", "timeout")]
    again = sum(end.get("class") == "infrastructure" for end in ends)
    for end in refused:
        print(f"    {end['reason']}", flush=True)
    scored = sum(end["event"] == "score" for end in ends)
    most = max(end["metrics"].get("training_seconds", 0.0) / amount for end in ends)
    return Line(runs, scored, len(refused), again, runs - scored - len(refused) - again, most)


def table(
    folder: Path, *, runs: int, changed: int, busy: int, seconds: float, budgets: Sequence[str]
) -> Iterator[tuple[str, int, str, Line]]:
    """Yield budget, accumulation, what was scored, and what became of it."""
    speed = loops_per_second()
    for kind in budgets:
        for accumulation in ACCUMULATIONS:
            repo = write(folder / f"{kind}-{accumulation}", accumulation, speed)
            file, other = folder / f"{kind}-{accumulation}.json", folder / f"{kind}-{accumulation}.py"
            other.write_text(
                (repo / "train.py").read_text().replace("LEARNING_RATE = 0.02", "LEARNING_RATE = 0.021")
            )
            settings = {"budget": {"kind": kind, "amount": seconds}, "threads": 1}
            first = score(repo, settings, "--reference", str(file))
            assert first["event"] == "score", first
            with company(busy):
                charged = ("--reference", str(file))
                yield kind, accumulation, "unchanged", tried(repo, settings, runs, *charged)
                yield (
                    kind, accumulation, "one constant",
                    tried(repo, settings, changed, *charged, "--train", str(other)),
                )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--changed", type=int, default=5, help="runs with another constant (5)")
    parser.add_argument("--budget", choices=BUDGETS, action="append", help="both, unless one is named")
    parser.add_argument("--busy", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=3.0)
    args = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print(
        f"{args.runs} unchanged runs, {args.changed} changed ones, {args.busy} busy processes on {cores} processors,"
        f" budget {args.seconds:g} s"
    )
    print("budget  accumulation  script        scored  refused  again  failed  largest part of the budget")
    with tempfile.TemporaryDirectory() as folder:
        for kind, accumulation, what, line in table(
            Path(folder),
            runs=args.runs,
            changed=args.changed,
            busy=args.busy,
            seconds=args.seconds,
            budgets=args.budget or BUDGETS,
        ):
            print(
                f"{kind:<6}  {accumulation:12d}  {what:<12}  {line.scored:6d}  {line.refused:7d}  {line.again:5d}"
                f"  {line.failed:6d}  {line.most:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
