"""What a promotion carries: the merged changes that survive, and what they gained together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bot.rules.campaign import Campaign
from bot.rules.confirming import Confirmation
from bot.tell.figures.campaign import Figures
from bot.tell.figures.gains import Gain, Measured, Told, gains_of, measured, told_of, yardstick_of
from bot.tell.figures.net import surviving
from bot.tell.figures.rows import Row, peak_of


@dataclass(frozen=True)
class PromotionFigures:
    """What the base branch has not yet, from the incumbent `before` (the last that it holds) to `after`.

    `changes` are the surviving merged experiments in the order in which they landed, `undone` the numbers of
    those that were taken out again; `tried` counts the experiments whose effect was measured meanwhile, by the aim of
    the rule that decided ("" if nothing recorded it). `corrected` is the gain on runs that picked nothing.
    """

    before: Measured
    after: Measured
    gain: Gain | None
    corrected: Gain | None
    told: Told | None
    changes: tuple[Row, ...]
    undone: tuple[int, ...]
    tried: Mapping[str, int]
    memory_mb: tuple[float | None, float | None]
    confirmation: Confirmation | None = None
    """What `before` and `after` showed side by side, None before they were measured so."""

    @property
    def is_confirmed(self) -> bool:
        """Whether that shows a gain."""
        return self.confirmation is not None and self.confirmation.is_whole and self.confirmation.holds


def promotion_figures(
    campaign: Campaign, figures: Figures, since: int, lacking: Collection[str]
) -> PromotionFigures:
    """Return what goes with the campaign's incumbent to a base branch that holds the incumbents up to the place
    `since`, and lacks the commits `lacking`."""
    yardstick = yardstick_of(campaign)
    places = {commit: place for place, commit in enumerate(campaign.incumbents)}
    landed = [
        e
        for e in campaign.landed()
        if e.landed and e.landed.commit in lacking and places[e.landed.commit] > since
    ]
    kept = surviving(landed)
    own = {e.number for e in landed}
    gone = {e.reverts for e in landed if e.reverts in own}
    rows = {row.number: row for row in figures.rows}
    fresh = set(campaign.incumbents[since:])
    first, last = campaign.incumbents[since], campaign.incumbent
    noise, found = figures.noise, figures.confirmation
    gain, corrected = gains_of(campaign, yardstick, sigma=noise.sigma, degrees=noise.degrees, since=since)
    return PromotionFigures(
        before=measured(campaign, first, yardstick),
        after=measured(campaign, last, yardstick),
        gain=gain,
        corrected=corrected,
        told=told_of(gain, corrected, found, first),
        changes=tuple(rows[e.number] for e in kept),
        undone=tuple(sorted(number for number in gone if number is not None)),
        tried=Counter(row.aim for row in figures.rows if row.parent in fresh and row.effect is not None),
        memory_mb=(peak_of(campaign.runs_of(first)), peak_of(campaign.runs_of(last))),
        confirmation=found if found is not None and found.baseline == first else None,
    )
