"""
One-time data preparation: shards of text and a tokenizer in ~/.cache/autoresearch.

Usage:
    python prepare.py
    python prepare.py --num-shards 2
"""

import argparse
import math
import os
import pickle
import random

import torch

# ---------------------------------------------------------------------------
# Constants (fixed, do not modify)
# ---------------------------------------------------------------------------

MAX_SEQ_LEN = 64
TIME_BUDGET = 4
EVAL_TOKENS = 160 * 64

CACHE_DIR = os.path.join(os.path.expanduser("~"), ".cache", "autoresearch")
DATA_DIR = os.path.join(CACHE_DIR, "data")
TOKENIZER_DIR = os.path.join(CACHE_DIR, "tokenizer")
VAL_SHARD = 9
SPECIAL_TOKENS = [f"<|reserved_{i}|>" for i in range(4)]
BOS_TOKEN = "<|reserved_0|>"


def write_shard(index):
    draw = random.Random(index)
    nouns = ["sum", "list", "graph", "queue", "proof", "matrix", "token"]
    lines = []
    for _ in range(250):
        noun, other = draw.choice(nouns), draw.choice(nouns)
        lines.append(f"the {noun} of {draw.randrange(9)} {other}s is a {nouns[len(noun) % 7]}.")
    with open(os.path.join(DATA_DIR, f"shard_{index:05d}.txt"), "w") as f:
        f.write("\n".join(lines))


class Tokenizer:
    """Bytes seen in training, after the special tokens."""

    def __init__(self, table):
        self.table = table
        self.bos_token_id = table.index(BOS_TOKEN)
        self.lookup = {piece: i for i, piece in enumerate(table)}

    @classmethod
    def from_directory(cls, tokenizer_dir=TOKENIZER_DIR):
        with open(os.path.join(tokenizer_dir, "tokenizer.pkl"), "rb") as f:
            return cls(pickle.load(f))

    def get_vocab_size(self):
        return len(self.table)

    def get_bos_token_id(self):
        return self.bos_token_id

    def encode(self, text, prepend=None, num_threads=8):
        if isinstance(text, list):
            return [self.encode(each, prepend) for each in text]
        ids = [self.lookup[letter] for letter in text]
        return ids if prepend is None else [prepend, *ids]

    def decode(self, ids):
        return "".join(self.table[i] for i in ids)


def get_token_bytes(device="cpu"):
    with open(os.path.join(TOKENIZER_DIR, "token_bytes.pt"), "rb") as f:
        return torch.load(f, map_location=device)


def list_shards():
    return sorted(os.path.join(DATA_DIR, name) for name in os.listdir(DATA_DIR))


def _document_batches(split, tokenizer_batch_size=32):
    val_path = os.path.join(DATA_DIR, f"shard_{VAL_SHARD:05d}.txt")
    paths = [p for p in list_shards() if (p == val_path) == (split == "val")]
    assert paths, "No shards found. Run prepare.py first."
    epoch = 1
    while True:
        for path in paths:
            with open(path) as f:
                docs = f.read().split("\n")
            for i in range(0, len(docs), tokenizer_batch_size):
                yield docs[i : i + tokenizer_batch_size], epoch
        epoch += 1


def make_dataloader(tokenizer, B, T, split, buffer_size=100):
    """Rows start with BOS; documents are packed one after the other. The buffers are used again."""
    assert split in ["train", "val"]
    on_gpu = torch.cuda.is_available()
    batches = _document_batches(split)
    bos = tokenizer.get_bos_token_id()
    pending, epoch = [], 1
    row_buffer = torch.empty((B, T + 1), dtype=torch.long)
    cpu_buffer = torch.empty(2 * B * T, dtype=torch.long, pin_memory=on_gpu)
    gpu_buffer = torch.empty(2 * B * T, dtype=torch.long, device="cuda" if on_gpu else "cpu")
    inputs, targets = gpu_buffer[: B * T].view(B, T), gpu_buffer[B * T :].view(B, T)
    while True:
        for row in range(B):
            while len(pending) < max(buffer_size, T + 1):
                docs, epoch = next(batches)
                for ids in tokenizer.encode(docs, prepend=bos):
                    pending.extend(ids)
            row_buffer[row] = torch.tensor(pending[: T + 1])
            del pending[: T + 1]
        cpu_buffer[: B * T].view(B, T).copy_(row_buffer[:, :-1])
        cpu_buffer[B * T :].view(B, T).copy_(row_buffer[:, 1:])
        gpu_buffer.copy_(cpu_buffer, non_blocking=True)
        yield inputs, targets, epoch


@torch.no_grad()
def evaluate_bpb(model, tokenizer, batch_size):
    """Bits per byte; special tokens have no bytes and do not count."""
    token_bytes = get_token_bytes(device="cuda" if torch.cuda.is_available() else "cpu")
    val_loader = make_dataloader(tokenizer, batch_size, MAX_SEQ_LEN, "val")
    total_nats, total_bytes = 0.0, 0
    for _ in range(EVAL_TOKENS // (batch_size * MAX_SEQ_LEN)):
        x, y, _ = next(val_loader)
        loss_flat = model(x, y, reduction="none").view(-1)
        nbytes = token_bytes[y.view(-1)]
        total_nats += (loss_flat * (nbytes > 0)).sum().item()
        total_bytes += nbytes.sum().item()
    return total_nats / (math.log(2) * total_bytes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Prepare data and tokenizer")
    parser.add_argument("--num-shards", type=int, default=8)
    args = parser.parse_args()
    os.makedirs(DATA_DIR, exist_ok=True)
    os.makedirs(TOKENIZER_DIR, exist_ok=True)
    for index in [*range(args.num_shards), VAL_SHARD]:
        write_shard(index)
    letters = sorted({letter for path in list_shards() for letter in open(path).read()})
    with open(os.path.join(TOKENIZER_DIR, "tokenizer.pkl"), "wb") as f:
        pickle.dump([*SPECIAL_TOKENS, *letters], f)
    lengths = [0] * len(SPECIAL_TOKENS) + [len(letter.encode()) for letter in letters]
    torch.save(torch.tensor(lengths, dtype=torch.int32), os.path.join(TOKENIZER_DIR, "token_bytes.pt"))
    print("Done! Ready to train.")
