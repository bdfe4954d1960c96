"""Validation rows come from the repository's prepare.py once, and from the cache after that."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from evaluator.errors import UserError
from evaluator.jail import choose
from evaluator.settings import Settings
from evaluator.training import export
from tests.evaluator.pythons import running_task
from tests.evaluator.runs import COMMAND, STEPS, score, with_train

TOY = """
import os, pathlib, torch
MAX_SEQ_LEN, TIME_BUDGET, EVAL_TOKENS = 4, 2.5, 40
def fingerprint():
    return pathlib.Path(os.environ["XDG_CACHE_HOME"], "data").read_text()
class Tokenizer:
    from_directory = classmethod(lambda cls: cls())
    get_vocab_size = lambda self: 3
def get_token_bytes(device):
    return torch.tensor([1, 2, 0])
def make_dataloader(tokenizer, B, T, split):
    if split == "val":
        pathlib.Path(os.environ["XDG_CACHE_HOME"], "counter").open("a").write("x")
    while True:
        yield torch.tensor([[0, 1, 2, 0]]), torch.tensor([[1, 2, 0, 1]]), 1
"""


def rows_of(repo: Path, tokens: int | None = None) -> export.Exported:
    return export.load_or_make(repo, Settings(eval_tokens=tokens), choose("auto"), running_task(repo))


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "cache"
    home.mkdir()
    (home / "data").write_text("one")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "prepare.py").write_text(TOY)
    return repo


@pytest.mark.long
def test_rows_are_exported_once_and_again_where_they_are_damaged(toy: Path, tmp_path: Path) -> None:
    counter = tmp_path / "cache" / "counter"
    first = rows_of(toy)
    assert first.inputs.tolist() == [[0, 1, 2, 0]] * 10 and first.targets.tolist() == [[1, 2, 0, 1]] * 10
    assert first.token_bytes.tolist() == [1, 2, 0] and first.time_budget == 2.5
    again = rows_of(toy)
    assert again.fingerprint == first.fingerprint and np.array_equal(again.inputs, first.inputs)
    assert counter.read_text() == "x"
    assert len(rows_of(toy, 20).inputs) == 5
    assert counter.read_text() == "xx"
    path = next((tmp_path / "cache" / "nocturne" / "exports").glob("*/targets.npy"))
    path.write_bytes(path.read_bytes()[:40])
    assert rows_of(toy, 20).fingerprint
    assert rows_of(toy).fingerprint == first.fingerprint
    assert counter.read_text() == "xxx"
    left = (tmp_path / "cache" / "nocturne" / "exports").iterdir()
    assert not [each for each in left if each.name.startswith(".")]


@pytest.mark.long
def test_a_run_on_other_data_than_the_rows_come_from_is_stopped(toy: Path, tmp_path: Path) -> None:
    rows_of(toy, 2048)
    (tmp_path / "cache" / "data").write_text("two")
    (toy / "train.py").write_text("import time\ntime.sleep(60)\n")
    outcome = score(toy, STEPS)
    assert outcome.returncode == 2
    assert "the prepared data has changed" in outcome.stderr and outcome.stderr.count("\n") == 1
    # The mend that it names makes the rows new, and the fingerprint with them.
    done = subprocess.run(
        [*COMMAND, "prepare", str(toy), "--json"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["rows"] == 10


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nocturne_missing\n", "ModuleNotFoundError"),
        pytest.param(
            TOY.replace("[[0, 1, 2, 0]]", "[[0, 1, 3, 0]]"), "outside the vocabulary", marks=pytest.mark.slow
        ),
    ],
)
def test_a_prepare_that_fails_is_named_in_one_line(toy: Path, text: str, said: str) -> None:
    (toy / "prepare.py").write_text(text)
    with pytest.raises(UserError, match=r"prepare\.py: failed") as caught:
        rows_of(toy)
    assert said in str(caught.value)


@pytest.mark.slow  # all runs of the bundled task are of what this command prepares
def test_prepare_by_default_prepares_the_bundled_task(tmp_path: Path, cache: Path) -> None:
    done = subprocess.run([*COMMAND, "prepare"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "256 rows of 128 tokens" in done.stdout and "fingerprint: " in done.stdout
    repo = with_train(tmp_path / "repo", "print()\n")
    fingerprint = score(repo, {"budget": {"kind": "steps", "amount": 1}}).events[0]["fingerprint"]
    printed = done.stdout.split("fingerprint: ")[1].split()[0]
    assert (
        fingerprint == hashlib.sha256(f"{printed} steps 1.0".encode()).hexdigest()
    )  # scores know their budget
