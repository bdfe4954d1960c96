"""Port for Apple Silicon: text, tokenizer and evaluation for mps or cpu. Usage: uv run prepare.py"""

import math
import random
from pathlib import Path

import torch

MAX_SEQ_LEN = 32
TIME_BUDGET = 4
EVAL_TOKENS = 3 * 2048
CACHE = Path("~/.cache/autoresearch-macos").expanduser()


def get_device() -> torch.device:
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def sync_device(device: torch.device) -> None:
    if device.type == "mps":
        torch.mps.synchronize()
    elif device.type == "cuda":
        torch.cuda.synchronize()


class Tokenizer:
    def __init__(self, words: list[str]):
        self.words = words
        self.numbers = {word: i for i, word in enumerate(words)}

    @classmethod
    def from_directory(cls, folder: Path = CACHE) -> "Tokenizer":
        return cls((folder / "words.txt").read_text().splitlines())

    def get_vocab_size(self) -> int:
        return len(self.words)

    def get_bos_token_id(self) -> int:
        return 0

    def decode(self, ids) -> str:
        return " ".join(self.words[i] for i in ids)


def get_token_bytes(device="cpu") -> torch.Tensor:
    words = Tokenizer.from_directory().words
    return torch.tensor([0] + [len(word) + 1 for word in words[1:]], dtype=torch.int32, device=device)


class Loader:
    """An iterator without an end; its batches are on the device that was asked for."""

    def __init__(self, tokenizer, batch_size, seq_len, split, device):
        self.rows = torch.load(CACHE / f"{split}.pt")
        self.shape = batch_size, seq_len
        self.device, self.at = device, 0

    def __iter__(self):
        return self

    def __len__(self):
        return (len(self.rows) - 1) // (self.shape[0] * self.shape[1])

    def __next__(self):
        many = self.shape[0] * self.shape[1]
        if self.at + many + 1 > len(self.rows):
            self.at = 0
        piece = self.rows[self.at : self.at + many + 1]
        self.at += many
        x, y = piece[:-1].view(self.shape), piece[1:].view(self.shape)
        return x.to(self.device), y.to(self.device)


def make_dataloader(tokenizer, batch_size, seq_len, split, device=None):
    return Loader(tokenizer, batch_size, seq_len, split, device or get_device())


@torch.no_grad()
def evaluate_bpb(model, tokenizer, batch_size, device=None) -> float:
    device = device or get_device()
    lengths = get_token_bytes(device)
    loader = make_dataloader(tokenizer, batch_size, MAX_SEQ_LEN, "val", device)
    nats = size = 0.0
    for _ in range(EVAL_TOKENS // (batch_size * MAX_SEQ_LEN)):
        x, y = next(loader)
        counted = lengths[y.view(-1)]
        nats += (model(x, y, reduction="none").view(-1) * (counted > 0)).sum().item()
        size += counted.sum().item()
    return nats / math.log(2) / size


if __name__ == "__main__":
    CACHE.mkdir(parents=True, exist_ok=True)
    words = [
        "<bos>",
        *(a + b for a in ("ap", "ban", "cher", "dat", "el") for b in ("ple", "ana", "ry", "e", "m")),
    ]
    (CACHE / "words.txt").write_text("\n".join(words))
    for split, seed, count in (("train", 3, 60_000), ("val", 4, 8_000)):
        draw = random.Random(seed)
        line = [0]
        for _ in range(count):
            line.append(1 + (line[-1] * 7 + draw.randrange(4)) % (len(words) - 1))
        torch.save(torch.tensor(line), CACHE / f"{split}.pt")
    print("prepared for", get_device())
