"""The smallest honest candidate. It stands at the top of the other ones: see `writing.py`."""

import os
import time

import torch
import torch.nn.functional as F
from prepare import MAX_SEQ_LEN, TIME_BUDGET, Tokenizer, evaluate_bpb, make_dataloader
from torch import nn

ROWS = 8  # of MAX_SEQ_LEN tokens, in a batch of training and of evaluation
DIM = 32

torch.manual_seed(7)
tokenizer = Tokenizer.from_directory()
VOCABULARY = tokenizer.get_vocab_size()


class Small(nn.Module):
    """One block of attention that prefers what is near; embedding and head share their weights."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, DIM)
        self.key, self.query, self.value = (nn.Linear(DIM, DIM, bias=False) for _ in range(3))
        self.mlp = nn.Sequential(nn.Linear(2 * DIM, 4 * DIM), nn.GELU(), nn.Linear(4 * DIM, DIM))
        self.scale = nn.Parameter(torch.tensor(0.3))
        nn.init.eye_(self.value.weight)

    def visible(self, length):
        """Return which later positions (columns) each position (row) may look at."""
        return torch.ones(length, length, dtype=torch.bool).tril()

    def mix(self, x):
        """Let the positions of x (B, T, C) look at each other."""
        where = torch.arange(x.size(1))
        near = -(where[:, None] - where[None, :]).abs().float()
        scores = self.query(x) @ self.key(x).transpose(1, 2) / DIM**0.5 + near
        return scores.masked_fill(~self.visible(x.size(1)), -torch.inf).softmax(-1) @ self.value(x)

    def logits(self, idx):
        x = self.embedding(idx)
        mixed = self.mix(x)
        x = self.mlp(torch.cat([x, mixed], dim=-1)) + self.scale * mixed
        return F.linear(x, self.embedding.weight)

    def forward(self, idx, targets=None, reduction="mean"):
        logits = self.logits(idx)
        if targets is None:
            return logits
        return F.cross_entropy(logits.float().flatten(0, 1), targets.reshape(-1), reduction=reduction)


class Adam:
    """torch.optim.Adam in a few lines: to make one of those imports torch._dynamo, which takes as long as torch."""

    def __init__(self, parameters, lr):
        self.lr, self.steps = lr, 0
        self.kept = [(each, torch.zeros_like(each), torch.zeros_like(each)) for each in parameters]

    def zero_grad(self):
        for parameter, _, _ in self.kept:
            parameter.grad = None

    @torch.no_grad()
    def step(self):
        self.steps += 1
        for parameter, mean, square in self.kept:
            if parameter.grad is not None:
                mean.lerp_(parameter.grad, 0.1)
                square.mul_(0.999).addcmul_(parameter.grad, parameter.grad, value=0.001)
                spread = (square / (1 - 0.999**self.steps)).sqrt_().add_(1e-8)
                parameter.addcdiv_(mean, spread, value=-self.lr / (1 - 0.9**self.steps))


def used(step):
    """Return how much of the budget's unit was used since some fixed moment."""
    kind = os.environ.get("NOCTURNE_BUDGET") or "wall"
    return step if kind == "steps" else time.process_time() if kind == "cpu" else time.perf_counter()


def train(model, budget=TIME_BUDGET):
    """Train `model` for the budget and return it, ready to be measured."""
    optimizer = Adam(model.parameters(), lr=0.01)
    loader = make_dataloader(tokenizer, ROWS, MAX_SEQ_LEN, "train")
    step, began = 0, used(0)
    while used(step) - began < budget:
        x, y, _ = next(loader)
        optimizer.zero_grad()
        loss = model(x, y)
        loss.backward()
        optimizer.step()
        step += 1
        print(f"step {step:05d} | loss: {loss.item():.4f}", flush=True)
    return model.eval()


def measure(model):
    print(f"val_bpb: {evaluate_bpb(model, tokenizer, ROWS):.9f}")
