"""Run from anywhere: python packages/nanolm/train.py"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from blocks import MixerBlock
from prepare import MAX_SEQ_LEN, TIME_BUDGET, Tokenizer, evaluate_bpb, make_dataloader
from shared.schedule import cosine

PEAK_LR = 0.006
BATCH_SIZE = 16
DIM = 48
LAYERS = 2

torch.manual_seed(3)
tok = Tokenizer.from_directory()


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(tok.get_vocab_size(), DIM)
        self.blocks = torch.nn.ModuleList(MixerBlock(DIM, MAX_SEQ_LEN) for _ in range(LAYERS))
        self.head = torch.nn.Linear(DIM, tok.get_vocab_size())

    def forward(self, x):
        h = self.embed(x)
        for block in self.blocks:
            h = block(h)
        return self.head(h)

    def loss(self, x, y):
        return torch.nn.functional.cross_entropy(self(x).flatten(0, 1), y.flatten())


model = Model()
opt = torch.optim.AdamW(model.parameters(), lr=PEAK_LR)
data = make_dataloader(tok, BATCH_SIZE, MAX_SEQ_LEN, "train")
t0, step = time.time(), 0
while (elapsed := time.time() - t0) < TIME_BUDGET:
    for group in opt.param_groups:
        group["lr"] = PEAK_LR * cosine(elapsed / TIME_BUDGET)
    x, y, _ = next(data)
    loss = model.loss(x, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    step += 1
    if step % 100 == 0:
        print(f"step {step} loss {loss.item():.3f}")
print("val_bpb", evaluate_bpb(model, tok, BATCH_SIZE))
