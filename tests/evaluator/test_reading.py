"""What is read out of a stranger's log, and how the loss is computed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from evaluator import crash
from evaluator.errors import CandidateFailed
from evaluator.log import FILE_CAP, Log, clean
from evaluator.progress import CURVE_POINTS, Progress
from evaluator.training import scoring


def test_losses_agree_with_torch_and_bytes_weigh() -> None:
    import torch

    random = np.random.default_rng(3)
    logits = (random.standard_normal((64, 11)) * 30).astype(np.float32)
    logits[5, 3] = -np.inf  # a token ruled out is no mistake, unless it comes
    targets = random.integers(0, 11, 64).astype(np.int32)
    targets[5] = 2
    expected = torch.nn.functional.cross_entropy(
        torch.from_numpy(logits).double(), torch.from_numpy(targets).long(), reduction="none"
    ).numpy()
    np.testing.assert_allclose(scoring.cross_entropy(logits, targets), expected, rtol=1e-9, atol=1e-7)
    lengths = np.array([0, 1, 2, 3, 1, 1, 1, 1, 1, 1, 1], np.int32)
    tally = scoring.Tally(targets, lengths)
    tally.add(logits[:40])
    tally.add(logits[40:])
    weights = lengths[targets]
    assert tally.bits_per_byte() == pytest.approx(expected[weights > 0].sum() / math.log(2) / weights.sum())


@pytest.mark.parametrize(("value", "row"), [(np.nan, 0), (np.inf, 3), (-np.inf, 7)])
def test_logits_without_a_finite_loss_are_refused(value: float, row: int) -> None:
    logits: Any = np.zeros((8, 4), np.float32)
    targets: Any = np.ones(8, np.int32)
    logits[row, 1] = value
    with pytest.raises(CandidateFailed) as caught:
        scoring.Tally(targets, np.ones(4, np.int32)).add(logits)
    assert caught.value.kind == "nan"


@pytest.mark.parametrize(
    ("line", "step", "loss", "speed"),
    [
        ("step 00012 (34.5%) | loss: 3.2100 | dt: 12ms | tok/sec: 34,000", 12, 3.21, 34000.0),
        (
            "step 950 (100.0%) | train_loss=2.8e-1 | lrm: 0.00 | tok/sec: 1,234,567 | mfu: 39.8%",
            950,
            0.28,
            1234567.0,
        ),
        ("Iteration: 7, Loss = inf", 7, math.inf, None),
    ],
)
def test_progress_is_read_from_lines_of_several_styles(
    line: str, step: int, loss: float, speed: float | None
) -> None:
    progress = Progress()
    progress.read("loading, step by step")
    progress.read(line)
    assert progress.latest is not None
    assert (progress.latest.step, progress.latest.loss, progress.latest.tokens_per_second) == (
        step,
        loss,
        speed,
    )


def test_the_curve_stays_small_and_keeps_its_shape() -> None:
    progress = Progress()
    for step in range(1, 5001):
        progress.read(f"step {step} | loss: {10 / step:.6f}")
        progress.mark(step / 10)
    curve = progress.curve()
    steps = [point[0] for point in curve]
    assert CURVE_POINTS / 2 <= len(curve) <= CURVE_POINTS
    assert steps == sorted(steps) and steps[0] < 300 and steps[-1] > 4700
    assert all(seconds == step / 10 for step, seconds, _ in curve)


def test_a_log_is_clean_and_bounded(tmp_path) -> None:  # type: ignore[no-untyped-def]
    log = Log(tmp_path / "log.txt")
    log.add(b"\x1b[31mred\x1b[0m \x1b]0;title\x07bell\x00\rstep 3 | loss: 1")
    log.add(b".5\nval_bpb: 0.5\n" + "\u202etxt\n".encode() + b"\xff\n")
    assert log.tail() == "red bell\nstep 3 | loss: 1.5\nval_bpb: 0.5\ntxt\n\ufffd"
    assert log.progress.latest is not None and log.progress.latest.loss == 1.5
    assert log.progress.printed == {"val_bpb": 0.5}
    for _ in range(30):
        log.add(b"x" * (1 << 20))
    assert len(log.tail()) <= 4000
    log.close("over")
    log.add(b"late\n")
    assert "late" not in log.tail()
    written = (tmp_path / "log.txt").read_bytes()
    assert FILE_CAP <= len(written) < FILE_CAP + 200 and written.endswith(b"[nocturne] over\n")
    assert clean("a\x1b") == "a"


def test_the_last_traceback_is_found_and_cut() -> None:
    lines = [
        "Traceback (most recent call last):",
        '  File "/x/tree/train.py", line 1, in <module>',
        "KeyError: 'first'",
        "",
        "During handling of the above exception, another exception occurred:",
        "",
        "Traceback (most recent call last):",
        '  File "/lib/evaluator/inside/shim.py", line 9, in main',
        "    exec(code)",
        '  File "/x/tree/train.py", line 5, in <module>',
        "    step()",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
    ]
    failure = crash.diagnose(1, lines, Progress(), "/x/tree", "otherwise")
    assert (failure.kind, failure.reason) == (
        "out_of_memory",
        "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
    )
    assert failure.traceback is not None
    assert failure.traceback.splitlines()[1:3] == ['  File "train.py", line 5, in <module>', "    step()"]
    long = [*lines[:-1], "ValueError: " + "x" * 10_000]
    cut = crash.diagnose(1, long, Progress(), "/x/tree", "")
    assert cut.traceback is not None and len(cut.traceback) <= crash.TRACEBACK_CHARACTERS
    assert len(cut.reason) <= 500
    assert crash.diagnose(1, ["step 3 | loss: nan", "FAIL"], Progress(), "/x", "").kind == "nan"
    assert crash.diagnose(-9, [], Progress(), "/x", "").reason == "ended by SIGKILL"
