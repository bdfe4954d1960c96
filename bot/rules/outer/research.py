"""When the researcher is asked for a mechanism, and what those that stand are said to be worth. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.rules.outer.trial import BLOCK, Block, advantage, advantage_words, blocks_needed

if TYPE_CHECKING:
    from bot.rules.outer.record import Record

LEAST = 10  # experiments that there must be to read
EVERY = 3 * BLOCK  # experiments from one look to the next


def is_due(record: Record, number: int, ended: int, now: str) -> bool:
    """Whether a mechanism is to be written before experiment `number`, after so many have `ended`: there is enough to
    read, the last look is long ago, and what was written before is all out at the time `now`."""
    rested = not record.researched or number >= record.researched + EVERY
    return ended >= LEAST and rested and set(record.written) <= record.out(now)


def worth_words(blocks: Sequence[Block], name: str) -> str:
    """Return in a line what a mechanism's blocks were worth, beside those of the controls."""
    mine = sum(block.mechanism == name for block in blocks)
    found = advantage(blocks, name)
    if not mine:
        return "no block yet"
    if found is None:
        return f"{mine} blocks, and none of a control to compare with"
    changed = sum(block.changed for block in blocks if block.mechanism == name)
    needed = blocks_needed(blocks, name)
    doubt = "" if needed is None else f"; too few to tell, it would take about {needed} blocks"
    return (
        f"{mine} blocks, {changed} proposals changed: {advantage_words(*found)} noise units a block beside the"
        f" controls{doubt}"
    )
