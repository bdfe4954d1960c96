"""
Train a small GPT for a fixed budget. This is the one file that experiments change.

    python train.py                                                # five seconds, on whatever is there
    NOCTURNE_TIME_BUDGET=60 python train.py                        # a minute
    NOCTURNE_BUDGET=steps NOCTURNE_TIME_BUDGET=8 python train.py   # eight steps: quick, always the same

What counts is val_bpb, the bits per byte on held-out text: lower is better. Data, tokenizer and metric are in
prepare.py, which is locked.
"""

# mypy: ignore-errors

import math
import os
import sys
import time
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from prepare import MAX_SEQ_LEN, TIME_BUDGET, Tokenizer, evaluate_bpb, make_dataloader

# ---------------------------------------------------------------------------------------------------------
# Hyper-parameters: edit these directly

# Model
DEPTH = 4  # transformer blocks
MODEL_DIM = 64  # width of the residual stream, a multiple of HEAD_DIM
HEAD_DIM = 32  # width of one attention head, even
MLP_RATIO = 4.0  # hidden width of the MLP over MODEL_DIM
ACTIVATION = "gelu"  # relu2, gelu, swiglu
ROPE_BASE = 10000.0  # base wavelength of the rotary embedding
QK_NORM = True  # normalize queries and keys
TIED_HEAD = False  # share the weights of embedding and head
LOGIT_SOFTCAP = 0.0  # squash logits into (-cap, cap); 0 for none
INIT_SCALE = 1.0  # scale of the initial matrices

# Optimization
BATCH_SIZE = 16  # rows of MAX_SEQ_LEN tokens in one step
MATRIX_LR = 0.001  # for the matrices inside the blocks
EMBEDDING_LR = 0.003  # for the token embedding
HEAD_LR = 0.001  # for the head
BETA1 = 0.9  # Adam: memory of the gradient
BETA2 = 0.95  # Adam: memory of its square
WEIGHT_DECAY = 0.1  # for the matrices inside the blocks
GRAD_CLIP = 1.0  # largest norm of the gradient; 0 for none
WARMUP_RATIO = 0.1  # part of the budget over which the learning rate rises
WARMDOWN_RATIO = 0.3  # part of the budget over which it falls
FINAL_LR_FRAC = 0.1  # what is left of the learning rate at the end

# ---------------------------------------------------------------------------------------------------------
# The clock: progress runs from 0 to 1 over the budget

SEED = int(os.environ.get("NOCTURNE_SEED") or 0)
BUDGET = os.environ.get("NOCTURNE_BUDGET") or "wall"  # what TIME_BUDGET counts: wall or cpu seconds, or steps


def clock(step):
    """Return how much of the budget's unit has been used since some fixed moment."""
    if BUDGET == "steps":
        return float(step)
    return time.process_time() if BUDGET == "cpu" else time.perf_counter()


# ---------------------------------------------------------------------------------------------------------
# Model


@dataclass
class GPTConfig:
    vocab_size: int
    depth: int = DEPTH
    dim: int = MODEL_DIM
    head_dim: int = HEAD_DIM


def norm(x):
    """RMSNorm without weights (https://arxiv.org/abs/1910.07467)."""
    return F.rms_norm(x, (x.size(-1),))


def rotate(x, cos, sin):
    """Rotary position embedding of x (B, T, H, D): https://arxiv.org/abs/2104.09864."""
    left, right = x.chunk(2, dim=-1)
    return torch.cat([left * cos + right * sin, right * cos - left * sin], dim=-1)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads, self.head_dim = config.dim // config.head_dim, config.head_dim
        self.qkv = nn.Linear(config.dim, 3 * config.dim, bias=False)
        self.out = nn.Linear(config.dim, config.dim, bias=False)

    def forward(self, x, cos, sin):
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, self.head_dim).unbind(dim=2)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if QK_NORM:
            q, k = norm(q), norm(k)
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))  # (B, H, T, D)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(B, T, C))


class MLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden = int(MLP_RATIO * config.dim)
        self.up = nn.Linear(config.dim, 2 * hidden if ACTIVATION == "swiglu" else hidden, bias=False)
        self.down = nn.Linear(hidden, config.dim, bias=False)

    def forward(self, x):
        x = self.up(x)
        if ACTIVATION == "swiglu":
            x, gate = x.chunk(2, dim=-1)
            return self.down(x * F.silu(gate))
        return self.down(F.relu(x).square() if ACTIVATION == "relu2" else F.gelu(x))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention, self.mlp = Attention(config), MLP(config)

    def forward(self, x, cos, sin):
        x = x + self.attention(norm(x), cos, sin)
        return x + self.mlp(norm(x))


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.dim)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.head = nn.Linear(config.dim, config.vocab_size, bias=False)
        if TIED_HEAD:
            self.head.weight = self.embedding.weight
        wavelengths = ROPE_BASE ** (torch.arange(0, config.head_dim, 2) / config.head_dim)
        angles = torch.arange(MAX_SEQ_LEN)[:, None] / wavelengths  # (T, D / 2)
        self.register_buffer("cos", angles.cos()[:, None, :], persistent=False)
        self.register_buffer("sin", angles.sin()[:, None, :], persistent=False)
        self.init_weights()

    def init_weights(self):
        """Small matrices; what writes into the residual stream begins at zero: a block begins as nothing."""
        nn.init.normal_(self.embedding.weight, std=0.02 if TIED_HEAD else 1.0)
        if not TIED_HEAD:
            nn.init.normal_(self.head.weight, std=0.001)
        for block in self.blocks:
            for matrix in (block.attention.qkv, block.mlp.up):
                nn.init.normal_(matrix.weight, std=INIT_SCALE * matrix.in_features**-0.5)
            nn.init.zeros_(block.attention.out.weight)
            nn.init.zeros_(block.mlp.down.weight)

    def forward(self, idx, targets=None, reduction="mean"):
        """Return the logits (B, T, V) of idx (B, T), or with targets (B, T) the loss in nats per token."""
        T = idx.size(1)
        cos, sin = self.cos[:T], self.sin[:T]
        x = norm(self.embedding(idx))
        for block in self.blocks:
            x = block(x, cos, sin)
        logits = self.head(norm(x)).float()
        if LOGIT_SOFTCAP > 0:
            logits = LOGIT_SOFTCAP * torch.tanh(logits / LOGIT_SOFTCAP)
        if targets is None:
            return logits
        return F.cross_entropy(logits.flatten(0, 1), targets.reshape(-1), reduction=reduction)


