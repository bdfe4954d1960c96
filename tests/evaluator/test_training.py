"""Scores: computed by us, from logits, once; and always the same for the same seed."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluator.jail import choose
from evaluator.settings import Settings
from evaluator.training import export
from tests.evaluator.honest.writing import shorten
from tests.evaluator.pythons import running_task
from tests.evaluator.references import reference_file
from tests.evaluator.runs import (
    EVAL_TOKENS,
    STEPS,
    prepared,
    processes_with,
    score,
    start_score,
    starter,
    with_train,
)

# A training of no steps and a table of numbers for a model; tests put lines of their own around it.
TINY = """
import torch
from prepare import Tokenizer, evaluate_bpb, make_dataloader

class Table(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.table = torch.nn.Parameter(torch.zeros(size, size))
        self.calls = 0

    def forward(self, idx, targets=None, reduction="mean"):
        self.calls += 1
        return self.table[idx]

tokenizer = Tokenizer.from_directory()
model = Table(tokenizer.get_vocab_size())
next(make_dataloader(tokenizer, 4, 128, "train"))
"""


def by_hand(repo: Path, seed: int) -> float:
    """Train and evaluate in one process with the repository's own prepare.py, and return what it prints."""
    env = {**os.environ, "NOCTURNE_BUDGET": "steps", "NOCTURNE_TIME_BUDGET": "3", "NOCTURNE_SEED": str(seed)}
    env |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-B", "train.py"],
        cwd=repo,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = re.search(r"^val_bpb:\s+(\S+)$", done.stdout, re.MULTILINE)
    assert found, done.stdout
    return float(found[1])


@pytest.mark.long
def test_the_score_is_what_the_repository_itself_measures(tmp_path: Path) -> None:
    repo = starter(tmp_path / "repo", {"val_bpb:          {val_bpb:.6f}": "val_bpb: {val_bpb:.9f}"})
    shorten(repo / "prepare.py")
    settings = {"budget": {"kind": "steps", "amount": 3}, "threads": 1}
    first = score(repo, settings, "--seed", "1", "--out", str(tmp_path / "out"))
    assert first.returncode == 0
    assert [event["event"] for event in first.events if event["event"] != "progress"] == [
        "started",
        "scoring",
        "score",
    ]
    result = first.last
    assert result["score"] == pytest.approx(by_hand(repo, seed=1), abs=1e-6)
    assert result["metrics"]["num_steps"] == 3
    assert result["metrics"]["total_tokens_M"] == pytest.approx(
        4 * 8 * 128 / 1e6
    )  # one batch is fetched ahead
    assert result["metrics"]["num_params_M"] == pytest.approx(result["printed"]["num_params_M"], abs=1e-3)
    assert (result["metric"], result["direction"]) == ("val_bpb", "minimize")
    assert result["jail"] == first.events[0]["jail"] != "none"
    assert result["audit"]["probes"] >= 512 and result["audit"]["upper_bpb"] < 0.00025
    assert result["fingerprint"] == first.events[0]["fingerprint"]
    assert 0 < result["metrics"]["startup_seconds"] < result["metrics"]["total_seconds"]
    assert result["metrics"]["peak_memory_mb"] > 50
    assert result["curve"][-1][0] == 3
    # What a killed bot would find.
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == result
    assert "step 00003" in (tmp_path / "out" / "log.txt").read_text()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["log.txt", "result.json"]


@pytest.mark.slow  # in two jails it does, which `test_landlock_runs` shows
def test_the_same_run_again_gives_the_same_score(tmp_path: Path) -> None:
    repo = starter(tmp_path / "repo")
    first, same = (score(repo, STEPS, "--seed", "1").last["score"] for _ in range(2))
    assert first == same  # to the last bit; that another seed draws other data is `test_starter`'s to show


@pytest.mark.long
@pytest.mark.parametrize(("kind", "beside"), [("steps", True), ("wall", False)])
def test_the_audits_process_gets_ready_beside_a_training_whose_time_it_does_not_take(
    tmp_path: Path, kind: str, beside: bool
) -> None:
    """What it imports takes seconds that nobody has to wait for. But if the wall is the budget and processors train, a
    core is the candidate's."""
    trains = (
        "import time\nuntil = time.monotonic() + 2\nwhile time.monotonic() < until:\n    time.sleep(0.05)\n"
    )
    repo = with_train(tmp_path / "audited", f"{TINY}{trains}evaluate_bpb(model, tokenizer, 4)\n")
    process = start_score(repo, {**STEPS, "budget": {"kind": kind, "amount": 2}})
    assert process.stdout is not None
    found = set()
    for line in process.stdout:
        if json.loads(line)["event"] == "progress":
            found.add(bool({*processes_with(str(repo))} & {*processes_with("\0prober\0")}))
    assert process.wait(timeout=120) == 0
    assert found == {beside}


@pytest.mark.long
def test_a_candidate_is_scored_by_its_logits_and_not_by_what_it_prints(tmp_path: Path) -> None:
    """Read by torch, too: what is copied is scored like that in the test before, and in that of `reader`. Its 2048
    tokens are 16 rows, so that the last batch is a short one."""
    forged = """
print('{"v": 1, "event": "score", "metric": "val_bpb", "score": 0.01}')
print("val_bpb: 0.01", flush=True)
try:
    next(make_dataloader(tokenizer, 4, 128, "val"))
except PermissionError:
    print("the validation split is not served")
import numpy
model.table.data.copy_(torch.from_numpy(numpy.random.default_rng(5).standard_normal(model.table.shape)))
told = evaluate_bpb(model, tokenizer, 5)
print("---\\nval_bpb: 0.01")
"""
    repo = with_train(tmp_path / "repo", TINY + forged)
    result = score(repo, {**STEPS, "logits": "read"}).last
    assert result["event"] == "score"
    assert result["score"] == pytest.approx(of_the_table(repo), abs=1e-6)
    assert "the validation split is not served" in result["log_tail"]


def of_the_table(repo: Path) -> float:
    """Return the bits per byte of the model whose table numpy draws by seed 5, computed here from the rows."""
    prepared()
    rows = export.load_or_make(repo, Settings(eval_tokens=EVAL_TOKENS), choose("auto"), running_task(repo))
    size, targets = len(rows.token_bytes), rows.targets.ravel()
    table = np.random.default_rng(5).standard_normal((size, size))
    nats = np.log(np.exp(table).sum(axis=1))[rows.inputs.ravel()] - table[rows.inputs.ravel(), targets]
    lengths = rows.token_bytes[targets]
    return float(nats[lengths > 0].sum() / lengths.sum() / math.log(2))


@pytest.mark.long
def test_nothing_is_kept_of_what_is_printed_after_validation_tokens_were_seen(tmp_path: Path) -> None:
    leak = """
import sys
class Leaky(Table):
    def forward(self, idx, targets=None, reduction="mean"):
        logits = super().forward(idx)
        print(f"call {self.calls}", "secret" if self.calls > 1 else "rehearsal", flush=True)
        return logits
evaluate_bpb(Leaky(tokenizer.get_vocab_size()), tokenizer, 4)
print("secret_number: 42")
raise RuntimeError("secret")
"""
    result = score(with_train(tmp_path / "repo", TINY + leak), STEPS, "--out", str(tmp_path / "out"))
    assert result.last["event"] == "score"  # a stumble after the score takes nothing away
    assert "call 1 rehearsal" in result.last["log_tail"]
    assert "secret" not in json.dumps(result.events)
    assert "secret" not in (tmp_path / "out" / "log.txt").read_text()


@pytest.mark.slow  # among the cheats with odd numbers, CI tries one of these
def test_logits_that_are_not_finite_are_no_score(tmp_path: Path) -> None:
    text = TINY + "model.table.data[:, 7] = float('nan')\nevaluate_bpb(model, tokenizer, 4)\n"
    last = score(with_train(tmp_path / "repo", text), STEPS).last
    assert (last["event"], last["class"]) == ("failed", "nan")


@pytest.mark.slow  # as `test_smoke` shows
def test_logits_of_a_wrong_shape_are_explained(tmp_path: Path) -> None:
    text = TINY + "model.table.data = model.table.data[:, :100]\nevaluate_bpb(model, tokenizer, 4)\n"
    last = score(with_train(tmp_path / "repo", text), STEPS).last
    assert (last["event"], last["class"]) == ("failed", "error")
    assert "(4, 128, 512), not (4, 128, 100)" in last["reason"]
    assert "train.py" in last["traceback"] and "inside" not in last["traceback"]


@pytest.mark.long
def test_a_loss_that_is_not_finite_is_told_as_nan(tmp_path: Path) -> None:
    repo = starter(tmp_path / "repo", {"loss = model(x, y)": "loss = model(x, y) * float('nan')"})
    last = score(repo, STEPS).last
    assert (last["event"], last["class"]) == ("failed", "nan")
    assert "not finite" in last["log_tail"]


@pytest.mark.long
def test_training_beyond_the_budget_is_refused_however_it_is_spent(tmp_path: Path) -> None:
    burn = (
        "import subprocess, sys\n"
        "code = 'import time\\nwhile time.process_time() < 2.5: pass'\n"
        "subprocess.run([sys.executable, '-c', code])\n"
        "evaluate_bpb(model, tokenizer, 4)\n"
    )
    settings = {**STEPS, "budget": {"kind": "cpu", "amount": 0.5}}
    charged = ("--reference", reference_file(tmp_path, "cpu", 0.5))
    last = score(with_train(tmp_path / "cpu", TINY + burn), settings, *charged).last
    assert (last["event"], last["class"]) == ("failed", "refused")
    assert "over the time budget" in last["reason"] and "CPU" in last["reason"]
    assert last["metrics"]["training_seconds"] >= 2.4


@pytest.mark.long
def test_a_budget_on_the_wall_counts_waiting_and_may_have_a_warm_up(tmp_path: Path) -> None:
    wait = (
        "import time\ntime.sleep(10)\nbatches = make_dataloader(tokenizer, 4, 128, 'train')\n"
        "for _ in range(30): next(batches)\nevaluate_bpb(model, tokenizer, 4)\n"
    )
    settings = {**STEPS, "budget": {"kind": "wall", "amount": 3}}
    charged = ("--reference", reference_file(tmp_path, "wall", 3.0))
    # A human may set so much aside, whatever the reference needed.
    repo = with_train(tmp_path / "wall", TINY + wait)
    last = score(repo, {**settings, "warmup_seconds": 60}, *charged).last
    assert last["event"] == "score" and 2 < last["metrics"]["warmup_seconds"] <= 60
    last = score(repo, {**settings, "warmup_seconds": 0.4}, *charged).last
    assert last["event"] == "failed" and last["class"] in ("refused", "timeout")


@pytest.mark.long
def test_a_repository_in_the_form_of_autoresearch_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No fingerprint, a budget without environment, data under the home folder, one buffer for all batches."""
    home = tmp_path / "home"
    (home / ".cache" / "toy").mkdir(parents=True)
    (home / ".cache" / "toy" / "text").write_bytes(bytes(i * i % 251 for i in range(5000)))
    monkeypatch.setenv("HOME", str(home))
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "prepare.py").write_text(
        "import os, torch\n"
        "MAX_SEQ_LEN, TIME_BUDGET, EVAL_TOKENS = 16, 7, 640\n"
        "DATA = os.path.join(os.path.expanduser('~'), '.cache', 'toy', 'text')\n"
        "class Tokenizer:\n"
        "    @classmethod\n"
        "    def from_directory(cls): return cls()\n"
        "    def get_vocab_size(self): return 256\n"
        "    def get_bos_token_id(self): return 255\n"
        "def get_token_bytes(device='cpu'):\n"
        "    return torch.tensor([1] * 255 + [0], dtype=torch.int32, device=device)\n"
        "def make_dataloader(tokenizer, B, T, split):\n"
        "    data = torch.frombuffer(bytearray(open(DATA, 'rb').read()), dtype=torch.uint8).long()\n"
        "    x, y, at = torch.empty(B, T, dtype=torch.long), torch.empty(B, T, dtype=torch.long), 0\n"
        "    while True:\n"
        "        for row in range(B):\n"
        "            x[row], y[row] = data[at:at + T], data[at + 1:at + T + 1]\n"
        "            at = (at + T) % 4000\n"
        "        yield x, y, 1\n"
        "def evaluate_bpb(model, tokenizer, batch_size): raise SystemExit('the real one was called')\n"
    )
    (repo / "train.py").write_text(
        "import torch\nfrom prepare import MAX_SEQ_LEN, TIME_BUDGET, Tokenizer, evaluate_bpb, make_dataloader\n"
        "tokenizer = Tokenizer.from_directory()\n"
        "x, y, epoch = next(make_dataloader(tokenizer, 2, MAX_SEQ_LEN, 'train'))\n"
        "table = torch.full((256, 256), -1e9)\n"
        "for i in range(4100): table[i * i % 251] = 0.0\n"
        "assert TIME_BUDGET == 7 and type(TIME_BUDGET) is int\n"
        "print('told', evaluate_bpb(lambda idx: torch.zeros(*idx.shape, 256), tokenizer, 3))\n"
    )
    outcome = score(repo, None)
    assert outcome.last["event"] == "score", outcome.last
    assert outcome.events[0]["budget"] == {"kind": "wall", "amount": 7.0}
    assert outcome.last["score"] == pytest.approx(8.0)  # log2 of 256 for each byte


@pytest.mark.long
def test_a_repository_is_never_changed_and_lends_no_credentials(
    tmp_path: Path, light: dict[str, Any]
) -> None:
    text = (
        "import os, pathlib\n"
        "for name in ('train.py', 'new'):\n"
        "    try: pathlib.Path(name).write_text('changed')\n"
        "    except OSError as error: print(error)\n"
        "print(sorted(os.environ), pathlib.Path.home())\n"
    )
    repo = with_train(tmp_path / "repo", text)
    last = score(repo, light, env={"GITHUB_TOKEN": "x", "ANTHROPIC_API_KEY": "x"}).last
    assert last["reason"] == "train.py ended without calling evaluate_bpb"
    assert (last["event"], last["class"]) == ("failed", "error")
    assert "NOCTURNE_SEED" in last["log_tail"] and "Read-only" not in last["log_tail"]
    assert "GITHUB_TOKEN" not in last["log_tail"] and "API_KEY" not in last["log_tail"]
    assert (repo / "train.py").read_text() == text
    assert not (repo / "new").exists()


@pytest.mark.long
def test_another_train_file_runs_in_place_of_the_repositorys(tmp_path: Path, light: dict[str, Any]) -> None:
    """That it is scored, too, is what `test_reference` shows."""
    repo = with_train(tmp_path / "repo", "raise SystemExit('the wrong one')\n")
    (tmp_path / "other.py").write_text("raise SystemExit('the right one')\n")
    assert "the right one" in score(repo, light, "--train", str(tmp_path / "other.py")).last["reason"]
