"""Prepares stories for consumer GPUs, and for a CPU where there is none. Usage: python prepare.py"""

import math
import os
import random
from dataclasses import dataclass

import torch

MAX_SEQ_LEN = 48
TIME_BUDGET = int(os.environ.get("TIME_BUDGET", "4"))
EVAL_TOKENS = 128 * MAX_SEQ_LEN
DATA_DIR = os.path.join(os.path.expanduser("~"), ".cache", "autoresearch-rtx")


@dataclass(frozen=True)
class RuntimeProfile:
    """What this machine's GPU allows."""

    name: str
    amp_dtype: torch.dtype
    use_compile: bool
    batch_size: int


def detect_profile(device):
    if device.type != "cuda":
        return RuntimeProfile("cpu", torch.float32, False, 8)
    major, _ = torch.cuda.get_device_capability(device)
    return RuntimeProfile(f"sm{major}x", torch.bfloat16 if major >= 8 else torch.float16, os.name != "nt", 32)


class Tokenizer:
    """Plain bytes."""

    @classmethod
    def from_directory(cls, directory=DATA_DIR):
        return cls()

    def get_vocab_size(self):
        return 256

    def decode(self, ids):
        return bytes(int(i) for i in ids).decode("latin-1")


def get_token_bytes(device="cpu"):
    return torch.ones(256, dtype=torch.int32, device=device)


def make_dataloader(tokenizer, B, T, split, *, device=None, pin_memory=None):
    if device is None:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    assert isinstance(device, torch.device), "a torch.device is needed"
    if pin_memory is None:
        pin_memory = device.type == "cuda"
    with open(os.path.join(DATA_DIR, f"{split}.txt"), "rb") as f:
        text = torch.frombuffer(bytearray(f.read()), dtype=torch.uint8)
    at, epoch = 0, 1
    while True:
        if at + B * T + 1 > len(text):
            at, epoch = 0, epoch + 1
        rows = text[at : at + B * T + 1].long()
        at += B * T
        x, y = rows[:-1].view(B, T), rows[1:].view(B, T)
        if pin_memory:
            x, y = x.pin_memory(), y.pin_memory()
        yield x.to(device, non_blocking=True), y.to(device, non_blocking=True), epoch


@torch.no_grad()
def evaluate_bpb(model, tokenizer, batch_size, device=None, max_tokens=EVAL_TOKENS):
    if device is None:
        device = next(model.parameters()).device
    loader = make_dataloader(tokenizer, batch_size, MAX_SEQ_LEN, "val", device=device)
    nats, count = 0.0, 0
    for _ in range(max(1, max_tokens // (batch_size * MAX_SEQ_LEN))):
        x, y, _ = next(loader)
        nats += model(x, y, reduction="none").sum().item()
        count += y.numel()
    return nats / math.log(2) / count


if __name__ == "__main__":
    os.makedirs(DATA_DIR, exist_ok=True)
    for split, seed, count in (("train", 1, 3000), ("val", 2, 500)):
        draw = random.Random(seed)
        who, what = (
            ["Lily", "Tom", "Max", "Anna"],
            ["found a shell", "lost a kite", "fed the cat", "drew a map"],
        )
        told = [
            f"One day {draw.choice(who)} {draw.choice(what)} {draw.randrange(50)}. " for _ in range(count)
        ]
        with open(os.path.join(DATA_DIR, f"{split}.txt"), "w") as f:
            f.write("".join(told))
    print("profile:", detect_profile(torch.device("cuda" if torch.cuda.is_available() else "cpu")))
