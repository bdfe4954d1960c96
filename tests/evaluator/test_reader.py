"""Logits that a process of ours reads by torch: the same score, and no more trust than when they are copied."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from evaluator.errors import CandidateFailed
from evaluator.inside import frames
from evaluator.training import reading, scoring
from evaluator.training.buffer import Buffer
from tests.evaluator.pythons import running_task
from tests.evaluator.runs import COMMAND, prepared


def test_losses_by_torch_are_those_of_the_scorer() -> None:
    import torch  # three seconds, which collecting the tests is not worth

    from evaluator.inside import reader

    random = np.random.default_rng(5)
    logits = (random.standard_normal((200, 37)) * 20).astype(np.float32)
    logits[3, 1] = -np.inf
    targets = random.integers(0, 37, 200).astype(np.int32)
    targets[3] = 2
    found = reader.losses(torch.from_numpy(logits), torch.from_numpy(targets).long()).numpy()
    np.testing.assert_allclose(found, scoring.cross_entropy(logits, targets), rtol=1e-6, atol=1e-6)
    assert found.dtype == np.float64


@pytest.mark.parametrize("spoiled", [np.nan, np.inf])
def test_what_is_no_number_stays_none(spoiled: float) -> None:
    import torch

    from evaluator.inside import reader

    logits = torch.zeros(4, 5)
    logits[2, 1] = spoiled
    found = reader.losses(logits, torch.tensor([0, 1, 2, 3])).numpy()
    assert not np.isfinite(found[2]) and np.isfinite(found[[0, 1, 3]]).all()


def test_copied_logits_are_read_slot_by_slot() -> None:
    buffer = Buffer(4)
    try:
        copied = reading.Copied(buffer)
        slot, nats = copied.read(frames.SLOT.pack(1, 3), np.array([0, 1, 2, 3], np.int32))
        assert slot == 1 and nats == pytest.approx([np.log(4)] * 3)  # nobody has written there: all alike
        for slot, count in ((2, 1), (0, 0), (0, 5)):
            with pytest.raises(CandidateFailed, match="wrong size"):
                copied.read(frames.SLOT.pack(slot, count), np.zeros(4, np.int32))
    finally:
        buffer.close()


def test_what_a_trial_has_shown_holds_for_this_machine_and_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    python = running_task(tmp_path)
    assert reading.trial_of(python) is None
    reading.remember(python, agreed=True)
    assert reading.trial_of(python) is True
    reading.remember(python, agreed=False)
    assert reading.trial_of(python) is False
    (kept,) = tmp_path.glob("nocturne/readers.json")
    known = json.loads(kept.read_text())
    kept.write_text(json.dumps({"another machine": True}))
    assert len(known) == 1 and reading.trial_of(python) is None
    kept.write_text("no JSON")
    assert reading.trial_of(python) is None


@pytest.mark.slow  # minutes on all validation tokens; that both ways agree is shown above
def test_the_command_tries_both_ways_and_says_what_it_found(tmp_path: Path) -> None:
    prepared(None)
    done = subprocess.run(
        [*COMMAND, "reader"], capture_output=True, text=True, timeout=280, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    copied, read, said = done.stdout.splitlines()
    assert copied.startswith("copied: ") and read.startswith("read:   ") and said.startswith("they agree")
