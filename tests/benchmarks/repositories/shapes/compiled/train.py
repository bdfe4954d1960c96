"""The model and the loss are compiled; the first step takes as long as the compiler does."""

import time

import torch
import torch.nn.functional as F
from torch import nn

from prepare import MAX_SEQ_LEN, TIME_BUDGET, Tokenizer, evaluate_bpb, make_dataloader

LEARNING_RATE = 0.01
BATCH_SIZE = 8
DIM = 32
KERNEL = 4

torch.manual_seed(5)


class Shifted(nn.Module):
    def __init__(self, vocab):
        super().__init__()
        self.embed = nn.Embedding(vocab, DIM)
        self.mix = nn.Parameter(torch.randn(KERNEL, DIM) / KERNEL)
        self.up = nn.Linear(DIM, 2 * DIM)
        self.head = nn.Linear(2 * DIM, vocab)

    def forward(self, idx, targets=None, reduction="mean"):
        x = self.embed(idx)
        shifted = [F.pad(x, (0, 0, k, 0))[:, : x.shape[1]] * self.mix[k] for k in range(KERNEL)]
        logits = self.head(F.relu(self.up(torch.stack(shifted).sum(0))).square())
        if targets is None:
            return logits
        return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), reduction=reduction)


tokenizer = Tokenizer.from_directory()
model = Shifted(tokenizer.get_vocab_size())
optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
model = torch.compile(model, dynamic=False)
loader = make_dataloader(tokenizer, BATCH_SIZE, MAX_SEQ_LEN, "train")

training_time, step = 0.0, 0
while training_time < TIME_BUDGET:
    t0 = time.time()
    x, y, _ = next(loader)
    loss = model(x, y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    if step > 10:  # the first steps compile
        training_time += time.time() - t0
    if step % 100 == 0:
        print(f"step {step:05d} | loss: {loss.item():.4f} | {time.time() - t0:.2f} s", flush=True)
    step += 1

model.eval()
print("val_bpb:", evaluate_bpb(model, tokenizer, BATCH_SIZE))
