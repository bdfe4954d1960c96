"""Metrics in what commands print: found wherever they stand, in bounded memory, and what nearly was one is told."""

from __future__ import annotations

import json
import os
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from evaluator import cores, settings
from evaluator.command.metrics import LONGEST, Reader
from evaluator.errors import UserError
from evaluator.settings import Metric
from tests.evaluator.runs import score

M = Metric(name="m")


def heard(output: bytes, metric: Metric = M, size: int = 7) -> Reader:
    """Return a reader that was told `output` in pieces of `size` bytes."""
    reader = Reader(metric)
    for start in range(0, len(output), size):
        reader.add(output[start : start + size])
    reader.close()
    return reader


@pytest.mark.parametrize(
    "output",
    [
        b"METRIC m=2.5\n",
        b"METRIC m=2.5",
        b"\x1b[32mMETRIC m=2.5\x1b[0m\r\n",
        b"\r 50%|##  | 1/2\r100%|####| 2/2METRIC m=2.5\n",
        b"Epoch 3: 100%|\xe2\x96\x88| 5/5 [00:01<00:00]METRIC m = 2.5\n",
        b"INFO:root:METRIC m=2.5\n",
        b"2026-11-29 10:00:00,123 [main] INFO - METRIC m=2.5\n",
        b'INFO:root:{"m": 2.5}\n',
        b"100%|####|" + json.dumps({"m": 2.5, "x": [1, 2]}, indent=2).encode() + b"\n",
        json.dumps({"m": 2.5, "folds": [0.123456] * 20_000}).encode(),
        json.dumps({"folds": [0.123456] * 300, "m": 2.5, "more": {"m": 9}}, indent=4).encode(),
        json.dumps({"m": 2.5}, indent=2).encode().replace(b"\n", b"\r\n"),
        b"{'m': 2.5, 'epoch': 1.0}\n",
        b"[{'m': 2.5, 'epoch': 1.0}]\n",
        b'[{"m": 1}, {"m": 2.5}]\n',
        b"INFO:trainer:{'loss': 0.1, 'note': 'm, 3', 'm': np.float64(2.5)}\n{'m': '3'}\n",
        b"{'m': nan}\n{'m': tensor(2.5)}\n",
        b"{ not json [\n" + b'{"m": 2.5}\n',
        b"METRIC m=2.5\n" + b'{"step": 1, "loss": 2.0}\n' * 5000,
        b"METRIC m=1\nMETRIC m=nan\nMETRIC m=2.5\n",
    ],
)
@pytest.mark.parametrize("size", [13, 4096, 1 << 20])
def test_a_metric_is_found_wherever_it_is_printed(output: bytes, size: int) -> None:
    assert heard(output, size=size).found["m"] == 2.5


def test_a_name_with_dots_reaches_into_an_object() -> None:
    output = json.dumps({"results": [{"command": "x", "mean": 0.25}]}, indent=2)
    assert heard(output.encode(), Metric(name="results.0.mean")).found["results.0.mean"] == 0.25
    assert heard(output.encode(), Metric(name="results.1.mean")).found == {}


def test_what_begins_a_line_beats_what_stands_behind_other_text() -> None:
    """A script that shows an answer behind words of its own says its metric at the beginning of a line."""
    reader = heard(b'answer: METRIC m=99\nMETRIC m=1\nanswer: METRIC m=98\nanswer: {"m": 97}\n')
    assert reader.found == {"m": 1.0}


@pytest.mark.parametrize(("take", "value"), [("last", 3.1), ("min", 2.25), ("max", 4.0)])
def test_a_pattern_reads_what_scripts_print_today(take: str, value: float) -> None:
    log = b"step 1: train loss 9, val loss 4.0000\nstep 2: val loss 2.25, lr 1\nMETRIC m=77\nval loss 3.1.\n"
    metric = Metric(name="m", pattern=r"val loss ([0-9.]+)", take=take)
    assert heard(log, metric).found == {"m": value}
    plain = b"METRIC m=4\nMETRIC m=2.25\nMETRIC m=3.1\n"
    assert heard(plain, Metric(name="m", take=take)).found == {"m": value}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("METRIC m=2.5s", "nearest: 'METRIC m=2.5s': print the number alone, without 's': 2.5"),
        ("METRIC m=1,234.5", "print the number without a comma: 1234.5"),
        ("metric m=2.5", "write METRIC for metric"),
        ("METRIC m: 2.5", "write METRIC m=2.5"),
        ("METRIC: m=2.5", "write METRIC"),
        ("METRIC m 2.5", "write METRIC m=2.5"),
        ("METRIC m=", "there is no number"),
        ("METRIC M=2.5", "write m for M"),
        ("METRIC m=2.5 (best)", "without '(best)': 2.5"),
        ("METRIC m=1.234,5", "write it with a dot for its fraction"),
        ("METRIC m=tensor(2.5, device='cuda:0')", "print the number alone, as float(...) gives it: 2.5"),
        ("m: 2.5", "print METRIC m=2.5, or set evaluator.metric.pattern: 'm:\\s+([-+0-9.eE]+)'"),
        ("{'m': '2.5'}", "print it as one, without quotes"),
        ('{"m": "2.5"}', "the value is a text"),
        ("METRIC mm=3", "it printed mm"),
    ],
)
def test_what_nearly_was_one_is_shown_with_what_it_lacks(line: str, said: str) -> None:
    reader = heard(f"step 1\n{line}\nsome more of it\n".encode())
    assert "m" not in reader.found
    assert said in reader.missing()
    assert not reader.is_not_finite


