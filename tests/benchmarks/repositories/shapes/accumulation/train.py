"""Gradient accumulation with clipping, a schedule over steps, and a moving average of the weights."""

import copy
import math
import time
from dataclasses import dataclass

import torch
import torch.nn as nn

from prepare import MAX_SEQ_LEN, TIME_BUDGET, Tokenizer, evaluate_bpb, make_dataloader


@dataclass
class TrainConfig:
    lr: float = 0.008
    min_lr_ratio: float = 0.1
    warmup_steps: int = 5
    clip: float = 1.0
    ema: float = 0.9
    micro_batch: int = 2
    accumulate: int = 16
    hidden: int = 64


cfg = TrainConfig()
torch.manual_seed(17)


class LSTMLM(nn.Module):
    def __init__(self, vocab):
        super().__init__()
        self.emb = nn.Embedding(vocab, cfg.hidden)
        self.lstm = nn.LSTM(cfg.hidden, cfg.hidden, batch_first=True)
        self.head = nn.Linear(cfg.hidden, vocab, bias=False)
        self.head.weight = self.emb.weight  # tied

    def forward(self, idx, targets=None, reduction="mean"):
        logits = self.head(self.lstm(self.emb(idx))[0])
        if targets is None:
            return logits
        return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction=reduction)


tokenizer = Tokenizer.from_directory()
model = LSTMLM(tokenizer.get_vocab_size())
average = copy.deepcopy(model).eval()
optimizer = torch.optim.AdamW(model.parameters(), lr=cfg.lr)
loader = make_dataloader(tokenizer, cfg.micro_batch, MAX_SEQ_LEN, "train")

step, counted = 0, 0.0
while True:
    began = time.time()
    part = min(counted / TIME_BUDGET, 1.0)
    rate = cfg.min_lr_ratio + (1 - cfg.min_lr_ratio) * 0.5 * (1 + math.cos(math.pi * part))
    for group in optimizer.param_groups:
        group["lr"] = cfg.lr * min(1.0, (step + 1) / max(1, cfg.warmup_steps)) * rate
    total = 0.0
    for _ in range(cfg.accumulate):
        x, y, epoch = next(loader)
        loss = model(x, y) / cfg.accumulate
        loss.backward()
        total += loss.item()
    nn.utils.clip_grad_norm_(model.parameters(), cfg.clip)
    optimizer.step()
    optimizer.zero_grad()
    with torch.no_grad():
        for slow, fast in zip(average.parameters(), model.parameters()):
            slow.lerp_(fast, 1 - cfg.ema)
    if step > 10:
        counted += time.time() - began
    print(f"step {step} | loss: {total:.4f} | counted {counted:.1f} s", flush=True)
    step += 1
    if counted >= TIME_BUDGET:
        break

print("val_bpb:", evaluate_bpb(average, tokenizer, 8))
