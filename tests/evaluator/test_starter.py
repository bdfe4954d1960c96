"""The bundled task: its data, its tokenizer, its cache, and the command that writes it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest

from evaluator import starter_files
from tests.evaluator.runs import COMMAND, starter


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("starter_prepare", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def prepare(cache: Path) -> ModuleType:
    return load(starter_files.FOLDER / "prepare.py")


def test_splits_are_disjoint_whole_files_and_the_held_out_ones_are_there(prepare: ModuleType) -> None:
    files = prepare.read_meta(prepare.ready(*prepare.FILES))["files"]
    names = [name for split in files.values() for name in split]
    assert len(names) == len(set(names)) > 200
    assert set(files["val"]) == set(prepare.VAL_FILES) and set(files["vault"]) == set(prepare.VAULT_FILES)
    assert not [name for name in names if "test" in name.split("/") or "site-packages" in name]


@pytest.mark.long
def test_no_training_imports_a_held_out_file(tmp_path: Path, prepare: ModuleType) -> None:
    """They shall be hidden from training runs, so neither Python nor torch may need them."""
    repo = starter(tmp_path / "repo")
    told = (
        "import sys, json, runpy\n"
        "runpy.run_path('train.py', run_name='__main__')\n"
        "import torch.utils.data, torch._dynamo, torch._inductor.compile_fx, torch.profiler\n"
        "files = [str(getattr(each, '__file__', '')) for each in list(sys.modules.values())]\n"
        "open('modules.json', 'w').write(json.dumps(files))\n"
    )
    subprocess.run(
        [sys.executable, "-B", "-c", told],
        cwd=repo,
        env={
            **os.environ,
            "NOCTURNE_BUDGET": "steps",
            "NOCTURNE_TIME_BUDGET": "1",
        },
        capture_output=True,
        check=True,
        timeout=120,
    )
    files = json.loads((repo / "modules.json").read_text())
    assert any(name.endswith("/argparse.py") for name in files)
    held_out = (*prepare.VAL_FILES, *prepare.VAULT_FILES)
    standard = sysconfig.get_paths()["stdlib"]
    assert not {f"{standard}/{name}" for name in held_out} & set(files)


def test_the_tokenizer_loses_nothing_and_counts_its_bytes(prepare: ModuleType) -> None:
    tokenizer = prepare.Tokenizer.from_directory()
    text = "def f(x):\n\treturn  x ** 2  # naïve “quotes” — 12345\r\n\n    \u00a0\u2003日本語\x00_a_b\n"
    ids = tokenizer.encode(text, prepend=tokenizer.get_bos_token_id())
    assert ids[0] == tokenizer.get_vocab_size() - 1 and max(ids[1:]) < ids[0]
    assert tokenizer.decode(ids) == text
    lengths = prepare.get_token_bytes()
    assert len(lengths) == tokenizer.get_vocab_size() == prepare.VOCAB_SIZE
    assert sum(int(lengths[i]) for i in ids) == len(text.encode())
    assert 2 * len(tokenizer.encode("\n    def __init__(self):\n        return None")) < 40


def test_batches_follow_the_seed_and_validation_does_not(
    prepare: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = prepare.Tokenizer.from_directory()

    def first(split: str, seed: str, rows: int = 3) -> list[list[int]]:
        monkeypatch.setenv("NOCTURNE_SEED", seed)
        x, y, _ = next(prepare.make_dataloader(tokenizer, rows, 128, split))
        assert x.shape == y.shape == (rows, 128)
        assert x[:, 1:].equal(y[:, :-1])
        rows_of: list[list[int]] = x.tolist()
        return rows_of

    assert first("train", "1") == first("train", "1") != first("train", "2")
    assert first("val", "1") == first("val", "2")
    rows = prepare.EVAL_TOKENS // 128
    loader = prepare.make_dataloader(tokenizer, 1, 128, "val")
    walked = [(x[0].tolist(), y[0].tolist()) for x, y, _ in (next(loader) for _ in range(8 * rows))]
    assert [x for x, _ in walked[:3]] == first("val", "1")
    assert walked[rows][0][0] == walked[0][1][-1], "after the scored rows come those that follow each of them"
    again = walked.index(walked[0], 1)
    assert again > rows and again % rows == 0
    assert len({tuple(x) for x, _ in walked}) == again


@pytest.mark.long
def test_a_cache_that_is_damaged_is_built_again_and_two_at_once_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    text, short = (starter_files.FOLDER / "prepare.py").read_text(), 'root.glob("[c-f]*.py")'  # to be quick
    assert 'root.rglob("*.py")' in text
    (tmp_path / "prepare.py").write_text(text.replace('root.rglob("*.py")', short))
    prepare = load(tmp_path / "prepare.py")
    command = [sys.executable, "-B", str(tmp_path / "prepare.py")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    known = prepare.fingerprint()
    assert all(known in each for each in said)
    folder = prepare.cache_folder()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]

    whole = (folder / "train.bin").read_bytes()
    (folder / "train.bin").write_bytes(whole[:-2] + b"\0\0")
    assert prepare.fingerprint() == known
    prepare.ready("train.bin")
    assert (folder / "train.bin").read_bytes() == whole
    (folder / "meta.json").unlink()
    assert prepare.fingerprint() == known
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_starter_writes_the_task_and_spares_what_is_there(tmp_path: Path) -> None:
    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, "starter", str(tmp_path / "new"), *more], capture_output=True, text=True
        )

    assert run().returncode == 0
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "prepare.py",
        "program.md",
        "train.py",
    ]
    assert run().returncode == 0  # the same again changes nothing
    (tmp_path / "new" / "train.py").write_text("mine")
    (tmp_path / "new" / "program.md").unlink()
    refused = run()
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1 and "train.py: is there already" in refused.stderr
    assert (tmp_path / "new" / "train.py").read_text() == "mine"
    assert not (tmp_path / "new" / "program.md").exists()
    assert run("--force").returncode == 0
    assert "GPT" in (tmp_path / "new" / "train.py").read_text()
