"""Shows a proposer only what came since this block began: a mind with an empty history looks elsewhere.

What differed in the published bilevel ablation (arXiv 2603.23420) between the loops that gained and the plain one was a
restart like this. A control: whatever else helps must help more.
"""

from __future__ import annotations

from bot.rules.outer.view import Steer, View


def steer(view: View, seed: int) -> Steer:
    return Steer(fresh=view.since)
