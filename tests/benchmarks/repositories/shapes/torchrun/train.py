"""Usage: torchrun --standalone --nproc_per_node=2 train.py"""

import os
import time

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from prepare import MAX_SEQ_LEN, TIME_BUDGET, Tokenizer, evaluate_bpb, make_dataloader

LEARNING_RATE = 0.004
BATCH_PER_RANK = 4
DIM = 48

dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
rank, world = dist.get_rank(), dist.get_world_size()
local_rank = int(os.environ["LOCAL_RANK"])
device = torch.device("cuda", local_rank) if torch.cuda.is_available() else torch.device("cpu")
torch.set_num_threads(1)
torch.manual_seed(99)


class Bigram(nn.Module):
    """Each position looks at itself and at the one before."""

    def __init__(self, vocab):
        super().__init__()
        self.now = nn.Embedding(vocab, DIM)
        self.before = nn.Embedding(vocab + 1, DIM)
        self.net = nn.Sequential(nn.GELU(), nn.Linear(DIM, DIM), nn.GELU(), nn.Linear(DIM, vocab))

    def forward(self, idx, targets=None, reduction="mean"):
        last = nn.functional.pad(idx[:, :-1], (1, 0), value=self.before.num_embeddings - 1)
        logits = self.net(self.now(idx) + self.before(last))
        if targets is None:
            return logits
        return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction=reduction)


tokenizer = Tokenizer.from_directory()
raw_model = Bigram(tokenizer.get_vocab_size()).to(device)
model = DistributedDataParallel(raw_model)
optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE * world**0.5)
loader = make_dataloader(tokenizer, BATCH_PER_RANK * world, MAX_SEQ_LEN, "train")

start, step = time.time(), 0
stop = torch.zeros(1, device=device)
while not stop.item():
    x, y, _ = next(loader)
    x, y = (each[rank::world].to(device) for each in (x, y))
    loss = model(x, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    step += 1
    if rank == 0:
        stop.fill_(time.time() - start >= TIME_BUDGET)
        if step % 50 == 0:
            print(f"step {step} | loss: {loss.item():.4f} | world {world}", flush=True)
    dist.broadcast(stop, src=0)

if rank == 0:
    print(f"val_bpb: {evaluate_bpb(raw_model.eval(), tokenizer, 8):.6f}")
dist.barrier()
dist.destroy_process_group()
