"""A candidate gets from `prepare` what the repository's own prepare.py would give it, whatever that takes and gives."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.evaluator.contract.serving import served_by

pytestmark = pytest.mark.long  # each starts a server that imports torch

COMMON = """
import collections, dataclasses, os, torch
MAX_SEQ_LEN, TIME_BUDGET, EVAL_TOKENS = 4, 5, 40
HERE = os.path.dirname(os.path.abspath(__file__))
class Encoding:
    n_vocab = 8
    def encode(self, text, *, allowed_special=()): return [ord(c) % 8 for c in text] + list(allowed_special)
class Tokenizer:
    LIMIT = 3
    def __init__(self, name="plain"): self.name, self.enc = name, Encoding()
    @classmethod
    def from_directory(cls, directory=None, *, name="kept"): return cls(name)
    @classmethod
    def from_name(cls, name): return cls(name)
    @property
    def special(self): return {"<bos>": 0, 1: (2, 3)}
    def get_vocab_size(self): return self.enc.n_vocab
    def encode(self, text, prepend=None, as_tensor=False):
        ids = ([] if prepend is None else [prepend]) + self.enc.encode(text)
        return torch.tensor(ids) if as_tensor else ids
    def decode(self, ids): return bytes(int(i) + 97 for i in ids)
    def __len__(self): return 8
    def __call__(self, text): return {"input_ids": self.encode(text)}
def get_token_bytes(device="cuda", dtype=torch.int64): return torch.ones(8, dtype=dtype, device=device)
def batch(B, T, start): return torch.arange(start, start + B * T).view(B, T) % 8
def evaluate_bpb(model, tokenizer, batch_size, device="cuda"):
    make_dataloader(tokenizer, batch_size, 4, "val")
"""
PORT = """
def make_dataloader(tokenizer, B, T, split, device="cuda", pin_memory=True, seed: int = 0, dtype=None):
    assert split in ("train", "val") and isinstance(tokenizer, Tokenizer)
    x = torch.empty(B, T, dtype=torch.long, pin_memory=pin_memory)
    there = torch.empty(B, T, dtype=torch.long, device=device)
    for step in range(100):
        x.copy_(batch(B, T, step + seed))
        there.copy_(x, non_blocking=True)
        yield there, there.to("cuda"), {"epoch": 1, "dtype": str(dtype), "seed": seed}
"""


def test_a_port_is_given_devices_and_what_else_its_loader_takes(tmp_path: Path) -> None:
    import torch

    with served_by(tmp_path, COMMON + PORT) as prepare:
        tokenizer = prepare.Tokenizer.from_directory()
        cpu = torch.device("cpu")
        loader = prepare.make_dataloader(tokenizer, 2, 4, "train", device=cpu, dtype=torch.bfloat16, seed=3)
        x, y, more = next(loader)
        assert x.shape == y.shape == (2, 4) and x.device == cpu and x.dtype == torch.long
        assert more == {"epoch": 1, "dtype": "torch.bfloat16", "seed": 3}
        x, _, _ = next(prepare.make_dataloader(tokenizer, 2, 4, "train", "cpu", False))
        assert x.device == cpu
        moved, _, _ = next(prepare.make_dataloader(tokenizer, T=4, B=2, split="train", device="meta"))
        assert moved.is_meta, "batches lie where the caller asked for them"
        assert prepare.get_token_bytes("cpu").dtype == torch.int64
        assert prepare.get_token_bytes(dtype=torch.int32, device=cpu).tolist() == [1] * 8


def test_what_is_held_out_is_not_served(tmp_path: Path) -> None:
    with served_by(tmp_path, COMMON + PORT) as prepare:
        tokenizer, why = prepare.Tokenizer(), "is not there while a candidate trains; use 'train'"
        for split in ("val", "test", "validation", "training", "vault", "x/y", 3, None):
            with pytest.raises(PermissionError, match=why):
                prepare.make_dataloader(tokenizer, 2, 4, split, device="cpu")
            with pytest.raises(PermissionError, match=why):
                prepare.make_dataloader(tokenizer, 2, 4, split=split, device="cpu")


def test_tokenizers_have_what_the_repositorys_have(tmp_path: Path) -> None:
    import torch

    with served_by(tmp_path, COMMON + PORT) as prepare:
        kind = prepare.Tokenizer
        assert kind.LIMIT == 3
        names = [t.name for t in (kind(), kind("b"), kind.from_name("c"), kind.from_directory(name="d"))]
        assert names == ["plain", "b", "c", "d"] and isinstance(kind.from_directory(), kind)
        tokenizer = kind.from_directory()
        assert tokenizer.get_vocab_size() == tokenizer.enc.n_vocab == len(tokenizer) == 8
        assert tokenizer.encode("ab", prepend=7) == [7, 1, 2]
        assert tokenizer.enc.encode("a", allowed_special=(5,)) == [1, 5]
        assert torch.equal(tokenizer.encode("ab", as_tensor=True), torch.tensor([1, 2]))
        assert tokenizer.decode(torch.tensor([0, 1])) == b"ab" == tokenizer.decode(ids=[0, 1])
        assert tokenizer.special == {"<bos>": 0, 1: (2, 3)} and tokenizer("a") == {"input_ids": [1]}
        with pytest.raises(AttributeError):
            _ = tokenizer.nothing
        with pytest.raises(TypeError, match="unexpected keyword"):
            tokenizer.encode("a", nothing=1)


LOADERS = """
Held = collections.namedtuple("Held", "x y")
@dataclasses.dataclass
class Batch:
    x: object
    n: int
