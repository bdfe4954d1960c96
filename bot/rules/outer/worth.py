"""What the blocks of a campaign were worth: their merges' gains, as far as these are likely true, by GPU time."""

from __future__ import annotations

from collections.abc import Iterator

from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment
from bot.rules.outer.record import Steered, steered_of
from bot.rules.outer.trial import BLOCK, Block
from bot.rules.tracking import shrunken


def members(campaign: Campaign) -> dict[int, list[tuple[Experiment, Steered]]]:
    """Return the experiments of each block by its number, with what each was made under."""
    found: dict[int, list[tuple[Experiment, Steered]]] = {each.block: [] for each in campaign.outer.blocks}
    for experiment in campaign.experiments.values():
        steered = steered_of(experiment)
        if steered is not None and steered.block in found:
            found[steered.block].append((experiment, steered))
    return found


def finished_blocks(campaign: Campaign, sigma: float, confirmed: float | None = None) -> list[Block]:
    """Return the blocks whose experiments have all ended, in their order.

    A block's gain is its merges' shrunken gain, none for what was taken out again, in deviations `sigma` of one run;
    `confirmed` is the gain that head and baseline showed side by side, in score units, if that was measured.
    """
    factor = _correction(campaign, sigma, confirmed)
    every = members(campaign)
    return [
        Block(
            begun.mechanism,
            factor * sum(_gain(campaign, experiment, sigma) for experiment, _ in every[begun.block]),
            sum(r.gpu_seconds for e, _ in every[begun.block] for r in campaign.runs_for(e.number)) / 3600,
            sum(steered.changed for _, steered in every[begun.block]),
        )
        for begun in campaign.outer.blocks
        if len(every[begun.block]) >= BLOCK and all(e.finished_at for e, _ in every[begun.block])
    ]


def _gain(campaign: Campaign, experiment: Experiment, sigma: float) -> float:
    """Return what is likely true of a merge's gain, in deviations of one run."""
    decision = experiment.decision
    if experiment.landed is None or decision is None or decision.effect is None or sigma <= 0:
        return 0.0
    if experiment.number in campaign.doubted or experiment.number in set(_taken_out(campaign)):
        return 0.0
    effect = decision.effect if campaign.direction == "minimize" else -decision.effect
    return -effect / sigma * shrunken(abs(effect) / sigma, max(1, decision.candidate_runs))


def _taken_out(campaign: Campaign) -> Iterator[int]:
    return (e.reverts for e in campaign.landed() if e.reverts is not None)


def _correction(campaign: Campaign, sigma: float, confirmed: float | None) -> float:
    """Return how much of the merges' shrunken gain the measurement side by side has confirmed, from 0 to 1.5."""
    believed = sigma * sum(_gain(campaign, experiment, sigma) for experiment in campaign.landed())
    if confirmed is None or believed <= 0:
        return 1.0
    return min(1.5, max(0.0, confirmed / believed))
