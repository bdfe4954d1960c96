"""Training on Apple Silicon without autocast: everything in float32. Usage: uv run train.py"""

import contextlib
import time

import torch
from torch import nn
from torch.nn import functional as F

from prepare import (
    EVAL_TOKENS,
    MAX_SEQ_LEN,
    TIME_BUDGET,
    Tokenizer,
    evaluate_bpb,
    get_device,
    make_dataloader,
    sync_device,
)

device = get_device()
autocast_ctx = contextlib.nullcontext()  # autocast is slower than float32 on mps

DIM = 48
HIDDEN = 96
LR = 3e-3
BATCH_SIZE = 16
BETA2 = 0.99


class RNN(nn.Module):
    def __init__(self, vocab):
        super().__init__()
        self.embed = nn.Embedding(vocab, DIM)
        self.rnn = nn.GRU(DIM, HIDDEN, batch_first=True)
        self.out = nn.Linear(HIDDEN, vocab)

    def forward(self, x, y=None, reduction="mean"):
        logits = self.out(self.rnn(self.embed(x))[0])
        if y is None:
            return logits
        return F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction=reduction)


tokenizer = Tokenizer.from_directory()
torch.manual_seed(7)
model = RNN(tokenizer.get_vocab_size()).to(device)
opt = torch.optim.Adam(model.parameters(), lr=LR, betas=(0.9, BETA2))
train_loader = make_dataloader(tokenizer, BATCH_SIZE, MAX_SEQ_LEN, "train", device)
print(f"{len(train_loader)} batches an epoch; the evaluation reads {EVAL_TOKENS} tokens on {device}")

trained = 0.0
for step, (x, y) in enumerate(train_loader):
    sync_device(device)
    t0 = time.time()
    with autocast_ctx:
        loss = model(x, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    sync_device(device)
    trained += time.time() - t0
    if step % 100 == 0:
        print(f"step {step:05d} | loss: {loss.item():.4f} | {trained:.1f}/{TIME_BUDGET} s")
    if trained >= TIME_BUDGET:
        break

model.eval()
print(f"val_bpb: {evaluate_bpb(model, tokenizer, BATCH_SIZE, device=device):.6f}")
