"""Measure the campaign's head against its baseline again, on seeds that no verdict has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.errors import UserError
from bot.evaluation import RunOrder
from bot.loop.context import PRIOR_DEGREES, Context, campaign_noise
from bot.loop.measure import charged_by, measure_reference
from bot.rules.campaign import Campaign
from bot.rules.statistics import Comparison, compare, pooled_noise

CONFIRMING_SEEDS = 900
CONFIDENCE = 0.90


@dataclass(frozen=True)
class Confirmation:
    """Head minus baseline on new seeds; `holds` where it is better with one-sided 90 % confidence."""

    head: tuple[float, ...]
    baseline: tuple[float, ...]
    comparison: Comparison
    holds: bool


def confirm(context: Context, campaign: Campaign, *, seeds: int = 3) -> Confirmation:
    """Run head and baseline with `seeds` new seeds each, turn about, so that drift meets both alike.

    Raises `UserError` where a run fails, and where the two are measured by different tests or data.

    These runs pick nothing, so their mean is free of the bias that comes from picking winners.
    """
    head: list[float] = []
    baseline: list[float] = []
    fingerprints: set[str | None] = set()
    for index in range(1, seeds + 1):
        for commit, scores, what in (
            (campaign.baseline, baseline, "baseline"),
            (campaign.incumbent, head, "head"),
        ):
            score, fingerprint = _score(context, commit, CONFIRMING_SEEDS + index, f"confirming: {what}")
            scores.append(score)
            fingerprints.add(fingerprint)
    if len(fingerprints) > 1:
        raise UserError(
            f"{campaign.baseline[:12]} and {campaign.incumbent[:12]} are measured by different tests or data: their"
            " scores can't be compared"
        )
    scale = context.runner, fingerprints.pop()
    known = campaign_noise(campaign, context.config, *scale)
    groups = [*campaign.score_groups(*scale), head, baseline]
    noise = pooled_noise(groups, prior_sigma=known.sigma, prior_degrees=PRIOR_DEGREES)
    comparison = compare(head, baseline, noise, confidence=CONFIDENCE)
    gain = -comparison.effect if campaign.direction == "minimize" else comparison.effect
    return Confirmation(tuple(head), tuple(baseline), comparison, gain > comparison.half_width)


def _score(context: Context, commit: str, seed: int, title: str) -> tuple[float, str | None]:
    """Run a commit and return its score and fingerprint."""

    def on_event(event: Mapping[str, Any]) -> None:
        context.display.run_progress(event)

    measure_reference(context, commit)
    charged = charged_by(context, context.ledger.known(), commit)
    context.display.run_started(title=title, replicate=seed - CONFIRMING_SEEDS, seed=seed)
    with context.runs.scratch() as scratch:
        context.git.export(commit, scratch.tree)
        order = RunOrder(
            f"confirm-{commit[:12]}-{seed}", scratch, seed, context.evaluator_settings(), charged
        )
        outcome = context.runs.evaluate(order, on_event)
    if outcome.score is None:
        raise UserError(f"{commit[:12]} failed when measured again: {(outcome.failure or {}).get('reason')}")
    return outcome.score, outcome.fingerprint
