"""What decides may be set anew in mid-campaign: the change holds from then on, and for no verdict given before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

AIM = "verdict.aim"


@dataclass(frozen=True)
class RuleChange:
    """Keys of the configuration that were set anew after `after` finished experiments: before and since."""

    after: int
    keys: Mapping[str, tuple[str, str]]


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the keys whose value is another one now, with both. A key that only one of the two has was none in
    another version: that changed nothing."""
    return {name: (old, now[name]) for name, old in before.items() if name in now and now[name] != old}


def said(change: RuleChange) -> str:
    """Return a change as a sentence."""
    keys = "; ".join(f"{name} from {before} to {now}" for name, (before, now) in change.keys.items())
    after = f"{change.after} experiment{'' if change.after == 1 else 's'}"
    return f"The rule was changed after {after} ({keys}): verdicts given before stay as they are."
