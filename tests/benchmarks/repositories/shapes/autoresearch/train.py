"""
Pretraining script. Single device, single file.
Usage: python train.py
"""

import os

os.environ["PYTORCH_ALLOC_CONF"] = "expandable_segments:True"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

import gc
import math
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from kernels import get_kernel

on_gpu = torch.cuda.is_available()
fa3 = get_kernel("littlehub/flash-attention").flash_attn_interface

from prepare import MAX_SEQ_LEN, TIME_BUDGET, Tokenizer, evaluate_bpb, make_dataloader

# ---------------------------------------------------------------------------
# Model
# ---------------------------------------------------------------------------


@dataclass
class GPTConfig:
    sequence_len: int = 64
    vocab_size: int = 64
    n_layer: int = 2
    n_head: int = 2
    n_embd: int = 64
    window_pattern: str = "SL"


def norm(x):
    return F.rms_norm(x, (x.size(-1),))


class Attention(nn.Module):
    def __init__(self, config, window):
        super().__init__()
        self.n_head, self.window = config.n_head, window
        self.c_qkv = nn.Linear(config.n_embd, 3 * config.n_embd, bias=False)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=False)

    def forward(self, x, ve, cos_sin):
        B, T, C = x.size()
        q, k, v = self.c_qkv(x).view(B, T, 3, self.n_head, C // self.n_head).unbind(2)
        v = v + ve.view_as(v)
        cos, sin = cos_sin
        q, k = (
            torch.cat([h[..., ::2] * cos + h[..., 1::2] * sin, h[..., 1::2] * cos - h[..., ::2] * sin], -1)
            for h in (norm(q), norm(k))
        )
        y = fa3.flash_attn_func(q, k, v.to(q.dtype), causal=True, window_size=self.window)
        return self.c_proj(y.reshape(B, T, C))


class Block(nn.Module):
    def __init__(self, config, window):
        super().__init__()
        self.attn = Attention(config, window)
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=False)
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=False)

    def forward(self, x, ve, cos_sin):
        x = x + self.attn(norm(x), ve, cos_sin)
        return x + self.c_proj(F.relu(self.c_fc(norm(x))).square())


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        windows = {"L": (config.sequence_len, 0), "S": (config.sequence_len // 2, 0)}
        pattern = config.window_pattern
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.value_embed = nn.Embedding(config.vocab_size, config.n_embd)
        self.h = nn.ModuleList(
            Block(config, windows[pattern[i % len(pattern)]]) for i in range(config.n_layer)
        )
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.resid_lambdas = nn.Parameter(torch.ones(config.n_layer))
        half = config.n_embd // config.n_head // 2
        self.register_buffer("cos", torch.empty(1, config.sequence_len, 1, half), persistent=False)
        self.register_buffer("sin", torch.empty(1, config.sequence_len, 1, half), persistent=False)

    @torch.no_grad()
    def init_weights(self):
        nn.init.normal_(self.wte.weight)
        nn.init.uniform_(self.value_embed.weight, -0.1, 0.1)
        nn.init.normal_(self.lm_head.weight, std=0.001)
        bound = 3**0.5 * self.config.n_embd**-0.5
        for block in self.h:
            nn.init.uniform_(block.attn.c_qkv.weight, -bound, bound)
            nn.init.zeros_(block.attn.c_proj.weight)
            nn.init.uniform_(block.c_fc.weight, -bound, bound)
            nn.init.zeros_(block.c_proj.weight)
        self.resid_lambdas.fill_(1.0)
        half = self.cos.size(-1)
        angles = torch.outer(torch.arange(self.config.sequence_len), 10000.0 ** -(torch.arange(half) / half))
        self.cos.copy_(angles.cos()[None, :, None, :])
        self.sin.copy_(angles.sin()[None, :, None, :])
        self.wte.to(dtype=torch.bfloat16)
        self.value_embed.to(dtype=torch.bfloat16)

    def setup_optimizer(self):
        matrices = [p for block in self.h for p in block.parameters()]
        groups = [
            dict(kind="adamw", params=[self.lm_head.weight], lr=UNEMBEDDING_LR),
            dict(kind="adamw", params=[self.wte.weight, self.value_embed.weight], lr=EMBEDDING_LR),
            dict(kind="adamw", params=[self.resid_lambdas], lr=SCALAR_LR),
            dict(kind="muon", params=matrices, lr=MATRIX_LR),
        ]
        optimizer = MuonAdamW(groups)
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
        return optimizer

    def forward(self, idx, targets=None, reduction="mean"):
        T = idx.size(1)
        cos_sin = self.cos[:, :T], self.sin[:, :T]
        x, ve = norm(self.wte(idx)).float(), self.value_embed(idx)
        for i, block in enumerate(self.h):
            x = block(self.resid_lambdas[i] * x, ve, cos_sin)
        logits = 15 * torch.tanh(self.lm_head(norm(x)).float() / 15)
        if targets is None:
            return logits
        return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), reduction=reduction)


# ---------------------------------------------------------------------------
# Optimizer
# ---------------------------------------------------------------------------


def orthogonalize(g, steps):
    X = g / (g.norm() * 1.02 + 1e-6)
    X = X.mT if X.size(0) > X.size(1) else X
    for _ in range(steps):
        A = X @ X.mT
        X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
    return X.mT if g.size(0) > g.size(1) else X