class Loader:
    batch_size = 2
    def __init__(self, kind): self.kind, self.epoch, self.at = kind, 0, 0
    def __len__(self): return 3
    def set_epoch(self, epoch): self.epoch = epoch
    def next_batch(self):
        self.at += 1
        return batch(2, 4, self.at), batch(2, 4, self.at + 1)
    def __iter__(self):
        for step in range(3):
            x = batch(2, 4, step + self.epoch)
            yield {"dict": {"input_ids": x, "labels": x + 1}, "named": Held(x, x), "made": Batch(x, 1),
                   "one": x, "list": [x, x, step, "text"]}[self.kind]
def make_dataloader(tokenizer, B, T, split, kind):
    assert split in ("train", "val")
    if kind == "pair": return Loader("one"), {"steps": 3}
    if kind == "batches": return [(batch(B, T, 0), 1), (batch(B, T, 1), 2)]
    return Loader(kind)
"""


def test_loaders_are_what_they_are(tmp_path: Path) -> None:
    import torch

    with served_by(tmp_path, COMMON + LOADERS) as prepare:

        def loader(kind: str) -> Any:
            return prepare.make_dataloader(prepare.Tokenizer(), 2, 4, "train", kind)

        found = loader("dict")
        assert len(found) == 3 and found.batch_size == 2
        assert [sorted(each) for each in found] == [["input_ids", "labels"]] * 3
        first = next(iter(found))["input_ids"]
        assert torch.equal(first, next(iter(found))["input_ids"]), "it begins again"
        found.set_epoch(5)
        assert not torch.equal(first, next(iter(found))["input_ids"])
        with pytest.raises(TypeError):
            next(found)
        named = next(iter(loader("named")))
        assert type(named).__name__ == "Held" and torch.equal(named.x, named.y)
        made = next(iter(loader("made")))
        assert type(made) is prepare.Batch and made.x.shape == (2, 4) and made.n == 1
        assert next(iter(loader("one"))).shape == (2, 4)
        items = list(loader("list"))
        assert len(items) == 3 and type(items[0]) is list and {each[3] for each in items} == {"text"}
        assert [x.shape for x in loader("one").next_batch()] == [(2, 4)] * 2
        one, about = loader("pair")
        assert about == {"steps": 3} and len(list(one)) == 3
        batches = loader("batches")
        assert len(batches) == 2 and [n for _, n in batches] == [1, 2] and len(list(batches)) == 2
        with pytest.raises(RuntimeError, match="num_workers=0"):
            in_a_worker(one)


def in_a_worker(loader: object) -> None:
    loader._data.process = -1  # type: ignore[attr-defined]  # as it is in a process that this one started
    list(islice(loader, 1))  # type: ignore[call-overload]


AT_IMPORT = """
import json, pathlib, numpy as np
META = json.loads(pathlib.Path(HERE, "meta.json").read_text())
STEP, (A, B) = META["step"], (META["step"] + 1, 2)
vocabulary = {i: c for i, c in enumerate(META["chars"])}
chars = sorted(set(META["chars"]))
size = np.int64(len(vocabulary))
train_ids = list(pathlib.Path(HERE, "meta.json").read_bytes()) * 100
val_small = list(pathlib.Path(HERE, "meta.json").read_bytes())[:3]
VAL_COUNT = META["step"] * 10
text = pathlib.Path(HERE, "meta.json").read_text() * 1000
def helper(x): return x * STEP + len(vocabulary)
def loader_of(*args): return make_dataloader(*args)
def make_dataloader(tokenizer, B, T, split):
    while split == "train": yield batch(B, T, STEP)
"""


def test_a_prepare_that_reads_data_when_it_is_imported_offers_every_name(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text('{"step": 3, "chars": "hello there"}')
    with served_by(tmp_path, COMMON + AT_IMPORT, hidden=("meta.json",)) as prepare:
        assert (prepare.STEP, prepare.A, prepare.B, prepare.VAL_COUNT, prepare.size) == (3, 4, 2, 30, 11)
        assert prepare.vocabulary[4] == "o" and prepare.chars == sorted(set("hello there"))
        assert prepare.helper(2) == 17
        x = next(prepare.loader_of(prepare.Tokenizer(), 2, 4, "train"))
        assert x.shape == (2, 4), "helpers of prepare.py find the served loader"
        for name in ("train_ids", "val_small", "text"):
            with pytest.raises(
                PermissionError, match=rf"prepare\.{name} is not there while a candidate trains"
            ):
                len(getattr(prepare, name))


def test_which_data_is_read_is_not_the_candidates_to_say(tmp_path: Path) -> None:
    text = """
DATA = "data/here"
def make_dataloader(tokenizer, B, T, split, data_dir=DATA, source="s", val_name=None, train=True):
    while split == "train": yield batch(B, T, 0)
"""
    refused = {
        "data_dir": ("elsewhere", "which data is read"),
        "source": ("x/val.bin", "which data is read"),
        "val_name": ("other", "which data is read"),
        "train": (False, "not for training"),
    }
    with served_by(tmp_path, COMMON + text) as prepare:
        for name, (value, why) in refused.items():
            with pytest.raises(PermissionError, match=why):
                prepare.make_dataloader(prepare.Tokenizer(), 2, 4, "train", **{name: value})
        assert next(prepare.make_dataloader(prepare.Tokenizer(), 2, 4, "train", data_dir=prepare.DATA)).shape
        with pytest.raises(PermissionError, match="have files read"):
            prepare.Tokenizer().encode(str(tmp_path / "prepare.py"))
