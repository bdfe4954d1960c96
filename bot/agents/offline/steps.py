"""How a knob moves: coordinates, tidy values, literals, and divisions that must hold.

A knob has a coordinate in which one unit is one bold step: a factor of 2 for a learning rate, of 1.5 for
a number of layers, a halving of `1 - x` for a momentum. The search thinks in coordinates only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from bot.agents.constants import Number, Value, constants_of
from bot.agents.offline.knobs import Knob, bare
from bot.agents.offline.name_use import name_use_of

_UNIT_STEP = 0.45  # in arcsine coordinates: 0 -> 0.05, 0.2 -> 0.4, 0.5 -> 0.7
_COUNT_STEP = math.log2(1.5)


def coordinate(knob: Knob, value: Value) -> float:
    """Return where `value` stands, in bold steps (for a choice: its index)."""
    if knob.kind == "choice" or isinstance(value, str):
        return float(knob.choices.index(value)) if value in knob.choices else -1.0
    size = abs(float(value))
    if knob.kind == "unit":
        return 2 * math.asin(math.sqrt(min(1.0, size))) / _UNIT_STEP
    if knob.kind == "momentum":
        return -math.log2(max(1e-9, 1 - size))
    if size == 0:
        # Zero has no logarithm: two bold steps below where the knob starts.
        return math.log2(knob.zero_start or 1.0) - 2
    return math.log2(size) / (_COUNT_STEP if knob.kind == "count" else 1.0)


def value_at(knob: Knob, place: float) -> Value | None:
    """Return the tidy value nearest to coordinate `place`, or None if it is out of bounds."""
    if knob.kind == "choice":
        index = round(place)
        return knob.choices[index] if 0 <= index < len(knob.choices) else None
    old = knob.constant.value
    value: Number
    if knob.kind == "unit":
        angle = min(math.pi, max(0.0, place * _UNIT_STEP)) / 2
        share = math.sin(angle) ** 2
        value = round(round(share * 20) / 20, 2) if share >= 0.1 else round(share, 2)
    elif knob.kind == "momentum":
        value = round(1 - _two_digits(2.0**-place), 9)
    elif knob.kind == "power":
        value = 2 ** max(0, round(place))
    else:
        size = 2.0 ** (place * (_COUNT_STEP if knob.kind == "count" else 1.0))
        value = _tidy_integer(size, old) if isinstance(old, int) else _two_digits(size)
        value = -value if isinstance(old, int | float) and old < 0 else value
    return value if knob.low <= value <= knob.high else None


def literal(knob: Knob, value: Value) -> str:
    """Return how `value` is written, in the manner of the literal that stands there now."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        quote = "'" if knob.constant.literal.startswith("'") else '"'
        return quote + value + quote
    written = knob.constant.literal.replace(" ", "")
    if isinstance(value, int):
        if value > 0 and value & (value - 1) == 0 and re.fullmatch(r"2\*\*\d+", written):
            return f"2**{value.bit_length() - 1}"
        if value > 0 and value & (value - 1) == 0 and re.fullmatch(r"1<<\d+", written):
            return f"1 << {value.bit_length() - 1}"
        return f"{value:_}" if "_" in written else str(value)
    if "e" in written.lower() and value != 0:
        mantissa, exponent = f"{value:.9e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return repr(value)


def divisions(knobs: Sequence[Knob], files: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return pairs (big, small) of constant names where big must stay a multiple of small.

    From asserts in the source, and guessed from names; only pairs that hold at present count.
    """
    return _divisions(frozenset(knob.name for knob in knobs), tuple(sorted(files.items())))


@lru_cache(maxsize=8)
def _divisions(turned: frozenset[str], texts: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    files = dict(texts)
    whole = {c.name: c for c in constants_of(files) if type(c.value) is int and c.value > 0}
    guessed = {("total_batch", "device_batch"), ("n_head", "n_kv_head"), ("heads", "kv_heads")}
    usage = name_use_of(files)
    widths, parts = ("n_embd", "d_model", "model_dim", "embed_dim", "hidden", "width"), ("head",)
    guessed |= {(width, part) for width in widths for part in parts}
    pairs = []
    for big, one in whole.items():
        for small, other in whole.items():
            if big == small or not {big, small} & turned or {one.local, other.local} & usage.dead_fields:
                continue
            names = (bare(one.local), bare(other.local))
            named = any(a in names[0] and b in names[1] for a, b in guessed)
            if (named or names in usage.divides) and _holds(one.value, other.value):
                pairs.append((big, small))
    return tuple(pairs)


def _holds(big: Value, small: Value) -> bool:
    return isinstance(big, int) and isinstance(small, int) and big % small == 0


def snapped(
    knob: Knob, value: Value, values: Mapping[str, Value], pairs: Sequence[tuple[str, str]]
) -> Value | None:
    """Return the integer nearest to `value` that keeps every division, or None if there is none.

    Widths prefer multiples of the power of two that the present one is a multiple of (up to 64).
    """
    mine = [pair for pair in pairs if knob.name in pair]
    old = knob.constant.value
    if not mine or type(value) is not int or type(old) is not int:
        return value
    grain = 64
    while grain > 1 and old % grain:
        grain //= 2
    near = range(max(1, math.ceil(value / 1.45)), math.floor(value * 1.45) + 1)
    fits = [
        number
        for number in near
        if (number - old) * (value - old) > 0
        and knob.low <= number <= knob.high
        and (knob.kind != "power" or number & (number - 1) == 0)
        and all(_divides(pair, {**values, knob.name: number}, values) for pair in mine)
    ]
    return min(fits, key=lambda n: (n % grain != 0, abs(math.log(n / value))), default=None)


def _divides(pair: tuple[str, str], new: Mapping[str, Value], old: Mapping[str, Value]) -> bool:
    big, small = new[pair[0]], new[pair[1]]
    if not isinstance(big, int) or not isinstance(small, int) or small <= 0 or big % small:
        return False
    # Rotary embeddings need an even head dimension: keep even what is even.
    before = [old[pair[0]], old[pair[1]]]
    was_even = all(isinstance(v, int) for v in before) and (int(before[0]) // int(before[1])) % 2 == 0
    big_name, small_name = (bare(name.rpartition(":")[2]) for name in pair)
    is_heads = "head" in small_name and "dim" not in small_name and "head" not in big_name
    return not (was_even and is_heads) or (big // small) % 2 == 0


def divisions_hold(values: Mapping[str, Value], pairs: Sequence[tuple[str, str]]) -> bool:
    """Say whether every pair of `pairs` divides under `values`."""
    return all(_holds(values[big], values[small]) for big, small in pairs)


def _two_digits(size: float) -> float:
    return float(f"{size:.1e}")


def _tidy_integer(size: float, old: int) -> int:
    digits = 2 if size >= 100 else 3
    rounded = round(float(f"{size:.{digits - 1}e}"))
    for grain in (64, 32, 16, 8):
        # A width of 384 becomes 576, not 540: hardware likes what the present value is a multiple of.
        if old % grain == 0 and size >= 2 * grain:
            return round(size / grain) * grain
    return rounded
