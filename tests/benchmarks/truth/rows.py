"""The rows of the table: worlds by their names."""

from __future__ import annotations

from bot.rules.simulated.effects import RECORDED
from tests.benchmarks.truth.world import World

TYPICAL = 0.0007
"""A typical useful effect, in bits per byte."""
_USUAL = 0.001


def rows() -> dict[str, World]:
    """Return every row's world."""
    effects = RECORDED
    found = {
        "sigma .0003": World(0.0003),
        "sigma .001": World(0.001),
        "sigma .003": World(0.003),
        "sigma .05 typical": World(0.05 * TYPICAL),
        "sigma 1/4 typical": World(0.25 * TYPICAL),
        "sigma 3 typical": World(3 * TYPICAL),
        "t3 tails": World(_USUAL, tails=3),
        "drift": World(_USUAL, walk=0.3 * _USUAL),
        "trend up": World(_USUAL, trend=5e-5),
        "trend down": World(_USUAL, trend=-5e-5),
        "neighbour": World(_USUAL, neighbour=3 * _USUAL),
        "hard first seed": World(_USUAL, seeds=2 * _USUAL, first_seed=5 * _USUAL),
        "machine changes": World(_USUAL, machines=0.01),
        "mostly harmful": World(_USUAL, effects.mostly_harmful()),
        "nothing to find": World(_USUAL, effects.nothing_to_find()),
        "a third shorter": World(_USUAL, effects.with_shorter(1 / 3)),
        "nothing, a third shorter": World(_USUAL, effects.nothing_to_find().with_shorter(1 / 3)),
    }
    found |= {f"agreement {a}": World(_USUAL, agreement=a) for a in (0.5, 0.6, 0.7, 0.9)}
    return found | {
        "exact metric": World(0.0),
        "maximised": World(_USUAL, maximize=True),
        "guard with noise": World(_USUAL, guard=0.01),
        "flaky runs": World(_USUAL, flaky=0.05),
    }
