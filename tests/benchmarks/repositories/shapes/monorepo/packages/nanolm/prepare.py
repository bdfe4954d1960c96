"""Sums in a little language: data is made from a seed, so that nothing needs to be stored."""

import math
import random

import torch

MAX_SEQ_LEN = 48
TIME_BUDGET = 3
EVAL_TOKENS = 96 * 48
SIGNS = "0123456789+-=; "


class Tokenizer:
    @classmethod
    def from_directory(cls, path=None):
        return cls()

    def get_vocab_size(self):
        return len(SIGNS)

    def encode(self, text):
        return [SIGNS.index(sign) for sign in text]

    def decode(self, ids):
        return "".join(SIGNS[i] for i in ids)


def get_token_bytes(device="cpu"):
    return torch.ones(len(SIGNS), dtype=torch.int32, device=device)


def make_dataloader(tokenizer, B, T, split):
    draw = random.Random(split)
    pending = []
    while True:
        while len(pending) < B * T + 1:
            a, b = draw.randrange(30), draw.randrange(30)
            pending += tokenizer.encode(f"{a}+{b}={a + b}; ")
        rows = torch.tensor(pending[: B * T + 1])
        del pending[: B * T]
        yield rows[:-1].view(B, T), rows[1:].view(B, T), 1


@torch.no_grad()
def evaluate_bpb(model, tokenizer, batch_size):
    loader, nats, count = make_dataloader(tokenizer, batch_size, MAX_SEQ_LEN, "val"), 0.0, 0
    for _ in range(EVAL_TOKENS // (batch_size * MAX_SEQ_LEN)):
        x, y, _ = next(loader)
        nats += model.loss(x, y).item() * y.numel()
        count += y.numel()
    return nats / count / math.log(2)
