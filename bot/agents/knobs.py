"""Tunable constants as knobs: which may be turned, what kind of quantity each is, how likely it pays."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.agents.constants import Constant, Number, Value, constants_of
from bot.agents.usage import Usage, usage_of

# Never ours to turn: seeds, what the evaluator fixes, where and how it runs, what is only shown.
_FORBIDDEN = re.compile(
    r"(^|_)(seeds?|evals?|val|valid|validation|test|time|budget|seconds|minutes|deadline|clock|timeout"
    r"|seq|sequence|context|block_size|vocab|dtype|precision|log|logs|print|verbose|debug|interval|every|version"
    r"|path|paths|dir|dirs|file|files|folder|url|host|port|name|names|workers|threads|flops|tokenizer|bos|eos"
    r"|pad|ignore_index|exclude|startup|checkpoint|ckpt|save|resume|wandb|rank|world_size|backend)(_|$)"
    r"|^__"
)


@dataclass(frozen=True)
class Class:
    """What a name promises: prior weight, category, the kind of quantity, a lean.

    `weight` is the size of effect expected of one bold step against that of a learning rate. `lean` is
    the prior direction: positive where raising the constant tends to pay.
    """

    pattern: str
    weight: float
    category: str
    kind: str
    lean: float = 0.0


# The order decides: the first pattern found in the name wins. Weights and leans: experience that the
# public autoresearch traces agree with (a smaller batch, a longer warmdown and larger rates tend to pay
# within a fixed time budget; betas, epsilons and clipping move little).
_CLASSES = (
    Class(r"device_batch|micro_batch|grad_accum|accum", 0.12, "batch", "log"),
    Class(r"batch", 0.85, "batch", "log", -0.3),
    Class(r"warmdown|cooldown|decay_(ratio|frac)|anneal", 0.6, "schedule", "unit", 0.3),
    Class(
        r"(final|min|end)_?(lr|learning_rate)|(lr|learning_rate)_(frac|min|final|end)",
        0.4,
        "schedule",
        "unit",
        0.2,
    ),
    Class(r"warmup", 0.35, "schedule", "unit"),
    Class(r"weight_decay|(^|_)wd(_|$)", 0.45, "regularization", "log"),
    Class(r"dropout|(^|_)drop(_|$)|label_smoothing", 0.4, "regularization", "unit"),
    Class(r"(^|_)(betas?\d?|momentum|ema|nesterov)(_|$|\[)", 0.22, "optimization", "momentum"),
    Class(r"(^|_)eps(ilon)?(_|$)", 0.08, "optimization", "log"),
    Class(r"clip", 0.18, "optimization", "log"),
    Class(r"(^|_)lr(_|$)|learning_rate|step_size", 1.0, "optimization", "log", 0.15),
    Class(r"(^|_)(depth|n_?layers?|num_layers|layers?)(_|$)", 0.75, "architecture", "count", 0.1),
    Class(r"head", 0.35, "architecture", "count"),
    Class(
        r"aspect|n_embd|d_model|model_dim|width|hidden|embed_dim|(^|_)dim(_|$)", 0.6, "architecture", "log"
    ),
    Class(r"mlp|ffn?|expan|ratio|mult", 0.4, "architecture", "log"),
    Class(r"act|window|norm|rope|rotary|softcap|bias|tie|residual|value_embed", 0.35, "architecture", "log"),
    Class(r"init|scale|std|gain", 0.3, "architecture", "log"),
    Class(r"iters?|(^|_)(max_|num_)?steps", 0.35, "schedule", "log"),
    Class(r"optim|muon|adam|sched", 0.4, "optimization", "log"),
)
_UNKNOWN = Class("", 0.15, "other", "log")
_FRACTION = re.compile(r"ratio|frac|fraction|pct|prob|rate$|dropout|smoothing|warmup|warmdown|cooldown")
_ZERO_START = {"weight_decay": 0.1, "clip": 1.0, "label_smoothing": 0.05}


@dataclass(frozen=True)
class Knob:
    """A constant that may be turned; `kind` is log, power, count, unit, momentum or choice."""

    constant: Constant
    kind: str
    weight: float
    category: str
    lean: float
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[Value, ...] = ()
    zero_start: float | None = None

    @property
    def name(self) -> str:
        """Return the constant's name."""
        return self.constant.name


def knobs_of(files: Mapping[str, str]) -> tuple[Knob, ...]:
    """Return what may be turned in `files`, in the order of the source."""
    usage = usage_of(files)
    return tuple(knob for constant in constants_of(files) if (knob := _knob(constant, usage)) is not None)


