"""Usage: python -m nanochat.dataset"""

import os
import random

import torch

from nanochat.common import get_base_dir, print0

VOCAB = 64


def shard_path(split):
    return os.path.join(get_base_dir(), f"{split}.pt")


def batches(split, B, T):
    tokens = torch.load(shard_path(split))
    while True:
        for i in range(0, len(tokens) - B * T - 1, B * T):
            yield tokens[i : i + B * T].view(B, T), tokens[i + 1 : i + B * T + 1].view(B, T)


if __name__ == "__main__":
    for split, seed, size in (("train", 0, 40_000), ("val", 1, 8_000)):
        draw, at, line = random.Random(seed), 0, []
        for _ in range(size):
            at = (5 * at + draw.choice([1, 2, 3])) % VOCAB
            line.append(at)
        torch.save(torch.tensor(line), shard_path(split))
        print0(f"wrote {shard_path(split)}")
