"""
Train the base model. Usage: python -m scripts.base_train
"""

import math

import torch

from nanochat.common import get_base_dir, print0
from nanochat.dataset import VOCAB, batches
from nanochat.gpt import GPT

# User settings
device_batch_size = 8
max_seq_len = 32
num_iterations = 150
matrix_lr = 0.01
embedding_lr = 0.05
eval_every = 75
eval_steps = 20

torch.manual_seed(1)
model = GPT(VOCAB)
matrices = [p for name, p in model.named_parameters() if "wte" not in name]
optimizers = [
    torch.optim.AdamW(matrices, lr=matrix_lr),
    torch.optim.Adam(model.wte.parameters(), lr=embedding_lr),
]
train_loader = batches("train", device_batch_size, max_seq_len)
print0(f"base dir: {get_base_dir()}")

for step in range(num_iterations + 1):
    last_step = step == num_iterations
    if last_step or step % eval_every == 0:
        with torch.no_grad():
            val_loader = batches("val", device_batch_size, max_seq_len)
            loss = sum(model(*next(val_loader)).item() for _ in range(eval_steps)) / eval_steps
        print0(f"Step {step:05d} | Validation bpb: {loss / math.log(2):.4f}")
    if last_step:
        break
    loss = model(*next(train_loader))
    loss.backward()
    for opt in optimizers:
        opt.step()
        opt.zero_grad(set_to_none=True)
    if step % 50 == 0:
        print0(f"step {step:05d}/{num_iterations:05d} | loss: {loss.item():.6f}")
