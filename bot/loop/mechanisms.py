"""What a human says of a mechanism, and the file that carries what was found of them to other campaigns."""

from __future__ import annotations

from bot.base.text import one_line
from bot.errors import UserError
from bot.loop.context import Context
from bot.loop.steering import blocks_of, kinds_of, prior_file
from bot.rules.campaign import Campaign
from bot.rules.events import MechanismSwitched
from bot.rules.outer.registry import names
from bot.rules.outer.trial import Prior, PriorRow, known_of


def switch(context: Context, words: str, source: str | None = None) -> str:
    """Take a mechanism out or let it in again, as `NAME off` or `NAME on` say; return what to say of it.

    `source` names the comment that said so: one comment does it once. Raises UserError if it can't be done.
    """
    name, _, how = one_line(words, 200).partition(" ")
    there = (*names(), *context.ledger.refresh().outer.written)
    if name not in there or how not in ("on", "off"):
        raise UserError(f"outer: write a mechanism's name and `on` or `off`; there are {', '.join(there)}")

    def make(campaign: Campaign) -> list[MechanismSwitched]:
        said = source or f"cli:{campaign.event_count}"
        return [MechanismSwitched(name, how == "on", said)]

    context.ledger.append(make)
    return f"{name} is {how}" + ("" if how == "on" else ": it takes no block and steers nothing any more")


def carried(context: Context, campaign: Campaign) -> Prior:
    """Return the prior for the next campaign: that of this one, with this campaign's own blocks added."""
    mind, task = kinds_of(context)
    rows = {(row.mechanism, row.mind, row.task): row for row in prior_file(context).rows}
    for name, known in known_of(blocks_of(context, campaign)).items():
        before = rows.get((name, mind, task), PriorRow(name, mind, task, 0, 0.0, 0.0))
        rows[name, mind, task] = PriorRow(
            name, mind, task, before.blocks + known.blocks, round(before.gain + known.gain, 4),
            round(before.squares + known.squares, 4),
        )  # fmt: skip
    return Prior(tuple(rows[key] for key in sorted(rows)))
