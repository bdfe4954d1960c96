"""Tunable constants as knobs: which may be turned, what kind of quantity each is, how likely it pays."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.agents.constants import Constant, Number, Value, constants_of, literal_value
from bot.agents.formats.site import last_part
from bot.agents.offline.name_use import NameUse, name_use_of

# Never ours to turn: seeds, what measures, where and how it runs, what is only shown. Parts of names.
_MEASURES = (
    r"seeds?|evals?|evaluat\w+|(?!(?:(?<=clip_)|(?<=max_)|(?<=min_)|(?<=init_))val$)val|valid|validation|test|tests"
    r"|testing|bench|benchmarks?|scores?|scoring|metrics?|repeats?|trials?|deterministic|n_runs|num_runs|expected"
    r"|golden|tol|tolerances?|atol|rtol"
)
_TIMES = (
    r"time|times|timeouts?|budget|seconds|secs|minutes|hours|ms|deadline|clock|duration|runtime|wall|walltime"
)
_SHOWS = (
    r"log|logs|logg\w+|print|prints|verbose|debug|report|reporting|snapshots?|display|show|plots?|plotting|monitor"
    r"|tensorboard|wandb|mlflow|videos?|progress|checkpoint|checkpoints|checkpointing|ckpts?|save|saves|saving|resume"
)
_FIXED = (
    r"seq|sequence|vocab|dtype|precision|version|versions|flops|tokenizer|bos|eos|pad|ignore_index|exclude|startup"
    r"|world_size|backend|port|id|ids|uuid|(?:init|load|resume|start)_from|pretrained"
)
_MEMORY = re.compile(r"(?:^|_)(?:mem|memory|ram|vram)(?:_|$)")
_BOUND = re.compile(r"(?:^|_)(?:max|limit|cap|peak|slack|free|fraction|[mg]i?b|bytes)(?:_|$)")
_FORBIDDEN = re.compile(
    rf"(?:^|_)(?P<why>{_MEASURES}|{_TIMES}|{_SHOWS}|{_FIXED})(?:_|$)|^__|^(?:(?:local|global|node)_)?rank$"
)
# These name a place if they end a name or are worth a text; `dir_depth = 2` is a number of something.
_PLACES = re.compile(
    r"(?:^|_)(?:path|paths|dir|dirs|file|files|folder|folders|url|urls|host|hosts|name|names"
    r"|(?<!per_)(?:device|devices|gpus?|nodes))$"
)
_PLACE_TEXTS = re.compile(
    r"(?:^|_)(?:path|paths|dir|dirs|file|files|folder|url|host|name|names|device)(?:_|$)"
)
# A section of settings that is about measuring or showing, whatever the settings in it are called.
_SECTIONS = re.compile(
    r"(?:^|_)(?:evals?|evaluation|val|valid|validation|test|tests|testing|log|logs|logging|logger|wandb|checkpoint"
    r"|checkpoints|paths|version|versions|dependencies|requires|hydra|benchmark|metrics?)(?:_|$)"
)


@dataclass(frozen=True)
class Class:
    """What a name promises: prior weight, category, the kind of quantity, a lean.

    `weight` is the size of effect expected of one bold step against that of a learning rate. `lean` is
    the prior direction: positive if raising the constant tends to pay.
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
    Class(r"gamma|discount|(^|_)(decay|rho)(_|$)", 0.3, "optimization", "momentum"),
    Class(r"init|scale|std|gain", 0.3, "architecture", "log"),
    Class(r"iters?|(^|_)(max_|num_)?steps", 0.35, "schedule", "log"),
    Class(r"optim|muon|adam|sched", 0.4, "optimization", "log"),
)
_UNKNOWN = Class("", 0.15, "other", "log")
UNREAD = "nothing reads it"
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
    """Return what may be turned in `files`, in the order of the source, as far as these files tell."""
    usage = name_use_of(files)
    return tuple(
        found for constant in constants_of(files) if isinstance(found := knob_of(constant, usage), Knob)
    )


def bare(name: str) -> str:
    """Return the last component in lower case without an index: `GPTConfig.nLayer` -> `n_layer`, `--lr` -> `lr`."""
    last = last_part(name)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", last).lower()


def knob_of(constant: Constant, usage: NameUse, *, forced: bool = False, read: bool = False) -> Knob | str:
    """Return how a constant is turned, or why it is left alone, in a few words.

    `forced`: a human says that it may be turned, whatever its name and its use. `read`: somebody reads it.
    """
    name = bare(constant.local)
    if not forced:
        why = _not_ours(constant, name) or _not_alive(constant, usage)
        if why and not (read and why == UNREAD):
            return why
    found = next((known for known in _CLASSES if re.search(known.pattern, name)), _UNKNOWN)
    if isinstance(constant.value, bool):
        weight = min(found.weight, 0.3)
        return Knob(constant, "choice", weight, found.category, 0.0, choices=(False, True))
    choices = _choices(constant, usage.choices.get(name, ()))
    if isinstance(constant.value, str) or len(choices) >= 2:
        return _choosing(constant, choices, found, forced)
    return _number(constant, name, constant.value, found, forced)


