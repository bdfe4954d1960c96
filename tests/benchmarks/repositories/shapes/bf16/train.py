"""bfloat16 all through: autocast around the model, embeddings stored in bfloat16."""

import time

import torch
import torch.nn.functional as F
from torch import nn

from prepare import MAX_SEQ_LEN, TIME_BUDGET, Tokenizer, evaluate_bpb, make_dataloader

LR = 0.002
BATCH_SIZE = 8
D_MODEL = 64
N_LAYER = 1
SOFTCAP = 20.0

torch.manual_seed(10)
autocast = torch.autocast(device_type="cpu", dtype=torch.bfloat16)


class GatedRecurrence(nn.Module):
    """A diagonal linear recurrence, unrolled by sums of logarithms (as in minGRU)."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(D_MODEL)
        self.gates = nn.Linear(D_MODEL, 2 * D_MODEL)
        self.out = nn.Linear(D_MODEL, D_MODEL)

    def forward(self, x):
        z, h = self.gates(self.norm(x)).chunk(2, -1)
        with torch.autocast(device_type="cpu", enabled=False):
            z, h = z.float(), F.softplus(h.float()) + 1e-3
            keep = F.logsigmoid(-z).cumsum(1)
            y = (keep + torch.logcumsumexp(F.logsigmoid(z) + h.log() - keep, 1)).exp()
        return x + self.out(y)


class LM(nn.Module):
    def __init__(self, vocab):
        super().__init__()
        self.embed = nn.Embedding(vocab, D_MODEL).to(torch.bfloat16)
        self.layers = nn.Sequential(*(GatedRecurrence() for _ in range(N_LAYER)))
        self.head = nn.Linear(D_MODEL, vocab)

    def forward(self, idx, targets=None, reduction="mean"):
        logits = self.head(self.layers(self.embed(idx)))
        logits = SOFTCAP * torch.tanh(logits.float() / SOFTCAP)
        if targets is None:
            return logits
        return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), reduction=reduction)


tokenizer = Tokenizer.from_directory()
model = LM(tokenizer.get_vocab_size())
optimizer = torch.optim.AdamW(model.parameters(), lr=LR, betas=(0.9, 0.95))
loader = make_dataloader(tokenizer, BATCH_SIZE, MAX_SEQ_LEN, "train")
start, step = time.time(), 0
while time.time() - start < TIME_BUDGET:
    x, y, epoch = next(loader)
    with autocast:
        loss = model(x, y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    step += 1
    print(f"\rstep {step:05d} | loss: {loss.item():.4f}", end="")
print()
with autocast:
    print(f"val_bpb: {evaluate_bpb(model, tokenizer, BATCH_SIZE):.6f}")
