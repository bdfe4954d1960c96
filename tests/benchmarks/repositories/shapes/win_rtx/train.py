"""Training for consumer GPUs (Windows too); falls back to the CPU. Usage: python train.py"""

import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

import prepare
from prepare import MAX_SEQ_LEN, TIME_BUDGET, Tokenizer, detect_profile, evaluate_bpb, make_dataloader

EMBED_DIM = 64
NUM_LAYERS = 2
LEARNING_RATE = 0.004
WEIGHT_DECAY = 0.05
DROPOUT = 0.0

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
PROFILE = detect_profile(DEVICE)


class GatedConv(nn.Module):
    def __init__(self, dim, width=5):
        super().__init__()
        self.width = width
        self.norm = nn.LayerNorm(dim)
        self.conv = nn.Conv1d(dim, 2 * dim, width)
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, x):
        h = F.pad(self.norm(x).transpose(1, 2), (self.width - 1, 0))
        value, gate = self.conv(h).chunk(2, dim=1)
        return x + self.drop((value * gate.sigmoid()).transpose(1, 2))


class ConvLM(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, EMBED_DIM)
        self.layers = nn.Sequential(*[GatedConv(EMBED_DIM) for _ in range(NUM_LAYERS)])
        self.head = nn.Linear(EMBED_DIM, vocab_size)

    def forward(self, idx, targets=None, reduction="mean"):
        logits = self.head(self.layers(self.embed(idx)))
        if targets is None:
            return logits
        return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), reduction=reduction)


def main():
    torch.manual_seed(1)
    tokenizer = Tokenizer.from_directory()
    model = ConvLM(tokenizer.get_vocab_size()).to(DEVICE)
    compiled = torch.compile(model) if PROFILE.use_compile else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    loader = make_dataloader(tokenizer, PROFILE.batch_size, MAX_SEQ_LEN, "train", device=DEVICE)
    print(f"platform {sys.platform}, profile {PROFILE.name}, eval tokens {prepare.EVAL_TOKENS}")
    start, step = time.perf_counter(), 0
    while time.perf_counter() - start < TIME_BUDGET:
        x, y, _epoch = next(loader)
        with torch.autocast(DEVICE.type, dtype=PROFILE.amp_dtype, enabled=DEVICE.type == "cuda"):
            loss = compiled(x, y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        step += 1
        if step % 50 == 0:
            print(f"step {step:5d}  loss {loss.item():.4f}")
    model.eval()
    val_bpb = evaluate_bpb(model, tokenizer, PROFILE.batch_size, device=DEVICE)
    print("---")
    print(f"val_bpb: {val_bpb:.6f}\nnum_steps: {step}")


if __name__ == "__main__":
    main()
