"""Fill the cache of the Hugging Face hub as a download would have: one kernel with a universal build."""

import os
from pathlib import Path

REVISION = "0123456789abcdef0123456789abcdef01234567"
INTERFACE = '''\
import torch
import torch.nn.functional as F


def flash_attn_func(q, k, v, causal=False, window_size=(-1, -1)):
    """Attention over (batch, time, head, dim); a position sees itself and `window_size[0]` before it."""
    steps = torch.arange(q.size(1), device=q.device)
    back = steps[:, None] - steps[None, :]
    seen = (back >= 0) & (back <= window_size[0])
    q, k, v = (each.transpose(1, 2) for each in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=seen).transpose(1, 2)
'''

cache = Path(os.environ["HOME"], ".cache/huggingface/hub/models--littlehub--flash-attention")
build = cache / "snapshots" / REVISION / "build/torch-universal"
(cache / "refs").mkdir(parents=True, exist_ok=True)
build.mkdir(parents=True, exist_ok=True)
(cache / "refs/main").write_text(REVISION)
(cache / "refs/v1").write_text(REVISION)
(build / "__init__.py").write_text("from . import flash_attn_interface\n")
(build / "flash_attn_interface.py").write_text(INTERFACE)
(build / "metadata.json").write_text('{"version": 1, "python-depends": []}')
