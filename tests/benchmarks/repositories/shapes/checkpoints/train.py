"""Saves the best model beside itself, keeps a log, and goes back to the best at the end."""

import csv
import os
import time

import torch
from torch import nn

from prepare import MAX_SEQ_LEN, TIME_BUDGET, Tokenizer, evaluate_bpb, make_dataloader

lr = 1e-2
batch_size = 12
width = 80
decay = 0.9

here = os.path.dirname(os.path.abspath(__file__))
os.makedirs(os.path.join(here, "runs"), exist_ok=True)
torch.manual_seed(23)


class DecayedSums(nn.Module):
    """Embeddings of the past, summed with a weight that decays."""

    def __init__(self, vocab):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        back = torch.arange(MAX_SEQ_LEN)[:, None] - torch.arange(MAX_SEQ_LEN)[None, :]
        self.register_buffer("weights", torch.where(back >= 0, decay ** back.clamp(min=0).float(), 0.0))
        self.head = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, vocab))

    def forward(self, idx, targets=None, reduction="mean"):
        x = self.embed(idx)
        T = idx.shape[1]
        logits = self.head(torch.cat([x, self.weights[:T, :T] @ x], dim=-1))
        if targets is None:
            return logits
        return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction=reduction)


tokenizer = Tokenizer.from_directory()
model = DecayedSums(tokenizer.get_vocab_size())
optimizer = torch.optim.Adagrad(model.parameters(), lr=lr)
best, step, start = float("inf"), 0, time.time()
with open(os.path.join(here, "runs", "loss.csv"), "w", newline="") as f, open("log.txt", "a") as log:
    writer = csv.writer(f)
    for x, y, _ in make_dataloader(tokenizer, batch_size, MAX_SEQ_LEN, "train"):
        loss = model(x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        writer.writerow([step, loss.item()])
        if step % 100 == 0 and loss.item() < best:
            best = loss.item()
            torch.save(
                {"model": model.state_dict(), "step": step, "loss": best}, os.path.join(here, "ckpt.pt")
            )
            log.write(f"step {step}: saved at loss {best:.4f}\n")
            print(f"step {step}: loss {best:.4f}, saved")
        if time.time() - start > TIME_BUDGET:
            break

if os.path.exists(os.path.join(here, "ckpt.pt")):
    model.load_state_dict(torch.load(os.path.join(here, "ckpt.pt"))["model"])
print("val_bpb:", evaluate_bpb(model.eval(), tokenizer, batch_size))