# ---------------------------------------------------------------------------------------------------------
# Setup

began = time.perf_counter()
torch.manual_seed(SEED)
tokenizer = Tokenizer.from_directory()
device = torch.device(
    "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
)
half_precision = torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")

model = GPT(GPTConfig(vocab_size=tokenizer.get_vocab_size())).to(device)
num_params = sum(p.numel() for p in model.parameters())
print(f"device: {device}, parameters: {num_params:,}, budget: {TIME_BUDGET:g} ({BUDGET}), seed: {SEED}")

groups = [
    {"params": list(model.blocks.parameters()), "lr": MATRIX_LR, "weight_decay": WEIGHT_DECAY},
    {"params": [model.embedding.weight], "lr": EMBEDDING_LR, "weight_decay": 0.0},
]
if not TIED_HEAD:
    groups.append({"params": [model.head.weight], "lr": HEAD_LR, "weight_decay": 0.0})
optimizer = torch.optim.AdamW(groups, betas=(BETA1, BETA2), eps=1e-10)
optimizer.zero_grad()  # loads what torch loads late, before the clock runs
peak_lrs = [group["lr"] for group in optimizer.param_groups]


def lr_multiplier(progress):
    """Rise, stay, fall: progress 0..1 over the budget to a factor on each learning rate."""
    if progress < WARMUP_RATIO:
        return max(progress / WARMUP_RATIO, 0.01)  # the first step counts too
    left = 1.0 - progress
    if left >= WARMDOWN_RATIO:
        return 1.0
    return FINAL_LR_FRAC + (1.0 - FINAL_LR_FRAC) * left / WARMDOWN_RATIO


# ---------------------------------------------------------------------------------------------------------
# Training

train_loader = make_dataloader(tokenizer, BATCH_SIZE, MAX_SEQ_LEN, "train")
step, progress, told = 0, 0.0, 0.0
training_began_at = time.perf_counter()
training_began = clock(step)  # the budget runs from the first batch
x, y, epoch = next(train_loader)
while progress < 1.0:
    step_began = time.perf_counter()
    multiplier = lr_multiplier(progress)
    for group, peak in zip(optimizer.param_groups, peak_lrs, strict=True):
        group["lr"] = peak * multiplier
    with half_precision:
        loss = model(x, y)
    loss.backward()
    if GRAD_CLIP > 0:
        nn.utils.clip_grad_norm_(model.parameters(), GRAD_CLIP)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    x, y, epoch = next(train_loader)

    loss_now = loss.item()  # waits for the device, so that the clock below is honest
    if not math.isfinite(loss_now):
        print(f"\nstep {step:05d} | loss: {loss_now} | the loss is not finite: stopping")
        sys.exit(1)
    step += 1
    progress = (clock(step) - training_began) / TIME_BUDGET
    now = time.perf_counter()
    if now - told > 0.3 or progress >= 1.0:
        dt = now - step_began
        speed = int(BATCH_SIZE * MAX_SEQ_LEN / dt)
        done, pace = 100 * min(progress, 1.0), f"{1000 * dt:.0f}ms | tok/sec: {speed:,}"
        print(f"step {step:05d} ({done:.1f}%) | loss: {loss_now:.4f} | dt: {pace}", flush=True)
        told = now

# ---------------------------------------------------------------------------------------------------------
# Summary and score

# Dense bf16 FLOP/s from the makers' data sheets; 6 FLOPs per parameter and token (Kaplan et al., 2020)
PEAK_FLOPS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "A10G": 70e12}
device_name = torch.cuda.get_device_name() if device.type == "cuda" else ""
peak_flops = next((flops for name, flops in PEAK_FLOPS.items() if name in device_name), None)
tokens = step * BATCH_SIZE * MAX_SEQ_LEN
seconds = time.perf_counter() - training_began_at
mfu = 100 * 6 * num_params * tokens / (seconds * peak_flops) if peak_flops else 0.0  # 0 where not known

print("---")
print(f"training_seconds: {seconds:.1f}")
print(f"peak_vram_mb:     {torch.cuda.max_memory_allocated() / 2**20 if device.type == 'cuda' else 0.0:.1f}")
print(f"mfu_percent:      {mfu:.2f}")
print(f"total_tokens_M:   {tokens / 1e6:.3f}")
print(f"num_steps:        {step}")
print(f"num_params_M:     {num_params / 1e6:.3f}")
print(f"depth:            {DEPTH}")

model.eval()
with half_precision:
    val_bpb = evaluate_bpb(model, tokenizer, BATCH_SIZE)
print(f"val_bpb:          {val_bpb:.6f}")
print(f"total_seconds:    {time.perf_counter() - began:.1f}")
