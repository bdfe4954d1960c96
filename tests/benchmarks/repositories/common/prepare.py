"""
One-time preparation: writes a little text and its split to ~/.cache/littletext. Fixed, not to be edited.

Usage: python prepare.py
"""

import argparse
import math
import os
import pickle
import random

import torch

MAX_SEQ_LEN = 64  # context length
TIME_BUDGET = 4  # training time in seconds
EVAL_TOKENS = 128 * 64  # tokens of one evaluation
CACHE_DIR = os.path.join(os.path.expanduser("~"), ".cache", "littletext")

SUBJECTS = ["the miller", "a fox", "her brother", "the old king", "nobody", "the river", "my neighbour"]
VERBS = ["sees", "follows", "forgets", "sells", "carries", "counts", "paints"]
OBJECTS = ["the bridge", "seven stones", "a song", "the harvest", "his shadow", "a wooden door", "the sea"]


def make_text(seed, sentences):
    draw = random.Random(seed)
    said = []
    for _ in range(sentences):
        subject = draw.choice(SUBJECTS)
        verb = VERBS[(len(subject) + draw.randrange(2)) % len(VERBS)]
        said.append(f"{subject} {verb} {draw.choice(OBJECTS)} {draw.randrange(100)} times. ")
    return "".join(said)


class Tokenizer:
    def __init__(self, letters):
        self.letters = letters
        self.ids = {letter: number for number, letter in enumerate(letters)}

    @classmethod
    def from_directory(cls, directory=CACHE_DIR):
        with open(os.path.join(directory, "tokenizer.pkl"), "rb") as f:
            return cls(pickle.load(f))

    def get_vocab_size(self):
        return len(self.letters)

    def encode(self, text):
        return [self.ids[letter] for letter in text]

    def decode(self, ids):
        return "".join(self.letters[i] for i in ids)


def get_token_bytes(device="cpu"):
    size = Tokenizer.from_directory().get_vocab_size()
    return torch.ones(size, dtype=torch.int32, device=device)


def make_dataloader(tokenizer, B, T, split):
    assert split in ["train", "val"]
    tokens = torch.load(os.path.join(CACHE_DIR, f"{split}.pt"))
    generator = torch.Generator().manual_seed(1337)
    epoch = 1
    while True:
        if split == "train":
            starts = torch.randint(len(tokens) - T - 1, (B,), generator=generator)
        else:
            starts = (torch.arange(B) + (epoch - 1) * B) * T % (len(tokens) - T - 1)
            epoch += 1
        rows = torch.stack([tokens[s : s + T + 1] for s in starts])
        yield rows[:, :-1].contiguous(), rows[:, 1:].contiguous(), epoch


@torch.no_grad()
def evaluate_bpb(model, tokenizer, batch_size):
    token_bytes = get_token_bytes()
    loader = make_dataloader(tokenizer, batch_size, MAX_SEQ_LEN, "val")
    nats, count = 0.0, 0
    for _ in range(EVAL_TOKENS // (batch_size * MAX_SEQ_LEN)):
        x, y, _ = next(loader)
        nats += model(x, y, reduction="none").view(-1).float().sum().item()
        count += token_bytes[y.view(-1)].sum().item()
    return nats / (math.log(2) * count)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Prepare the little text")
    parser.add_argument("--sentences", type=int, default=4000)
    args = parser.parse_args()
    os.makedirs(CACHE_DIR, exist_ok=True)
    texts = {"train": make_text(0, args.sentences), "val": make_text(1, args.sentences // 8)}
    tokenizer = Tokenizer(sorted(set(texts["train"] + texts["val"])))
    with open(os.path.join(CACHE_DIR, "tokenizer.pkl"), "wb") as f:
        pickle.dump(tokenizer.letters, f)
    for split, text in texts.items():
        torch.save(torch.tensor(tokenizer.encode(text)), os.path.join(CACHE_DIR, f"{split}.pt"))
    print(f"Done! Vocabulary {tokenizer.get_vocab_size()}, in {CACHE_DIR}")