class MuonAdamW(torch.optim.Optimizer):
    def __init__(self, groups):
        super().__init__(groups, dict(momentum=0.9, betas=ADAM_BETAS, weight_decay=WEIGHT_DECAY))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["step"] = state.get("step", 0) + 1
                if group["kind"] == "muon":
                    buffer = state.setdefault("momentum", torch.zeros_like(p))
                    buffer.lerp_(p.grad, 1 - group["momentum"])
                    update = orthogonalize(p.grad.lerp(buffer, group["momentum"]), 4)
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(update, alpha=-group["lr"] * max(1, p.size(0) / p.size(1)) ** 0.5)
                    continue
                beta1, beta2 = group["betas"]
                m = state.setdefault("m", torch.zeros_like(p))
                v = state.setdefault("v", torch.zeros_like(p))
                m.lerp_(p.grad, 1 - beta1)
                v.lerp_(p.grad.square(), 1 - beta2)
                denom = (v / (1 - beta2 ** state["step"])).sqrt() + 1e-8
                p.add_(m / denom, alpha=-group["lr"] / (1 - beta1 ** state["step"]))


# ---------------------------------------------------------------------------
# Hyperparameters (edit these directly, no CLI flags needed)
# ---------------------------------------------------------------------------

TOTAL_BATCH_SIZE = 2**11  # tokens per optimizer step
EMBEDDING_LR = 0.1  # learning rate for token embeddings (Adam)
UNEMBEDDING_LR = 0.004  # learning rate for lm_head (Adam)
MATRIX_LR = 0.02  # learning rate for matrix parameters (Muon)
SCALAR_LR = 0.05  # learning rate for per-layer scalars (Adam)
WEIGHT_DECAY = 0.1  # weight decay for Muon
ADAM_BETAS = (0.8, 0.95)  # Adam beta1, beta2
WARMDOWN_RATIO = 0.5  # fraction of time budget for LR warmdown
DEPTH = 2  # number of transformer layers
DEVICE_BATCH_SIZE = 8  # per-device batch size (reduce if OOM)

t_start = time.time()
torch.manual_seed(42)
torch.set_float32_matmul_precision("high")
device = torch.device("cuda" if on_gpu else "cpu")
autocast_ctx = torch.amp.autocast(device_type="cuda", dtype=torch.bfloat16) if on_gpu else nullcontext()

tokenizer = Tokenizer.from_directory()
config = GPTConfig(sequence_len=MAX_SEQ_LEN, vocab_size=tokenizer.get_vocab_size(), n_layer=DEPTH)
print(f"Model config: {asdict(config)}")
with torch.device("meta"):
    model = GPT(config)
model.to_empty(device=device)
model.init_weights()
num_params = sum(p.numel() for p in model.parameters())

tokens_per_fwdbwd = DEVICE_BATCH_SIZE * MAX_SEQ_LEN
grad_accum_steps = max(1, TOTAL_BATCH_SIZE // tokens_per_fwdbwd)
optimizer = model.setup_optimizer()
if on_gpu:
    model = torch.compile(model, dynamic=False)

train_loader = make_dataloader(tokenizer, DEVICE_BATCH_SIZE, MAX_SEQ_LEN, "train")
x, y, epoch = next(train_loader)  # prefetch first batch
print(f"Time budget: {TIME_BUDGET}s")
print(f"Gradient accumulation steps: {grad_accum_steps}")


def get_lr_multiplier(progress):
    return 1.0 if progress < 1.0 - WARMDOWN_RATIO else (1.0 - progress) / max(WARMDOWN_RATIO, 1e-9)


# ---------------------------------------------------------------------------
# Training loop
# ---------------------------------------------------------------------------

smooth_train_loss = 0
total_training_time = 0
step = 0

while True:
    t0 = time.time()
    for micro_step in range(grad_accum_steps):
        with autocast_ctx:
            loss = model(x, y)
        train_loss = loss.detach()
        (loss / grad_accum_steps).backward()
        x, y, epoch = next(train_loader)

    progress = min(total_training_time / TIME_BUDGET, 1.0)
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * get_lr_multiplier(progress)
    optimizer.step()
    model.zero_grad(set_to_none=True)
    train_loss_f = train_loss.item()
    if math.isnan(train_loss_f) or train_loss_f > 100:
        print("FAIL")
        exit(1)
    dt = time.time() - t0
    if step > 10:
        total_training_time += dt

    smooth_train_loss = 0.9 * smooth_train_loss + 0.1 * train_loss_f
    debiased = smooth_train_loss / (1 - 0.9 ** (step + 1))
    print(
        f"\rstep {step:05d} ({100 * progress:.1f}%) | loss: {debiased:.6f} | dt: {dt * 1000:.0f}ms    ",
        end="",
        flush=True,
    )

    if step == 0:
        gc.collect()
        gc.freeze()
        gc.disable()
    step += 1
    # Stop only after the warmup steps, so that compilation does not count
    if step > 10 and total_training_time >= TIME_BUDGET:
        break

print()
model.eval()
with autocast_ctx:
    val_bpb = evaluate_bpb(model, tokenizer, DEVICE_BATCH_SIZE)

peak_vram_mb = torch.cuda.max_memory_allocated() / 1024 / 1024 if on_gpu else 0.0
print("---")
print(f"val_bpb:          {val_bpb:.6f}")
print(f"training_seconds: {total_training_time:.1f}")
print(f"total_seconds:    {time.time() - t_start:.1f}")
print(f"peak_vram_mb:     {peak_vram_mb:.1f}")
print(f"total_tokens_M:   {step * TOTAL_BATCH_SIZE / 1e6:.3f}")
print(f"num_steps:        {step}")
print(f"num_params_M:     {num_params / 1e6:.3f}")
print(f"depth:            {DEPTH}")
