"""The sentences about an experiment that more than one place says: one voice, tested as text.

What only its pull request says stands in `bot.pulls`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.pulls.safe import title
from bot.rules.campaign import Campaign
from bot.rules.events import Direction, ExperimentDecided
from bot.rules.exactness import margin
from bot.rules.experiment import Experiment
from bot.rules.self_reported import WORD
from bot.rules.statistics import Comparison
from bot.rules.stopping import Stop
from bot.text import disarmed, one_line

LABELS = {
    "improved": "nocturne:improved",
    "discarded": "nocturne:discarded",
    "inconclusive": "nocturne:inconclusive",
    "crashed": "nocturne:crashed",
    "rejected": "nocturne:rejected",
    "lost": "nocturne:lost",
}
LABEL_ALL = "nocturne"
LABEL_PROMOTION = "nocturne:promotion"
LABEL_IDEA = "nocturne:idea"
LABEL_NEEDS_HUMAN = "nocturne:needs-human"
SUBJECT_LIMIT = 120


def is_our_label(name: str) -> bool:
    """Say whether a label is ours to put on and take off; GitHub does not look at the case of letters."""
    return name.lower() == LABEL_ALL or name.lower().startswith(f"{LABEL_ALL}:")


def number(value: float) -> str:
    """Write a score: six significant digits."""
    return f"{value:.6g}"


def tokens_scored(metrics: Mapping[str, float]) -> str:
    """Say how many of the repository's validation tokens a score is made of; "" where it is no such score."""
    scored, whole = int(metrics.get("eval_tokens", 0)), int(metrics.get("eval_tokens_of", 0))
    if not scored or not whole:
        return ""
    if scored >= whole:
        return f"scores are made of all {scored:,} validation tokens"
    return (
        f"scores are made of {scored:,} of the repository's {whole:,} validation tokens"
        " (`evaluator: {eval_tokens: all}` takes all of them)"
    )


def better(effect: float, direction: Direction) -> bool:
    return effect < 0 if direction == "minimize" else effect > 0


def commit_message(
    *, experiment: int, campaign: str, hypothesis: str, category: str, reason: str, expected: str,
    proposer: str,
) -> str:  # fmt: skip
    """Return the message of an experiment's commit: `git log` alone tells the night.

    The proposer's words are disarmed: a merged commit that "fixes #3" would close that issue.
    """
    return "\n".join(
        [
            title(hypothesis, SUBJECT_LIMIT) or f"Experiment {experiment}",
            "",
            disarmed(reason).strip(),
            "",
            f"Expected: {disarmed(one_line(expected))}",
            "",
            f"Nocturne-Campaign: {one_line(campaign)}",
            f"Nocturne-Experiment: {experiment}",
            f"Nocturne-Category: {disarmed(one_line(category))}",
            f"Nocturne-Proposer: {disarmed(one_line(proposer))}",
            "",
        ]
    )


def effect_line(campaign: Campaign, decision: ExperimentDecided, limit: int | None = None) -> str:
    """Return the status line, `val_bpb 0.9721, -0.0016 ± 0.0006 vs 0.9737 (2+3 runs)`; empty if unmeasured.

    A metric's name is shortened where the line would have more than `limit` characters; no figure is.
    """
    if decision.effect is None or decision.score is None or decision.against is None:
        return ""
    digits = decision_places(decision)
    figures = (
        f" {decimals(decision.score, digits)}, {with_half_width(decision, digits)}"
        f" vs {decimals(decision.against, digits)}"
        f" ({decision.candidate_runs}+{decision.incumbent_runs} runs)"
    )
    return one_line(campaign.metric, None if limit is None else limit - len(figures)) + figures


def with_half_width(decision: ExperimentDecided, places: int) -> str:
    """Write the effect of a verdict with its half width, or that the metric repeats exactly."""
    effect, half = decision.effect or 0.0, decision.half_width or 0.0
    return f"{decimals(effect, places, '+')} {margin(half, decimals(half, places))}"


def decision_places(decision: ExperimentDecided) -> int:
    """Return how many decimals the figures of a verdict deserve."""
    return significant_places(decision.half_width or decision.sigma or abs(decision.effect or 0.0) or 1.0)


def decimals(value: float, places: int, sign: str = "") -> str:
    """Write a figure with so many decimals; one too large for that with six digits."""
    return f"{value:{sign}.{places}f}" if abs(value) < 1e9 else f"{value:{sign}.6g}"


def significant_places(uncertainty: float) -> int:
    """Return how many decimals show two significant digits of an uncertainty; between 2 and 8."""
    places = 2
    while places < 8 and abs(uncertainty) * 10**places < 10:
        places += 1
    return places


def lesson(experiment: Experiment, decision: ExperimentDecided, metric: str, direction: Direction) -> str:
    """Say in one sentence what an experiment taught."""
    what = experiment.title
    if decision.verdict == "crashed":
        return f"{what}: crashed ({decision.reason})."
    if decision.verdict == "rejected":
        return f"{what}: refused before training ({decision.reason})."
    if decision.effect is None:
        return f"{what}: {decision.reason}."
    amount = f"{abs(decision.effect):.4g}"
    if decision.half_width:
        amount += f" ± {decision.half_width:.2g}"
    if decision.verdict == "improved":
        return f"{what}: improves {metric} by {amount} ({decision.reason})."
    if better(decision.effect, direction):
        return f"{what}: seemed to improve {metric} by {amount}, which this noise can produce by chance."
    return f"{what}: {f'worsens {metric} by {amount}' if decision.effect else f'leaves {metric} as it is'}."


def breach(breaches: Sequence[str]) -> str:
    """Return the reason of a verdict on a candidate that breaks guards."""
    return f"breaks {'a guard' if len(breaches) == 1 else 'guards'}: {'; '.join(breaches)}"


def breach_lesson(
    experiment: Experiment, breaches: Sequence[str], result: Comparison | None, metric: str,
    direction: Direction,
) -> str:  # fmt: skip
    """Say what an experiment taught whose candidate breaks guards."""
    what = f"{experiment.title}: {breach(breaches)}"
    if result is None:
        return f"{what}."
    turn = "though it improves" if better(result.effect, direction) else "and worsens"
    amount = f"{abs(result.effect):.4g} {margin(result.half_width, f'{result.half_width:.2g}')}"
    return f"{what}, {turn} {metric} by {amount}."


def stopped(stop: Stop) -> str:
    return f"The loop stopped ({stop.reason}): {stop.detail}."


def confirmed(campaign: Campaign, comparison: Comparison, holds: bool) -> str:
    """Say what measuring head and baseline again has shown; by self-reported scores nothing is shown to hold."""
    digits = significant_places(comparison.half_width or abs(comparison.effect) or 1.0)
    gain = -comparison.effect if campaign.direction == "minimize" else comparison.effect
    said = (
        f"Measured again with {comparison.candidate_runs} new seeds each: {campaign.metric}"
        f" {comparison.incumbent:.{digits}f} -> {comparison.candidate:.{digits}f},"
        f" a gain of {gain:.{digits}f} {margin(comparison.half_width, f'{comparison.half_width:.{digits}f}')}"
    ) + (" (one-sided 90 %)" if comparison.half_width else "")
    if campaign.self_reported:
        return f"{said}: {WORD}, by code that candidates may change."
    return f"{said}: the improvement holds." if holds else f"{said}: that is not beyond the noise."
