"""What a script finds around it when it trains: package caches, a working folder, loopback, data that git ignores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evaluator import caches
from evaluator.jail import choose
from evaluator.settings import Settings
from evaluator.training import export
from tests.evaluator import forked
from tests.evaluator.pythons import running_task
from tests.evaluator.runs import Outcome
from tests.families import few

PREPARE = """\
import os, pathlib, torch
MAX_SEQ_LEN, TIME_BUDGET, EVAL_TOKENS = 16, 30, 1024
HERE = pathlib.Path(__file__).parent
class Tokenizer:
    from_directory = classmethod(lambda cls: cls())
    get_vocab_size = lambda self: 32
def get_token_bytes(device="cpu"):
    return torch.ones(32, dtype=torch.int32, device=device)
def make_dataloader(tokenizer, B, T, split):
    step = int((HERE / "data" / "step.txt").read_text())
    draw = torch.Generator().manual_seed(1 if split == "train" else 2)
    while True:
        rows = torch.randint(32, (B, 1), generator=draw) + step * torch.arange(T + 1)[None, :]
        yield rows[:, :-1] % 32, rows[:, 1:] % 32, 1
"""
TRAIN = """\
import os, pathlib, torch
from prepare import MAX_SEQ_LEN, Tokenizer, evaluate_bpb, make_dataloader
tokenizer = Tokenizer.from_directory()
x, y, epoch = next(make_dataloader(tokenizer, 4, MAX_SEQ_LEN, "train"))
model = torch.nn.Sequential(torch.nn.Embedding(32, 8), torch.nn.Linear(8, 32))
"""
STEPS = {"budget": {"kind": "steps", "amount": 3}, "threads": 1, "eval_tokens": 512}


def scored(repo: Path, settings: dict[str, object], home: Path, **env: str) -> Outcome:
    """Run the evaluator with `home` for a home folder and no caches but those in it."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "XDG_", "TORCH", "KERNELS"))
    }
    asked, said = ["score", str(repo), "--json", "--settings", "-"], json.dumps(settings)
    done = forked.run(asked, said=said, env={**kept, "HOME": str(home), **env}, timeout=240)
    if "no jail can be made" in done.stderr:
        pytest.skip(done.stderr)
    return Outcome(done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr)


