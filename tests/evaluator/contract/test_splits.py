"""Which parts of the data a candidate may train on is learned from prepare.py's own text."""

from __future__ import annotations

import pytest

from evaluator.inside import returned
from evaluator.inside.splits import held_out, learned

UPSTREAM = """
def make_dataloader(tokenizer, B, T, split, buffer_size=1000):
    assert split in ["train", "val"]
    documents(split)
def documents(split):
    if split == "train": ...
def evaluate_bpb(model, tokenizer, batch_size):
    make_dataloader(tokenizer, batch_size, 8, "val")
"""
OTHER_NAMES = """
HELD = "unseen"
def make_dataloader(tok, *, part="fit", rows, columns):
    return {"fit": a, "extra": b, "unseen": c}[part]
def run(model): return make_dataloader(None, part=HELD, rows=1, columns=2)
def evaluate_bpb(model): return run(model)
"""
ONLY_THE_OTHER = """
def make_dataloader(tokenizer, B, T, split="train"):
    data = held if split == "val" else fitted
def evaluate_bpb(model, tokenizer, batch_size, split="val"):
    make_dataloader(tokenizer, batch_size, 8, split)
"""
FILES = """
def make_dataloader(tokenizer, B, T, split):
    return open(f"{split}.bin")
def evaluate_bpb(model, tokenizer, batch_size):
    make_dataloader(tokenizer, batch_size, 8, split="val")
"""


@pytest.mark.parametrize(
    ("text", "may", "may_not"),
    [
        (UPSTREAM, ["train"], ["val", "test", "training", "vault", "anything", "", "train/../val"]),
        (OTHER_NAMES, ["fit", "extra"], ["unseen", "train", "val"]),
        (ONLY_THE_OTHER, ["train", "training"], ["val", "validation", "val2", "test"]),
        (FILES, ["train", "train_extra"], ["val", "all", "../val", "test", "./train"]),
    ],
)
def test_what_is_measured_is_not_served(text: str, may: list[str], may_not: list[str]) -> None:
    known = learned(text)
    assert {name: known.allows(name) for name in (*may, *may_not)} == {
        **dict.fromkeys(may, True),
        **dict.fromkeys(may_not, False),
    }
    assert not known.allows(None) and not known.allows(3)


def test_the_part_that_is_measured_is_known() -> None:
    assert [learned(text).validation for text in (UPSTREAM, OTHER_NAMES, ONLY_THE_OTHER, FILES)] == [
        "val", "unseen", "val", "val",
    ]  # fmt: skip
    assert learned(OTHER_NAMES).parameter == "part" and learned("def f(: nonsense").validation == "val"


@pytest.mark.parametrize(
    "name", ["val", "VAL_TEXT", "val_data", "testSet", "held_out_ids", "evalData", "X_test"]
)
def test_names_that_say_it_are_held_out(name: str) -> None:
    assert held_out(name)


@pytest.mark.parametrize("name", ["train", "vocab", "values", "interval", "latest", "itos", "device"])
def test_other_names_are_not(name: str) -> None:
    assert not held_out(name)


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("def evaluate_bpb(m): return nats / count", 1.5),
        ("def evaluate_bpb(m) -> float:\n    return loss, bpb", (float("nan"), 1.5)),
        (
            "def evaluate_bpb(m):\n    out = {'loss': a, 'val_bpb': b}\n    return out",
            {"loss": 0, "val_bpb": 1.5},
        ),
        ("def evaluate_bpb(m):\n    def f(): return 1, 2\n    return dict(bits=f())", {"bits": 1.5}),
        ("nothing here", 1.5),
    ],
)
def test_a_score_comes_back_in_the_repositorys_shape(text: str, given: object) -> None:
    found = returned.learned(text).holding(1.5)
    assert type(found) is type(given)
    if isinstance(found, dict):
        assert isinstance(given, dict) and list(found) == list(given) and 1.5 in found.values()
    elif isinstance(found, tuple):
        assert found[1] == 1.5 and found[0] != found[0]
    else:
        assert found == 1.5