@pytest.mark.parametrize(
    ("name", "line", "pattern"),
    [
        ("val_loss", "step 250: train loss 1.9, val loss 2.5", r"val\s+loss\s+"),  # nanoGPT
        ("test_acc", "│         test_acc          │    2.5    │", r"test_acc\s+│\s+"),  # Lightning, by rich
        ("test_acc", "        test_acc            2.5", r"test_acc\s+"),  # Lightning
        ("val_loss", "313/313 ━━━━━ 1s 1ms/step - loss: 0.09 - val_loss: 2.5", r"val_loss:\s+"),  # Keras
        ("test_accuracy", "Test accuracy: 2.5", r"Test\s+accuracy:\s+"),
        ("val_loss", "Epoch 4: 100%|██| 9/9 [00:01<00:00, train_loss=0.2, val_loss=2.5]", "val_loss="),
        ("eval_loss", "  eval_loss               =     2.5", r"eval_loss\s+=\s+"),  # transformers
        ("val_loss", "wandb:   val_loss 2.5", r"val_loss\s+"),
        ("m", "| **m** | 2.5 |", r"m\*\*\s+\|\s+"),
    ],
)
def test_what_peoples_scripts_print_is_answered_with_a_pattern_that_reads_it(
    name: str, line: str, pattern: str
) -> None:
    log = f"epoch 1\n{line}\n".encode()
    wanted = f"print METRIC {name}=2.5, or set evaluator.metric.pattern: '{pattern}([-+0-9.eE]+)'"
    assert wanted in heard(log, Metric(name=name)).missing()
    assert heard(log, Metric(name=name, pattern=f"{pattern}([-+0-9.eE]+)")).found == {name: 2.5}


def test_a_name_that_stands_deeper_in_an_object_is_told_with_its_place() -> None:
    hyperfine = {"results": [{"command": "./a", "mean": 0.25, "times": [0.2, 0.3], "exit_codes": [0, 0]}]}
    benchmark = {
        "machine_info": {},
        "benchmarks": [{"name": "test_sort", "stats": {"mean": 0.25, "ops": 4.0}}],
    }
    for said, place in ((hyperfine, "results.0.mean"), (benchmark, "benchmarks.0.stats.mean")):
        for indent in (None, 4):
            output = json.dumps(said, indent=indent).encode()
            assert f"set evaluator.metric.name to {place}" in heard(output, Metric(name="mean")).missing()
            assert heard(output, Metric(name=place)).found[place] == 0.25


def test_a_pattern_that_finds_no_number_is_told_with_what_it_finds() -> None:
    best = heard(b"val loss 2.5 (best)\n", Metric(name="val_loss", pattern="loss (.*)"))
    assert (
        "nearest: 'val loss 2.5 (best)': the pattern finds '2.5 (best)' there, which is no" in best.missing()
    )
    other = heard(b"val_loss: 2.5\n", Metric(name="val_loss", pattern="validation loss ([0-9.]+)"))
    assert "nearest: 'val_loss: 2.5': the pattern does not fit it" in other.missing()


def test_numbers_that_are_not_finite_are_told_apart_from_none() -> None:
    assert heard(b"METRIC m=nan\n").is_not_finite
    assert heard(b'{"m": 1e999}\n').is_not_finite
    assert heard(b"{'m': -inf, 'n': 1}\n").is_not_finite
    assert not heard(b"METRIC m=soon\n").is_not_finite
    assert not heard(b"METRIC m=inf\nMETRIC m=2\n").is_not_finite