def hub(folder: Path, kind: str, name: str, files: dict[str, str]) -> Path:
    """Make a repository in a hub's cache: blobs, and a snapshot of links to them, as huggingface_hub lays them out."""
    top = folder / f"{kind}s--{name.replace('/', '--')}"
    snapshot = top / "snapshots" / ("0123456789" * 4)
    (top / "blobs").mkdir(parents=True)
    (top / "refs").mkdir()
    for ref in ("main", "v1"):
        (top / "refs" / ref).write_text(snapshot.name)
    for number, (path, text) in enumerate(files.items()):
        place = snapshot / path
        place.parent.mkdir(parents=True, exist_ok=True)
        (top / "blobs" / str(number)).write_text(text)
        place.symlink_to(os.path.relpath(top / "blobs" / str(number), place.parent))
    return snapshot


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with caches: a kernel, a model whose blob is shared, a data set, torch hub, and secrets."""
    made = tmp_path / "home"
    cache = made / ".cache"
    folder = cache / "huggingface" / "hub"
    told = {"name": "twice", "id": "twice", "version": 1, "license": "mit", "python-depends": []}
    kernel = {
        "build/torch-universal/__init__.py": "def twice(x): return 2 * x\n",
        "build/torch-universal/metadata.json": json.dumps({**told, "backend": {"type": "cpu"}}),
    }
    hub(folder, "kernel", "someone/twice", kernel)
    hub(folder, "model", "someone/twice", kernel)  # where kernels before 0.13 look, autoresearch's among them
    hub(folder, "dataset", "someone/answers", {"labels.txt": "answers"})
    model = hub(folder, "model", "someone/small", {"config.json": '{"width": 8}'})
    shared = folder / "blobs" / "ab" / "abcd"
    shared.parent.mkdir(parents=True)
    shared.write_text("weights")
    (folder / "blobs" / "cd").mkdir()
    (folder / "blobs" / "cd" / "cdef").write_text("answers")
    (model.parents[1] / "blobs" / "w").symlink_to("../../blobs/ab/abcd")
    (model / "weights").symlink_to("../../blobs/w")
    (cache / "huggingface" / "token").write_text("hf_secret")
    (cache / "torch" / "hub" / "checkpoints").mkdir(parents=True)
    (cache / "torch" / "hub" / "checkpoints" / "net.pth").write_text("net")
    (cache / "torch" / "hub" / "trusted_list").write_text("someone_else\n")
    return made


def test_caches_are_found_where_their_packages_look_and_data_sets_are_not(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    other = tmp_path / "other"
    hub(other, "model", "someone/large", {"config.json": "{}"})
    hub(other, "space", "someone/demo", {"app.py": ""})
    monkeypatch.setenv("KERNELS_CACHE", str(other))
    monkeypatch.setenv("LOCAL_KERNELS", f"a/b={home}:c/d=relative")
    found = caches.found()
    assert {place for place, _ in found.links} == {
        ".cache/huggingface/hub/kernels--someone--twice", ".cache/huggingface/hub/models--someone--small",
        ".cache/huggingface/hub/models--someone--twice",
        ".cache/kernels/models--someone--large", ".cache/torch/hub/checkpoints",
    }  # fmt: skip
    assert home / ".cache/huggingface/hub/blobs/ab/abcd" in found.shown and home in found.shown
    assert not [path for path in found.shown if path.name in ("cdef", "token") or "dataset" in path.name]
    assert any("datasets--" in place for place, _ in caches.found(datasets=True).links)


LOOK = """\
import json, os, pathlib, sys
def text(path):
    try: return pathlib.Path(path).expanduser().read_text()
    except OSError as error: return type(error).__name__
