"""Repositories of other shapes than upstream's: where the script lies, what starts it, what its prepare.py needs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.evaluator.runs import COMMAND, Outcome

SETTINGS: dict[str, Any] = {"budget": {"kind": "steps", "amount": 12}, "threads": 1}
PREPARE = """
import math, os, torch
MAX_SEQ_LEN, TIME_BUDGET, EVAL_TOKENS, VOCAB = 16, 3, 16 * 64, 32
class Tokenizer:
    @classmethod
    def from_directory(cls, *a): return cls()
    def get_vocab_size(self): return VOCAB
    def decode(self, ids): return "".join(chr(97 + i) for i in ids)
def get_token_bytes(device="cpu"): return torch.ones(VOCAB, dtype=torch.int32, device=device)
def make_dataloader(tokenizer, B, T, split):
    g = torch.Generator().manual_seed(1 if split == "train" else 2)
    while True:
        start = torch.randint(VOCAB, (B, 1), generator=g)
        x = (start + torch.cumsum(torch.randint(1, 4, (B, T + 1), generator=g), 1)) % VOCAB
        yield x[:, :-1].contiguous(), x[:, 1:].contiguous(), 1
def evaluate_bpb(model, tokenizer, batch_size):
    make_dataloader(tokenizer, batch_size, MAX_SEQ_LEN, "val")
"""
TRAIN = """
import torch
from prepare import MAX_SEQ_LEN, Tokenizer, make_dataloader, evaluate_bpb
torch.manual_seed(42)
tokenizer = Tokenizer.from_directory(); V = tokenizer.get_vocab_size()
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__(); self.e = torch.nn.Embedding(V, 32); self.o = torch.nn.Linear(32, V)
    def forward(self, x): return self.o(self.e(x))
model = Net(); weights = list(model.parameters())
loader = make_dataloader(tokenizer, 16, MAX_SEQ_LEN, "train")
for step in range(12):
    x, y, epoch = next(loader)
    loss = torch.nn.functional.cross_entropy(model(x).view(-1, V), y.view(-1))
    model.zero_grad(); loss.backward()
    for each in weights: each.data -= 0.5 * each.grad  # an optimizer of torch imports torch._dynamo