def _not_ours(constant: Constant, name: str) -> str:
    """Return why a constant's name forbids to turn it, empty if it doesn't."""
    forbidden = _FORBIDDEN.search(name)
    if forbidden and not (name.endswith("_rank") or re.search(r"(?:^|_)(?:flash|lora)_", name)):
        word = forbidden["why"] or name
        return f"{word}: it measures, limits or names"
    if _MEMORY.search(name) and _BOUND.search(name):
        return "memory: it measures, limits or names"
    places = _PLACE_TEXTS if isinstance(constant.value, str) else _PLACES
    if places.search(name):
        return "it names a place or a thing"
    above = constant.local.removeprefix("--").rpartition(".")[0].split(".")
    section = next((part for part in above if part and _SECTIONS.search(bare(part))), None)
    return f"{section}: a part that measures, shows or names" if section else ""


def _not_alive(constant: Constant, usage: NameUse) -> str:
    """Return why turning a constant would change nothing as far as the sources tell, empty if it may."""
    key, first = constant.key or last_part(constant.local), constant.local.split("[")[0]
    known = key in usage.read or key in usage.outside
    if first in usage.dead_fields:
        return "every call gives another value"
    if re.search(r"eps(?:ilon)?", bare(constant.local)) and key in usage.compared:
        return "it is what a comparison allows"
    if constant.kind == "variable":
        if (constant.file, key) in usage.rebound:
            return "it is set more than once"
        return "" if known else UNREAD
    if constant.kind in ("field", "option", "setting"):
        alive = known or key in usage.keys or usage.dynamic
        return "" if alive or constant.owner in usage.outside or usage.words[key] else UNREAD
    if constant.kind == "local":
        return "" if known else UNREAD
    if constant.kind == "macro":
        return "" if known or usage.words[key] > 1 else UNREAD
    return ""


def _choosing(constant: Constant, choices: tuple[Value, ...], found: Class, forced: bool) -> Knob | str:
    if len(choices) < 2:
        return "a text, and no comment beside it lists others, such as `# relu, gelu`"
    names_a_place = re.search(r"device|cuda|/|\\", f"{bare(constant.local)}{constant.value}")
    if names_a_place and not forced:
        return "it names a place or a thing"
    return Knob(constant, "choice", max(found.weight, 0.3), found.category, 0.0, choices=choices)


def _number(constant: Constant, name: str, value: Number, found: Class, forced: bool) -> Knob | str:
    low, high = _bounds(constant.comment, float(value))
    kind, zero = _kind(name, value, found.kind), None
    if kind == "unit":
        low, high = max(0.0, low), min(1.0 if "drop" not in name else 0.8, high)
    elif kind == "momentum":
        low, high = max(0.0, low), min(0.99999, high)
    elif type(value) is int and value >= 1:
        low = max(1.0, low)
    elif value == -1 and not forced:
        return "-1: it seems to stand for none or all"
    elif value == 0:
        zero = next((start for key, start in _ZERO_START.items() if key in name), None)
        if zero is None or type(value) is int:
            if not forced:
                return "0: how large a step would be is not known"
            zero = 1.0
    return Knob(constant, kind, found.weight, found.category, found.lean, low, high, zero_start=zero)


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
    """Return what a constant may be: as declared, else as its comment lists it, else what code compares it with."""
    value = constant.value
    declared = tuple(worth for text in constant.choices if (worth := literal_value(text)) is not None)
    if declared:
        fitting = tuple(dict.fromkeys(worth for worth in declared if type(worth) is type(value)))
        return fitting if value in fitting else ()
    if not isinstance(value, str):
        return ()
    said = re.split(r"\s*(?:,|\||/|\bor\b|;)\s*", re.sub(r"^[^:]*:\s*", "", constant.comment))
    words = [re.sub(r"^['\"`(]+|['\"`).]+$", "", word.strip()) for word in said]
    if len(words) >= 2 and value in words and all(re.fullmatch(r"[\w.+-]+", word) for word in words):
        return tuple(dict.fromkeys(words))
    return tuple(dict.fromkeys([*compared, value])) if compared else ()


_NUMBER = r"(-?\d+(?:\.\d+)?(?:e-?\d+)?)"
_RANGES = (
    rf"[\[(]\s*{_NUMBER}\s*,\s*{_NUMBER}\s*[\])]",
    rf"{_NUMBER}\s*\.\.+\s*{_NUMBER}",
    rf"between {_NUMBER} and {_NUMBER}",
)
_LOWS = rf"(?:>=?|at least|min(?:imum)?:?)\s*{_NUMBER}"
_HIGHS = rf"(?:<=?|at most|max(?:imum)?:?)\s*{_NUMBER}"


def _bounds(comment: str, value: float) -> tuple[float, float]:
    """Return the bounds that the comment states, if the present value respects them."""
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