hub = pathlib.Path(os.environ["HF_HUB_CACHE"])
rev = "0123456789" * 4
print(json.dumps([
    text(hub / "models--someone--small/snapshots" / rev / "weights"),
    text(f"~/.cache/huggingface/hub/models--someone--small/snapshots/{rev}/config.json"),
    text(f"{OUTSIDE}/.cache/huggingface/hub/models--someone--small/snapshots/{rev}/config.json"),
    text(os.environ["TORCH_HOME"] + "/hub/checkpoints/net.pth"),
    text(f"{OUTSIDE}/.cache/huggingface/hub/datasets--someone--answers/snapshots/{rev}/labels.txt"),
    text(hub / "datasets--someone--answers/snapshots" / rev / "labels.txt"),
    text(f"{OUTSIDE}/.cache/huggingface/hub/blobs/cd/cdef"),
    text("~/.cache/huggingface/token"), text(f"{OUTSIDE}/.cache/huggingface/token"),
    os.environ["HF_HUB_OFFLINE"],
]))
(hub / ".locks").mkdir()
for name in ("TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "HF_MODULES_CACHE", "MPLCONFIGDIR", "NUMBA_CACHE_DIR"):
    pathlib.Path(os.environ[name], "x").mkdir(parents=True)
try: (hub / "models--someone--small" / "planted").touch()
except OSError as error: print(error.strerror)
print("METRIC value=1")
"""


def test_a_script_finds_its_packages_caches_and_no_more(home: Path, tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "bench.py").write_text(f"OUTSIDE = {str(home)!r}\n{LOOK}")
    settings: dict[str, object] = {
        "kind": "command",
        "command": ["python", "bench.py"],
        "metric": {"name": "value"},
    }
    last = scored(repo, settings, home).last
    assert last["event"] == "score", last
    told, refused = last["log_tail"].splitlines()[:2]
    gone = "FileNotFoundError"
    assert json.loads(told) == [
        "weights", '{"width": 8}', '{"width": 8}', "net", gone, gone, gone, gone, gone, "1",
    ]  # fmt: skip
    assert refused == "Read-only file system"
    assert not (home / ".cache/huggingface/hub/.locks").exists()


@pytest.mark.long
def test_a_kernel_of_the_hub_is_loaded_offline_and_again_in_the_audit(home: Path, tmp_path: Path) -> None:
    kernels = pytest.importorskip("kernels")
    version = (
        "" if kernels.__version__.startswith("0.12.") else ", version=1"
    )  # which 0.12 asks the network for
    repo = contract(tmp_path / "repo")
    (repo / "train.py").write_text(
        TRAIN + "from kernels import get_kernel\n"
        f"twice = get_kernel('someone/twice'{version}).twice\n"
        "assert twice(2) == 4\n"
        "class Twice(type(model)):\n"
        "    def forward(self, *args, **kwargs): return twice(super().forward(*args, **kwargs))\n"
        "model.__class__ = Twice\n"
        "import pickle; torch.save(model.state_dict(), 'model.pt')\n"
        "evaluate_bpb(model, tokenizer, 4)\n"
    )
    outcome = scored(repo, STEPS, home)
    assert outcome.last["event"] == "score", (outcome.last, outcome.stderr)
    assert not (repo / "model.pt").exists()


def contract(repo: Path) -> Path:
    """Write a task with the contract of autoresearch whose data lies in the repository, ignored by git."""
    (repo / "data").mkdir(parents=True)
    (repo / "data" / "step.txt").write_text("3")
    (repo / ".gitignore").write_text("data/\n")
    (repo / "prepare.py").write_text(PREPARE)
    (repo / "train.py").write_text(TRAIN + "evaluate_bpb(model, tokenizer, 4)\n")
    for words in (("init", "-q"), ("add", "-A")):
        subprocess.run(["git", *words], cwd=repo, check=True)
    return repo


@pytest.mark.parametrize(
    ("more", "seen"),
    # What `read` shows is tried with commands in `test_paths`.
    few([({}, "[False, False]"), ({"read": ["data"]}, "[True, True]")], 0, in_ci=1),
)
def test_ignored_data_is_prepares_and_the_candidates_only_where_read_says_so(
    home: Path, tmp_path: Path, more: dict[str, object], seen: str
) -> None:
    repo = contract(tmp_path / "repo")
    look = f"print([pathlib.Path(path, 'data/step.txt').exists() for path in ('.', {str(repo)!r})])\n"
    (repo / "train.py").write_text(TRAIN + look + "evaluate_bpb(model, tokenizer, 4)\n")
    outcome = scored(repo, {**STEPS, **more}, home)
    assert outcome.last["event"] == "score", (outcome.last, outcome.stderr)
    assert seen in outcome.last["log_tail"]


@pytest.mark.long
def test_changed_data_beside_prepare_makes_the_rows_new_and_other_text_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    repo = contract(tmp_path / "repo")

    def rows() -> str:
        return export.load_or_make(
            repo, Settings(eval_tokens=64), choose("auto"), running_task(repo)
        ).fingerprint

    first = rows()
    (repo / "train.py").write_text("another candidate")
    (repo / "notes.md").write_text("notes")
    assert rows() == first
    folders = len(list((tmp_path / "cache/nocturne/exports").iterdir()))
    assert folders == 1
    (repo / "data" / "step.txt").write_text("5")
    assert rows() != first


GROUP = """\
import torch, torch.distributed as dist
dist.init_process_group("gloo")
value = torch.tensor([float(dist.get_rank() + 1)])
dist.all_reduce(value)
if dist.get_rank() == 0:
    print(f"METRIC sum={value.item()}")
dist.destroy_process_group()
"""


@pytest.mark.long
def test_processes_find_each_other_by_loopback(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "bench.py").write_text(GROUP)
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone", "bench.py"]
    settings: dict[str, object] = {"kind": "command", "command": words, "metric": {"name": "sum"}}
    outcome = scored(repo, settings, tmp_path)
    assert outcome.last["event"] == "score" and outcome.last["score"] == 3.0, outcome.last