print("val_bpb:", evaluate_bpb(model, tokenizer, 16))
"""
RANKS = (
    TRAIN.replace("import torch\n", "import os, torch, torch.distributed as dist\n", 1)
    .replace("torch.manual_seed(42)", 'dist.init_process_group("gloo"); torch.manual_seed(42)')
    .replace("weights = ", "net, model = model, torch.nn.parallel.DistributedDataParallel(model); weights = ")
    .replace(
        "    loss =",
        "    seen = [torch.zeros_like(x) for _ in range(2)]; dist.all_gather(seen, x)\n"
        "    assert not torch.equal(*seen), 'both processes see the same rows'\n    loss =",
    )
    .replace('print("val_bpb:", evaluate_bpb(model, tokenizer, 16))', "")
    + "both = [None, None]; bpb = evaluate_bpb(model, tokenizer, 16)\n"
    "dist.all_gather_object(both, bpb); assert both == [bpb, bpb]; dist.destroy_process_group()\n"
)


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_py", ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def score(repo: Path, settings: dict[str, Any], *more: str) -> Outcome:
    """Run `score --json`, without the bundled task having been prepared: these repositories have tasks of their own."""
    done = subprocess.run(
        [*COMMAND, "score", str(repo), "--json", "--settings", "-", *more], input=json.dumps(settings),
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    return Outcome(done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr)


def scored(repo: Path, settings: dict[str, Any], *more: str) -> dict[str, Any]:
    outcome = score(repo, {**SETTINGS, **settings}, *more)
    assert outcome.last["event"] == "score", (outcome.last, outcome.stderr)
    return {**outcome.events[0], **outcome.last}


@pytest.mark.long
def test_a_script_may_lie_in_a_subfolder_and_be_called_otherwise(tmp_path: Path) -> None:
    text = (
        TRAIN.replace("import torch\n", "import torch, wide\n", 1)
        .replace("32)", "wide.WIDTH)")
        .replace("(32,", "(wide.WIDTH,")
    )
    files = {
        "research__lm__pretrain_py": text,
        "research__lm__wide_py": "WIDTH = 24\n",
        "research__prepare_py": PREPARE,
    }
    repo = write(tmp_path / "repo", **files)
    found = scored(repo, {"editable": ["research/lm/pretrain.py"]})
    assert (found["script"], found["folder"]) == ("research/lm/pretrain.py", "research")
    assert (found["eval_tokens"], found["eval_tokens_of"]) == (1024, 1024)
    assert found["metrics"]["num_params_M"] == pytest.approx((32 * 24 + 24 * 32 + 32) / 1e6, abs=1e-6)
    other = tmp_path / "other.py"
    other.write_text("import sys\nsys.exit('another script')\n")
    settings = {**SETTINGS, "train": "research/lm/pretrain.py"}
    failed = score(repo, settings, "--train", str(other))
    assert "another script" in failed.last["reason"]


@pytest.mark.long
def test_a_launcher_starts_several_processes_and_the_first_one_counts(tmp_path: Path) -> None:
    repo = write(tmp_path / "repo", train_py=RANKS, prepare_py=PREPARE)
    found = scored(repo, {"launch": ["torchrun", "--nproc-per-node", "2"]})
    assert found["metrics"]["num_batches"] >= 2 * 12


@pytest.mark.slow  # how failures are told is what `test_failures` is about
def test_a_launcher_that_fails_is_told_as_any_script_is(tmp_path: Path) -> None:
    repo = write(tmp_path / "repo", train_py=RANKS, prepare_py=PREPARE)
    (repo / "train.py").write_text(RANKS.replace("seen = ", "seen = nothing_of_this_name; ", 1))
    failed = score(repo, {**SETTINGS, "launch": ["torchrun", "--nproc-per-node", "2"]}).last
    assert failed["class"] == "error" and "nothing_of_this_name" in failed["reason"]
    missing = score(repo, {**SETTINGS, "launch": ["no-such-launcher"]}).last
    assert missing["class"] == "error" and "no-such-launcher: can't be started" in missing["reason"]


@pytest.mark.slow  # what can't be taken along and how that is said is in `portable`
def test_a_model_that_cant_be_rebuilt_is_no_cheat(tmp_path: Path) -> None:
    asks = TRAIN.replace("self.o = ", "import socket; self.f = socket.socket(); self.o = ").replace(
        "return self.o", "self.f.fileno(); return self.o"
    )
    repo = write(tmp_path / "repo", train_py=asks, prepare_py=PREPARE)
    last = score(repo, SETTINGS).last
    assert (last["event"], last["class"], last["defence"]) == ("failed", "unportable", None)
    assert "socket" in last["reason"] and "keep it out of the model" in last["reason"]


@pytest.mark.slow  # data that prepare.py reads and nobody else sees is in `test_around`
def test_data_that_prepare_reads_when_it_is_imported_stays_hidden(tmp_path: Path) -> None:
    text = (
        PREPARE
        + "STEP = int(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'data', 'n.txt')).read())\n"
    )
    train = TRAIN.replace(
        "evaluate_bpb\n",
        "evaluate_bpb, STEP\nassert STEP == 3\nimport os; assert not os.path.exists('data/n.txt')\n",
        1,
    )
    repo = write(tmp_path / "repo", train_py=train, prepare_py=text, data__n="3\n")
    (repo / "data" / "n").rename(repo / "data" / "n.txt")
    assert scored(repo, {"data": ["data"]})["score"] > 0


@pytest.mark.slow  # a line of text
@pytest.mark.parametrize(
    ("tokens", "said"),
    [(512, "scores 512 of the repository's 102,400"), ("all", "scores all 102,400 validation")],
)
def test_how_many_tokens_are_scored_is_said_to_people(tmp_path: Path, tokens: object, said: str) -> None:
    repo = write(
        tmp_path / "repo", train_py=TRAIN, prepare_py=PREPARE.replace("16 * 64, 32", "16 * 6400, 32")
    )
    done = subprocess.run(
        [*COMMAND, "prepare", str(repo), "--settings", "-"], input=json.dumps({"eval_tokens": tokens}),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said in done.stdout
