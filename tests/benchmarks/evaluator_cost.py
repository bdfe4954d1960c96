"""What trusted scoring costs: the jail, shim and audit on the bundled task; logits of large vocabularies by the
gigabyte; and the memory of the scorer, whatever the vocabulary and the model.

    python -m tests.benchmarks.evaluator_cost [--runs 3] [--gigabytes 2]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from evaluator import starter_files
from evaluator.inside import frames
from evaluator.training.buffer import Buffer
from evaluator.training.scoring import Tally
from evaluator.training.wire import FROM_CANDIDATE, Wire

_SECONDS = 4
_PUMP = """
import sys, torch
from evaluator.inside.frames import READY, Channel
from evaluator.inside.logits import Buffer, shared
end, buffer, vocabulary, rows, batches = map(int, sys.argv[1:])
channel = Channel(end)
slots = Buffer(shared(buffer), channel, vocabulary)
logits = torch.randn(rows, vocabulary)
channel.say(READY, {})
channel.receive()
for _ in range(batches):
    slots.put(logits)
slots.settle()
"""
_BIG_MODEL = """
from prepare import *
import torch
class Big(torch.nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.table = torch.nn.Parameter(torch.zeros(vocabulary, vocabulary))
        self.ballast = torch.nn.Parameter(torch.zeros({megabytes} << 18))
    def forward(self, idx, targets=None, reduction="mean"):
        return self.table[idx]
tokenizer = Tokenizer.from_directory()
next(make_dataloader(tokenizer, 4, MAX_SEQ_LEN, "train"))
evaluate_bpb(Big(tokenizer.get_vocab_size()), tokenizer, 4)
"""


def score(repo: Path, settings: dict[str, object]) -> dict[str, float]:
    """Return the metrics of one run, and what it took from start to end: `wall`, and `cpu` of all its processes."""
    began, used = time.monotonic(), of_children()
    done = subprocess.run(
        [sys.executable, "-I", "-m", "evaluator", "score", str(repo), "--json", "--settings", "-"],
        input=json.dumps(settings), capture_output=True, text=True, check=True,
    )  # fmt: skip
    wall = time.monotonic() - began
    return {**json.loads(done.stdout.splitlines()[-1])["metrics"], "wall": wall, "cpu": of_children() - used}


def of_children() -> float:
    """Return the CPU seconds of all processes below this one that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def alone(repo: Path) -> tuple[float, float]:
    """Return the seconds and CPU seconds that `python train.py` takes, with the same budget and the repository's own
    evaluation."""
    env = os.environ | {
        "NOCTURNE_BUDGET": "cpu",
        "NOCTURNE_TIME_BUDGET": str(_SECONDS),
        "OMP_NUM_THREADS": "1",
    }
    began, used = time.monotonic(), of_children()
    subprocess.run([sys.executable, "-B", "train.py"], cwd=repo, env=env, capture_output=True, check=True)
    return time.monotonic() - began, of_children() - used


def bundled_task(repo: Path, runs: int) -> None:
    settings: dict[str, object] = {"budget": {"kind": "cpu", "amount": _SECONDS}, "threads": 1}
    score(repo, settings)  # prepares
    pairs = [(score(repo, settings), alone(repo)) for _ in range(runs)]
    print(f"bundled task, {_SECONDS} CPU seconds, median of {runs}, load {os.getloadavg()[0]:.1f}:")
    for place, unit in enumerate(("wall", "cpu")):
        ours = statistics.median(found[unit] for found, _ in pairs)
        plain = statistics.median(found[place] for _, found in pairs)
        print(f"  python train.py      {plain:6.2f} s ({unit})")
        print(
            f"  nocturne-evaluator   {ours:6.2f} s, {ours - plain:+.2f} s for jail, shim, audit and scoring",
            flush=True,
        )


def gigabyte(vocabulary: int, gigabytes: float) -> tuple[float, float, float]:
    """Return seconds per gigabyte (10^9 bytes): to copy it once in memory, to bring it over, to bring it over
    and score it."""
    rows = max(1, (1 << 26) // (4 * vocabulary))
    batches = max(1, round(gigabytes * 1e9 / (4 * rows * vocabulary)))
    size = 4 * rows * vocabulary * batches / 1e9
    source = np.random.default_rng(0).standard_normal((rows, vocabulary)).astype(np.float32)
    target = np.zeros_like(source)
    began = time.perf_counter()
    for _ in range(batches):
        np.copyto(target, source)
    copied = time.perf_counter() - began
    moved, scored = (pump(vocabulary, rows, batches, scored) / size for scored in (False, True))
    return copied / size, moved, scored


def pump(vocabulary: int, rows: int, batches: int, scored: bool) -> float:
    """Return the seconds in which another process hands over logits of batches * rows positions."""
    ours, theirs = socket.socketpair()
    buffer = Buffer(vocabulary)
    words = [theirs.fileno(), buffer.descriptor, vocabulary, rows, batches]
    process = subprocess.Popen(
        [sys.executable, "-c", _PUMP, *map(str, words)], pass_fds=(theirs.fileno(), buffer.descriptor)
    )
    theirs.close()
    line = Wire(ours, FROM_CANDIDATE, lambda end, to_write: time.sleep(0))
    targets: Any = np.zeros(rows * batches, np.int32)
    tally = Tally(targets, np.ones(vocabulary, np.int32))
    assert line.receive() is not None  # it has imported torch
    began = time.perf_counter()
    line.send(frames.TOKENS)
    left = len(targets)
    while left:
        frame = line.receive()
        assert frame is not None
        slot, logits = buffer.view(bytes(frame.body), left)
        if scored:
            tally.add(logits)
        left -= len(logits)
        line.send(frames.TAKEN, slot.to_bytes(4, "little"))
    seconds = time.perf_counter() - began
    process.wait(timeout=30)
    ours.close()
    buffer.close()
    return seconds


def memory(folder: Path) -> None:
    """Print the largest memory of the scorer for models of two sizes."""
    print("memory of the scorer (largest resident size):")
    for megabytes in (1, 1024):
        (folder / "train.py").write_text(_BIG_MODEL.format(megabytes=megabytes))
        settings = {"budget": {"kind": "steps", "amount": 1}, "eval_tokens": 2048, "threads": 1}
        done = subprocess.run(
            [sys.executable, "-c", _MEASURED, str(folder)], input=json.dumps(settings), capture_output=True,
            text=True, check=True,
        )  # fmt: skip
        print(f"  model of {megabytes:5d} MiB   {int(done.stdout) / 1024:6.0f} MiB")


_MEASURED = """
import contextlib, io, resource, sys
from evaluator.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    assert main(["score", sys.argv[1], "--json", "--settings", "-"]) == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # of this process alone, without its children
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        repo = Path(folder, "repo")
        starter_files.write(repo, force=False)
        bundled_task(repo, args.runs)
        print("logits through shared memory, seconds per gigabyte:")
        print("  vocabulary   one copy   brought over   brought over and scored")
        for vocabulary in (512, 8192, 50304, 262144):
            copied, moved, whole = gigabyte(vocabulary, args.gigabytes)
            print(f"  {vocabulary:10,d}   {copied:8.3f}   {moved:12.3f}   {whole:23.3f}")
        print(
            f"  memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
        )
        memory(repo)


if __name__ == "__main__":
    main()
