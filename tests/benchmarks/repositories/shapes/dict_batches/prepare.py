"""Batches are dictionaries, and the loader is an object with a length. Usage: python prepare.py"""

import math
import os

import numpy as np
import torch

MAX_SEQ_LEN = 36
TIME_BUDGET = 4.0
EVAL_TOKENS = 36 * 150
VOCAB = 27
ROOT = os.path.expanduser("~/.cache/knights")


class Tokenizer:
    @classmethod
    def from_directory(cls, root=ROOT):
        return cls()

    def get_vocab_size(self):
        return VOCAB

    def decode(self, ids):
        return "".join(chr(96 + int(i)) if i else " " for i in ids)


def get_token_bytes(device="cpu"):
    return torch.ones(VOCAB, dtype=torch.int32, device=device)


class Batches:
    def __init__(self, rows, batch_size, seed, device):
        self.rows, self.batch_size, self.device = rows, batch_size, device
        self.draw = np.random.default_rng(seed)

    def __len__(self):
        return len(self.rows) // self.batch_size

    def __iter__(self):
        epoch = 0
        while True:
            order = self.draw.permutation(len(self.rows)) if self.draw is not None else range(len(self.rows))
            for i in range(len(self)):
                taken = self.rows[order[i * self.batch_size : (i + 1) * self.batch_size]]
                piece = torch.from_numpy(taken).long().to(self.device)
                yield {"input_ids": piece[:, :-1], "labels": piece[:, 1:], "epoch": epoch}
            epoch += 1


def make_dataloader(tokenizer, B, T, split, device="cpu"):
    rows = np.load(os.path.join(ROOT, f"{split}.npy"))[:, : T + 1]
    return Batches(rows, B, {"train": 0, "val": 1}[split], device)


@torch.no_grad()
def evaluate_bpb(model, tokenizer, batch_size, device="cpu"):
    nats = count = 0
    for n, batch in enumerate(make_dataloader(tokenizer, batch_size, MAX_SEQ_LEN, "val", device)):
        if n * batch_size * MAX_SEQ_LEN >= EVAL_TOKENS:
            break
        logits = model(batch["input_ids"])
        nats += torch.nn.functional.cross_entropy(
            logits.transpose(1, 2), batch["labels"], reduction="sum"
        ).item()
        count += batch["labels"].numel()
    return nats / count / math.log(2)


if __name__ == "__main__":
    os.makedirs(ROOT, exist_ok=True)
    for split, seed, rows in (("train", 5, 3000), ("val", 6, 400)):
        draw = np.random.default_rng(seed)
        steps = draw.choice([1, 2, 8, 17], size=(rows, MAX_SEQ_LEN + 1), p=[0.5, 0.2, 0.2, 0.1])
        np.save(os.path.join(ROOT, f"{split}.npy"), (np.cumsum(steps, axis=1) % VOCAB).astype(np.uint8))
    print("rows are in", ROOT)
