"""Keeps its data beside itself, in data/, which git ignores. Usage: python prepare.py"""

import math
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
DATA = HERE / "data"
MAX_SEQ_LEN = 40
TIME_BUDGET = 4
EVAL_TOKENS = 6000
NOTES = 32


class Tokenizer:
    @classmethod
    def from_directory(cls, *_):
        return cls()

    def get_vocab_size(self):
        return NOTES

    def decode(self, ids):
        return " ".join(f"n{i}" for i in ids)


def get_token_bytes(device="cpu"):
    return torch.ones(NOTES, dtype=torch.int32, device=device)


def make_dataloader(tokenizer, B, T, split):
    tune = np.memmap(DATA / f"{split}.bin", dtype=np.uint16, mode="r")
    draw = np.random.default_rng(0 if split == "train" else 1)
    epoch = 1
    while True:
        at = draw.integers(0, len(tune) - T - 1, size=B)
        rows = torch.from_numpy(np.stack([tune[i : i + T + 1].astype(np.int64) for i in at]))
        yield rows[:, :-1], rows[:, 1:], epoch


@torch.no_grad()
def evaluate_bpb(model, tokenizer, batch_size):
    total, count = 0.0, 0
    loader = make_dataloader(tokenizer, batch_size, MAX_SEQ_LEN, "val")
    while count < EVAL_TOKENS:
        x, y, _ = next(loader)
        total += torch.nn.functional.cross_entropy(model(x).transpose(1, 2), y, reduction="sum").item()
        count += y.numel()
    return total / count / math.log(2)


if __name__ == "__main__":
    DATA.mkdir(exist_ok=True)
    draw = np.random.default_rng(2)
    for split, length in (("train", 50_000), ("val", 10_000)):
        steps = draw.choice([-2, -1, 1, 1, 2, 7], size=length)
        (np.cumsum(steps) % NOTES).astype(np.uint16).tofile(DATA / f"{split}.bin")
    print(sorted(each.name for each in DATA.iterdir()))
