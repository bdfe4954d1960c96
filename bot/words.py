"""Every sentence the bot says about an experiment: one voice, in one file, tested as text."""

from __future__ import annotations

from collections.abc import Sequence

from bot.rules.campaign import Campaign, Experiment
from bot.rules.events import Direction, ExperimentDecided, RunFinished
from bot.rules.statistics import Comparison
from bot.rules.stopping import Stop
from bot.text import markdown_text

LABELS = {
    "improved": "nocturne:improved",
    "discarded": "nocturne:discarded",
    "inconclusive": "nocturne:inconclusive",
    "crashed": "nocturne:crashed",
    "rejected": "nocturne:rejected",
    "lost": "nocturne:lost",
}
LABEL_ALL = "nocturne"


def number(value: float) -> str:
    """Write a score: six significant digits."""
    return f"{value:.6g}"


def signed(value: float) -> str:
    return f"{value:+.4g}"


def better(effect: float, direction: Direction) -> bool:
    return effect < 0 if direction == "minimize" else effect > 0


def commit_message(
    *, experiment: int, campaign: str, hypothesis: str, category: str, reason: str, expected: str,
    proposer: str,
) -> str:  # fmt: skip
    """Return the message of an experiment's commit: `git log` alone tells the night."""
    return "\n".join(
        [
            hypothesis,
            "",
            reason,
            "",
            f"Expected: {expected}",
            "",
            f"Nocturne-Campaign: {campaign}",
            f"Nocturne-Experiment: {experiment}",
            f"Nocturne-Category: {category}",
            f"Nocturne-Proposer: {proposer}",
            "",
        ]
    )


def pull_title(experiment: Experiment) -> str:
    return f"Experiment {experiment.number}: {experiment.title}"


def pull_body(campaign: Campaign, experiment: Experiment, diff: str) -> str:
    """Return the pull request's text: hypothesis, change, evidence, what it means."""
    proposal = experiment.proposal
    assert proposal is not None
    lines = [
        f"**{markdown_text(proposal.hypothesis)}**",
        "",
        markdown_text(proposal.reason),
        "",
        "| | |",
        "| --- | --- |",
        f"| category | {markdown_text(proposal.category)} |",
        f"| expected | {markdown_text(proposal.expected_effect)} |",
        f"| risk | {markdown_text(proposal.risk)} |",
        f"| proposed by | {markdown_text(proposal.proposer)} |",
        f"| files | {', '.join(f'`{path}`' for path in proposal.paths)} |",
    ]
    if experiment.candidate is not None:
        change = experiment.candidate
        lines.append(f"| lines | +{change.added} −{change.removed} |")
        if change.round > 1:
            lines.append(f"| round | {change.round}: measured again on a newer incumbent |")
    if diff:
        lines += ["", "### Change", "", *_fenced(diff[:20_000], "diff")]
    lines += ["", *evidence(campaign, experiment)]
    return "\n".join(lines) + "\n"


def evidence(campaign: Campaign, experiment: Experiment) -> list[str]:
    """Return the table of runs and the verdict in words, as Markdown lines."""
    if experiment.candidate is None:
        return []
    lines = ["### Evidence", ""]
    mine = campaign.runs_of(experiment.candidate.commit)
    theirs = campaign.runs_of(experiment.candidate.parent)
    if not mine:
        return [*lines, "No run has finished yet."]
    lines += [f"| run | commit | seed | {campaign.metric} | seconds |", "| --- | --- | --- | --- | --- |"]
    lines += [_run_row("candidate", run) for run in mine]
    lines += [_run_row("incumbent", run) for run in theirs]
    if experiment.decision is not None:
        lines += ["", f"**{experiment.decision.verdict}**: {markdown_text(experiment.decision.reason)}."]
        described = effect_line(campaign, experiment.decision)
        if described:
            lines += ["", f"`{described}`"]
        lines += ["", markdown_text(experiment.decision.lesson)]
    if any(run.jail == "none" for run in mine):
        lines += ["", "_These runs were made without a jail._"]
    return lines


def _run_row(kind: str, run: RunFinished) -> str:
    said = number(run.score) if run.score is not None else _failure(run)
    return f"| {kind} | `{run.commit[:7]}` | {run.seed} | {said} | {run.seconds:.1f} |"


def _failure(run: RunFinished) -> str:
    failure = run.failure or {}
    return markdown_text(f"failed ({failure.get('class', 'error')}): {failure.get('reason', '')}"[:200])


def effect_line(campaign: Campaign, decision: ExperimentDecided) -> str:
    """Return the status line, `val_bpb 0.9721, -0.0016 ± 0.0006 vs 0.9737 (2+3 runs)`; empty if unmeasured."""
    if decision.effect is None or decision.score is None or decision.against is None:
        return ""
    digits = significant_places(decision.half_width or decision.sigma or abs(decision.effect) or 1.0)
    return (
        f"{campaign.metric} {decision.score:.{digits}f}, {decision.effect:+.{digits}f}"
        f" ± {decision.half_width or 0.0:.{digits}f} vs {decision.against:.{digits}f}"
        f" ({decision.candidate_runs}+{decision.incumbent_runs} runs)"
    )


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
    amount = f"{abs(decision.effect):.4g} ± {decision.half_width or 0:.2g}"
    if decision.verdict == "improved":
        return f"{what}: improves {metric} by {amount} ({decision.reason})."
    if better(decision.effect, direction):
        return f"{what}: seemed to improve {metric} by {amount}, which this noise can produce by chance."
    return f"{what}: worsens {metric} by {amount}."


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
    return f"{what}, {turn} {metric} by {abs(result.effect):.4g} ± {result.half_width:.2g}."


def closing_comment(campaign: Campaign, experiment: Experiment) -> str:
    """Return the last word on an experiment's pull request."""
    decision = experiment.decision
    assert decision is not None
    if experiment.landed is not None:
        head = f"Merged as `{experiment.landed.commit[:12]}` into the campaign's branch."
    else:
        head = f"Closed: **{decision.verdict}**."
    described = effect_line(campaign, decision)
    return (
        "\n".join([head, "", *([f"`{described}`", ""] if described else []), markdown_text(decision.lesson)])
        + "\n"
    )


def review_comment(approved: bool, reasons: Sequence[str]) -> str:
    if approved:
        return "The rule-based review found nothing to object to.\n"
    return (
        "Refused before training:\n\n" + "\n".join(f"- {markdown_text(reason)}" for reason in reasons) + "\n"
    )


def stopped(stop: Stop) -> str:
    return f"The loop stopped ({stop.reason}): {stop.detail}."


def confirmed(campaign: Campaign, comparison: Comparison, holds: bool) -> str:
    """Say what measuring head and baseline again has shown."""
    digits = significant_places(comparison.half_width)
    gain = -comparison.effect if campaign.direction == "minimize" else comparison.effect
    said = (
        f"Measured again with {comparison.candidate_runs} new seeds each: {campaign.metric}"
        f" {comparison.incumbent:.{digits}f} -> {comparison.candidate:.{digits}f},"
        f" a gain of {gain:.{digits}f} ± {comparison.half_width:.{digits}f} (one-sided 90 %)"
    )
    return f"{said}: the improvement holds." if holds else f"{said}: that is not beyond the noise."


def _fenced(text: str, language: str) -> list[str]:
    """Fence a block with more backticks than it holds."""
    fence = "```"
    while fence in text:
        fence += "`"
    return [f"{fence}{language}", text.rstrip("\n"), fence]