def test_a_flood_of_digits_in_a_dictionary_holds_nobody_up() -> None:
    """A line that a pattern goes over again for each of its digits would take seconds, and this test its time limit."""
    flood = b"{'m': " + b"1" * 9_900 + b"x}\n"
    assert heard(flood * 300 + b"{'m': 2.5}\n", size=1 << 16).found == {"m": 2.5}


def test_memory_is_bounded_whatever_is_printed() -> None:
    tracemalloc.start()
    reader = Reader(M)
    for piece in (b"x" * 65536, b"{" * 65536, (b'{"a": [' + b"1," * 500 + b"\n") * 64, b"METRIC a%d=1\n"):
        for turn in range(30):
            reader.add(piece.replace(b"%d", str(turn).encode()))
    reader.add(b"\nMETRIC m=2.5\n")
    reader.close()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reader.found["m"] == 2.5
    assert peak < 24 * LONGEST


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ({"name": "m", "pattern": "loss"}, "metric: pattern: must have one group"),
        ({"name": "m", "pattern": "(a)(b)"}, "metric: pattern: must have one group"),
        ({"name": "m", "pattern": "loss ("}, "metric: pattern: is no regular expression"),
        ({"name": "m", "take": "best"}, "metric: take: must be one of last, min, max"),
    ],
)
def test_a_wrong_pattern_is_refused_at_once(metric: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        settings.parse({"kind": "command", "command": ["x"], "metric": metric}, "here")


def repository(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "bench.py").write_text(text)
    (folder / "train.py").write_text("VALUE = 0.75\n")
    return folder


COMMAND = {
    "kind": "command",
    "command": ["python", "bench.py"],
    "metric": {"name": "m"},
    "timeout_seconds": 60,
}
NOISY = """\
import json, logging, sys
logging.basicConfig(level=logging.INFO)
print(json.dumps({"fine": 1.5, "folds": [0.5] * 2000}))
sys.stderr.write("\\r100%|####| 5/5"); sys.stderr.flush()
print("METRIC m=2.5", flush=True)
for step in range(4000):
    print(json.dumps({"step": step}))
logging.info("METRIC late=3")
"""


def test_a_run_is_scored_by_what_a_noisy_script_prints(tmp_path: Path) -> None:
    last = score(repository(tmp_path / "repo", NOISY), COMMAND).last
    assert (last["event"], last["score"]) == ("score", 2.5)
    assert (last["metrics"]["fine"], last["metrics"]["late"]) == (1.5, 3.0)


def test_a_run_with_a_pattern_and_one_without_any_number(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo", "print('epoch 1 val loss 3.5')\nprint('epoch 2 val loss 4.5')\n")
    by_pattern = {**COMMAND, "metric": {"name": "m", "pattern": "val loss ([0-9.]+)", "take": "min"}}
    assert score(repo, by_pattern).last["score"] == 3.5
    last = score(repository(tmp_path / "other", "print('metric m=3')\n"), COMMAND).last
    assert (last["event"], last["class"]) == ("failed", "no_metric")
    assert "nearest: 'metric m=3': write METRIC for metric" in last["reason"]


@pytest.mark.long
def test_threads_bind_cores_and_one_process_is_one(tmp_path: Path) -> None:
    text = "import os, subprocess, sys\nprint(f'METRIC m={len(os.sched_getaffinity(0))}')\n"
    repo = repository(tmp_path / "repo", f"{text}import time; time.sleep(0.6)\n")
    assert score(repo, {**COMMAND, "threads": 1, "processes": 1}).last["score"] == 1
    assert score(repo, {**COMMAND, "threads": 4096}).last["score"] == len(os.sched_getaffinity(0))
    two = repository(
        tmp_path / "two", f"{text}subprocess.run([sys.executable, '-c', 'import time; time.sleep(30)'])\n"
    )
    last = score(two, {**COMMAND, "processes": 1}).last
    assert (last["event"], last["class"]) == ("failed", "refused")
    assert "started 2 processes; 1 are allowed" in last["reason"]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core cannot be shared out")
def test_runs_side_by_side_get_different_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # not the cores of other tests
    code = "import sys; from evaluator import cores; print(*cores.claim(1), flush=True); sys.stdin.read()"
    there = len(os.sched_getaffinity(0))
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(there)
    ]
    try:
        taken = {run.stdout.readline() for run in runs if run.stdout}
    finally:
        for run in runs:
            run.communicate(timeout=60)
    assert len(taken) == there
    assert cores.claim(there) is None
