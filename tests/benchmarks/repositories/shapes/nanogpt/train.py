"""
Usage: python train.py config/train_letters.py
"""

import os
import pickle
import time

import numpy as np
import torch
from torch.nn import functional as F

from model import GPT

# -----------------------------------------------------------------------------
out_dir = "out"
eval_interval = 60
log_interval = 20
eval_iters = 50
dataset = "letters"
gradient_accumulation_steps = 1
batch_size = 12
block_size = 32
n_head = 2
n_embd = 64
dropout = 0.0
learning_rate = 3e-3  # max learning rate
max_iters = 600
weight_decay = 1e-1
beta2 = 0.99
grad_clip = 1.0  # clip gradients at this value, or disable if == 0.0
seed = 1337
# -----------------------------------------------------------------------------
config_keys = [
    k for k, v in globals().items() if not k.startswith("_") and isinstance(v, (int, float, bool, str))
]
exec(open("configurator.py").read())
config = {k: globals()[k] for k in config_keys}
# -----------------------------------------------------------------------------
os.makedirs(out_dir, exist_ok=True)
torch.manual_seed(seed)
data_dir = os.path.join("data", dataset)


def get_batch(split):
    data = np.memmap(os.path.join(data_dir, f"{split}.bin"), dtype=np.uint16, mode="r")
    ix = torch.randint(len(data) - block_size, (batch_size,))
    x = torch.stack([torch.from_numpy(data[i : i + block_size].astype(np.int64)) for i in ix])
    y = torch.stack([torch.from_numpy(data[i + 1 : i + 1 + block_size].astype(np.int64)) for i in ix])
    return x, y


with open(os.path.join(data_dir, "meta.pkl"), "rb") as f:
    vocab_size = pickle.load(f)["vocab_size"]
model = GPT(vocab_size, block_size, n_head, n_embd, dropout)
optimizer = torch.optim.AdamW(
    model.parameters(), lr=learning_rate, betas=(0.9, beta2), weight_decay=weight_decay
)


@torch.no_grad()
def estimate_loss():
    model.eval()
    out = {}
    for split in ["train", "val"]:
        losses = torch.zeros(eval_iters)
        for k in range(eval_iters):
            X, Y = get_batch(split)
            losses[k] = F.cross_entropy(model(X).flatten(0, 1), Y.flatten())
        out[split] = losses.mean()
    model.train()
    return out


t0, best_val_loss = time.time(), 1e9
for iter_num in range(max_iters + 1):
    if iter_num % eval_interval == 0:
        losses = estimate_loss()
        print(f"step {iter_num}: train loss {losses['train']:.4f}, val loss {losses['val']:.4f}")
        if losses["val"] < best_val_loss:
            best_val_loss = losses["val"]
            torch.save({"model": model.state_dict(), "config": config}, os.path.join(out_dir, "ckpt.pt"))
    for _ in range(gradient_accumulation_steps):
        X, Y = get_batch("train")
        loss = F.cross_entropy(model(X).flatten(0, 1), Y.flatten()) / gradient_accumulation_steps
        loss.backward()
    if grad_clip != 0.0:
        torch.nn.utils.clip_grad_norm_(model.parameters(), grad_clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    if iter_num % log_interval == 0:
        dt, t0 = time.time() - t0, time.time()
        print(f"iter {iter_num}: loss {loss.item():.4f}, time {dt * 1000:.2f}ms")
