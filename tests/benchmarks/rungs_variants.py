"""Variants of the starter for `rungs_real`: changes of constants as a search proposes them, by category."""

from __future__ import annotations

import re
from dataclasses import dataclass

ROW_TOKENS, VOCABULARY = 128, 512
FULL_STEPS, SHORTEST = 64, 0.25
_CONSTANT = r"^{name} = (?P<value>[^#\n]+?)(?P<rest>  #.*)?$"


@dataclass(frozen=True)
class Variant:
    """One change: its category, and what each constant becomes, as it is written."""

    name: str
    category: str
    changes: tuple[tuple[str, str], ...]

    def script(self, text: str) -> str:
        """Return the starter's train.py `text` with the constants changed; raise ValueError if one is not there."""
        for name, value in self.changes:
            pattern = re.compile(_CONSTANT.format(name=re.escape(name)), re.MULTILINE)
            text, count = pattern.subn(rf"{name} = {value}\g<rest>", text)
            if count != 1:
                raise ValueError(f"{name}: found {count} times in train.py")
        return text


def constants(text: str) -> dict[str, str]:
    """Return the constants of a train.py as they are written."""
    return dict(re.findall(r"^([A-Z][A-Z0-9_]+) = ([^#\n]+?)(?:  #.*)?$", text, re.MULTILINE))


def step_flops(values: dict[str, str]) -> float:
    """Return the floating-point operations of one optimizer step: 6 a weight of a matrix and token, and attention's
    12 a layer, token, position and channel (Kaplan et al., 2020)."""
    depth, width = int(values["DEPTH"]), int(values["MODEL_DIM"])
    hidden = int(float(values["MLP_RATIO"]) * width)
    mlp = (3 if "swiglu" in values["ACTIVATION"] else 2) * hidden * width
    weights = depth * (4 * width * width + mlp) + VOCABULARY * width
    tokens = int(values["BATCH_SIZE"]) * ROW_TOKENS
    return float(tokens * (6 * weights + 12 * depth * ROW_TOKENS * width))


def full_steps(variant: Variant, text: str) -> int:
    """Return how many steps of a variant are as much work as the unchanged starter's `FULL_STEPS`: a number that
    quarters and halves are whole of."""
    ratio = step_flops(constants(text)) / step_flops(constants(variant.script(text)))
    return 4 * max(1, round(FULL_STEPS * ratio / 4))


_TABLE = """
schedule   | WARMUP_RATIO=0.0; WARMUP_RATIO=0.03; WARMUP_RATIO=0.2; WARMDOWN_RATIO=0.1; WARMDOWN_RATIO=0.5
schedule   | WARMDOWN_RATIO=0.8; FINAL_LR_FRAC=0.0; FINAL_LR_FRAC=0.3; WARMUP_RATIO=0.03 WARMDOWN_RATIO=0.6
rate       | MATRIX_LR=0.0005; MATRIX_LR=0.0015; MATRIX_LR=0.002; MATRIX_LR=0.004; EMBEDDING_LR=0.001
rate       | EMBEDDING_LR=0.006; EMBEDDING_LR=0.012; HEAD_LR=0.0005; HEAD_LR=0.002; HEAD_LR=0.004
rate       | MATRIX_LR=0.002 HEAD_LR=0.002; MATRIX_LR=0.002 EMBEDDING_LR=0.006
batch      | BATCH_SIZE=4; BATCH_SIZE=8; BATCH_SIZE=12; BATCH_SIZE=24; BATCH_SIZE=32
batch      | BATCH_SIZE=8 MATRIX_LR=0.0007; BATCH_SIZE=32 MATRIX_LR=0.0015
depth      | DEPTH=1; DEPTH=2; DEPTH=3; DEPTH=5; DEPTH=6; DEPTH=8; DEPTH=2 BATCH_SIZE=24
width      | MODEL_DIM=32; MODEL_DIM=96; MODEL_DIM=128; MLP_RATIO=2.0; MLP_RATIO=3.0; MLP_RATIO=6.0
width      | HEAD_DIM=16; HEAD_DIM=64; MODEL_DIM=128 DEPTH=2; MODEL_DIM=96 DEPTH=3
optimizer  | BETA1=0.8; BETA1=0.95; BETA2=0.9; BETA2=0.98; BETA2=0.999; WEIGHT_DECAY=0.0; WEIGHT_DECAY=0.3
optimizer  | GRAD_CLIP=0.0; GRAD_CLIP=0.3; BETA1=0.8 BETA2=0.9
model      | ACTIVATION="relu2"; ACTIVATION="swiglu"; ROPE_BASE=1000.0; ROPE_BASE=100000.0; QK_NORM=False
model      | TIED_HEAD=True; LOGIT_SOFTCAP=15.0; LOGIT_SOFTCAP=30.0; INIT_SCALE=0.5; INIT_SCALE=1.5
"""


def variants() -> list[Variant]:
    """Return the unchanged starter and all variants: one of each category in turn, so that a part of them is fair."""
    groups: dict[str, list[Variant]] = {}
    for line in _TABLE.strip().splitlines():
        category, changes = (part.strip() for part in line.split("|"))
        for change in changes.split(";"):
            pairs = tuple(
                (name, value) for name, _, value in (each.partition("=") for each in change.split())
            )
            groups.setdefault(category, []).append(Variant(change.strip(), category, pairs))
    most = max(map(len, groups.values()))
    turns = [group[place] for place in range(most) for group in groups.values() if place < len(group)]
    return [Variant("none", "none", ()), *turns]