def bare(name: str) -> str:
    """Return the last component in lower case without an index: `GPTConfig.n_layer` -> `n_layer`."""
    return re.sub(r"\[\d+\]$", "", name.rsplit(".", 1)[-1]).lower()


def _knob(constant: Constant, usage: Usage) -> Knob | None:
    name, value = bare(constant.name), constant.value
    is_field = "." in constant.name
    last = re.sub(r"\[\d+\]$", "", constant.name.rsplit(".", 1)[-1])
    if _FORBIDDEN.search(name) or last not in usage.read or constant.name.split("[")[0] in usage.dead_fields:
        return None
    if not is_field and last in usage.rebound:
        return None
    found = next((known for known in _CLASSES if re.search(known.pattern, name)), _UNKNOWN)
    weight, category = found.weight, found.category
    if isinstance(value, bool):
        return Knob(constant, "choice", min(weight, 0.3), category, 0.0, choices=(False, True))
    if isinstance(value, str):
        choices = _choices(constant, usage.choices.get(name, ()))
        if len(choices) < 2 or re.search(r"device|cuda|/|\\", name + value):
            return None
        return Knob(constant, "choice", max(weight, 0.3), category, 0.0, choices=choices)
    low, high = _bounds(constant.comment, float(value))
    kind, zero = _kind(name, value, found.kind), None
    if kind == "unit":
        low, high = max(0.0, low), min(1.0 if "drop" not in name else 0.8, high)
    elif kind == "momentum":
        low, high = max(0.0, low), min(0.99999, high)
    elif type(value) is int and value >= 1:
        low = max(1.0, low)
    elif value == 0:
        zero = next((start for key, start in _ZERO_START.items() if key in name), None)
        if zero is None or type(value) is int:
            return None
    return Knob(constant, kind, weight, category, found.lean, low, high, zero_start=zero)


def _kind(name: str, value: Number, promised: str) -> str:
    if isinstance(value, int):
        if promised == "count" and "dim" not in name and ("layer" in name or "depth" in name):
            return "count"
        if value > 0 and value & (value - 1) == 0:
            return "power"
        return "count" if value <= 16 else "log"
    if promised == "momentum" or ("decay" in name and 0.9 < value < 1):
        return "momentum" if 0 <= value < 1 else "log"
    if (promised == "unit" or _FRACTION.search(name)) and 0 <= value <= 1 and "learning_rate" not in name:
        # A floor such as MIN_LR = 3e-5 is a rate, not a fraction of one.
        is_rate = "lr" in name.split("_") and not re.search(r"frac|ratio|mult", name)
        return "log" if is_rate and 0 < value < 0.01 else "unit"
    return "log"


def _choices(constant: Constant, compared: tuple[str, ...]) -> tuple[Value, ...]:
    value = constant.value
    said = re.split(r"\s*(?:,|\||/|\bor\b|;)\s*", re.sub(r"^[^:]*:\s*", "", constant.comment))
    words = [re.sub(r"^['\"`(]+|['\"`).]+$", "", word.strip()) for word in said]
    if len(words) >= 2 and value in words and all(re.fullmatch(r"[\w.+-]+", word) for word in words):
        return tuple(dict.fromkeys(words))
    return tuple(dict.fromkeys([*compared, str(value)])) if compared else ()


_NUMBER = r"(-?\d+(?:\.\d+)?(?:e-?\d+)?)"
_RANGES = (
    rf"[\[(]\s*{_NUMBER}\s*,\s*{_NUMBER}\s*[\])]",
    rf"{_NUMBER}\s*\.\.+\s*{_NUMBER}",
    rf"between {_NUMBER} and {_NUMBER}",
)
_LOWS = rf"(?:>=?|at least|min(?:imum)?:?)\s*{_NUMBER}"
_HIGHS = rf"(?:<=?|at most|max(?:imum)?:?)\s*{_NUMBER}"


def _bounds(comment: str, value: float) -> tuple[float, float]:
    """Return the bounds that the comment states, where the present value respects them."""
    low, high = -math.inf, math.inf
    text = comment.lower()
    for pattern in _RANGES:
        if found := re.search(pattern, text):
            low, high = float(found[1]), float(found[2])
    if found := re.search(_LOWS, text):
        low = float(found[1])
    if found := re.search(_HIGHS, text):
        high = float(found[1])
    return (low, high) if low <= value <= high else (-math.inf, math.inf)
