"""What differs from model to model in what a request may say."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Claude's own page of the lineup: https://platform.claude.com/docs/en/models (October 2026).
_OUTPUT_NOW = 128_000
_OUTPUT_4_5 = 64_000


@dataclass(frozen=True)
class Traits:
    """Limits of one model, in tokens; `effort` says whether it takes `output_config.effort`."""

    context: int = 200_000
    max_output: int = _OUTPUT_4_5
    effort: bool = False


_NOW = Traits(context=1_000_000, max_output=_OUTPUT_NOW, effort=True)
_KNOWN = {
    "claude-fable-5-2": _NOW,
    "claude-mythos-5-2": _NOW,
    "claude-fable-5-1": _NOW,
    "claude-mythos-5-1": _NOW,
    "claude-fable-5": _NOW,
    "claude-mythos-5": _NOW,
    "claude-opus-5-5": _NOW,
    "claude-opus-5": _NOW,
    "claude-opus-4-8": _NOW,
    "claude-opus-4-7": _NOW,
    "claude-opus-4-6": _NOW,
    "claude-opus-4-5": Traits(effort=True),
    "claude-sonnet-5-5": _NOW,
    "claude-sonnet-5": _NOW,
    "claude-sonnet-4-6": _NOW,
    "claude-sonnet-4-5": Traits(),
    "claude-haiku-5-5": _NOW,
    "claude-haiku-4-5": Traits(),
}


def base_name(model: str) -> str:
    """Return `model` without the date of a snapshot: `claude-haiku-4-5-20251001` is `claude-haiku-4-5`."""
    return re.sub(r"-20\d{6}$", "", model)


def traits(model: str) -> Traits:
    """Return what is known of `model`; of an unknown one only what every current model can do."""
    return _KNOWN.get(base_name(model), Traits())
