"""The sentences about an experiment that more than one place says: one voice, tested as text. Not escaped yet."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.base.text import clean, disarmed, one_line
from bot.rules import audits
from bot.rules.audits import Lineage
from bot.rules.campaign import Campaign
from bot.rules.events import Direction, ExperimentDecided
from bot.rules.experiment import Experiment
from bot.rules.stopping import Stop
from bot.tell.numbers import LEVEL, decimals, margin, places
from bot.tell.writers.markdown import title

SUBJECT_LIMIT = 120
ENOUGH_CUTS = 10_000  # from so many on the evaluator refuses by them
_NAMED = 10  # merges
REASON_LIMIT = 3_000
_SHORT = 300
_ORDER = re.compile(r"(?:fixup|squash|amend)!")
_IN_MAIL = re.compile(r"(?m)^(?:diff -|Index: |---|From |#)")


def tokens_scored(metrics: Mapping[str, float]) -> str:
    """Say how many of the repository's validation tokens a score is made of; "" if it is no such score."""
    scored, whole = int(metrics.get("eval_tokens", 0)), int(metrics.get("eval_tokens_of", 0))
    if not scored or not whole:
        return ""
    if scored >= whole:
        return f"scores are made of all {scored:,} validation tokens"
    return (
        f"scores are made of {scored:,} of the repository's {whole:,} validation tokens"
        " (`evaluator: {eval_tokens: all}` takes all of them)"
    )


def what_is_cut(metrics: Mapping[str, float]) -> str:
    """Say how many targets no run is shown, and what cheat they catch; "" if there are none."""
    cuts, caught = int(metrics.get("cuts", 0)), metrics.get("cuts_caught_bpb")
    if not cuts:
        return ""
    enough = cuts >= ENOUGH_CUTS
    found = "is refused" if enough else "would show there"
    size = (
        ""
        if caught is None
        else f": a gain of {caught:.2g} bits per byte by cheating {found} 99 times in 100"
    )
    few = "" if enough else f"; a run is refused only if they are {ENOUGH_CUTS:,} or more"
    return f"{cuts:,} targets are never shown to any run{size}{few}"


def held_at_cuts(metrics: Mapping[str, float]) -> str:
    """Say how a gain holds at targets that no run is shown; "" if nobody knows."""
    figures = [metrics.get(f"cuts{name}") for name in ("", "_shortfall_bpb", "_error_bpb", "_caught_bpb")]
    if any(each is None for each in figures):
        return ""
    cuts, missing, error, caught = (each or 0.0 for each in figures)
    return (
        f"At {int(cuts):,} targets that no run is ever shown the gain over the incumbent is {abs(missing):.2g} bits per"
        f" byte {'smaller' if missing >= 0 else 'larger'} than by the score (standard error {error:.2g}); a gain of"
        f" {caught:.2g} by cheating would show 99 times in 100"
    )


def what_is_scored(metrics: Mapping[str, float]) -> str:
    """Say what a score is made of, and what no run is shown; "" if it is no score on validation tokens."""
    return "; ".join(filter(None, (tokens_scored(metrics), what_is_cut(metrics))))


def better(effect: float, direction: Direction) -> bool:
    return effect < 0 if direction == "minimize" else effect > 0


def commit_message(
    *, experiment: int, campaign: str, hypothesis: str, category: str, reason: str, expected: str,
    proposer: str, author: str = "",
) -> str:  # fmt: skip
    """Return the message of an experiment's commit: `git log` alone tells the night.

    The proposer's words are disarmed: a merged commit that "fixes #3" would close that issue. No line of theirs is
    one that git takes for something else: a patch or another mail (`git am`), a comment (`git commit`'s editor), an
    order (`git rebase --autosquash`). `author`, `Name <address>`, is a human whose commit it was.
    """
    subject = title(hypothesis, SUBJECT_LIMIT)
    if not subject or _ORDER.match(subject) or _IN_MAIL.match(subject):
        subject = title(f"Experiment {experiment}: {subject}".rstrip(": "), SUBJECT_LIMIT)
    said = disarmed(_within(reason, REASON_LIMIT)).strip()
    return "\n".join(
        [
            subject,
            "",
            _IN_MAIL.sub(r" \g<0>", said),
            "",
            f"Expected: {disarmed(one_line(expected, _SHORT))}",
            "",
            f"Nocturne-Campaign: {one_line(campaign)}",
            f"Nocturne-Experiment: {experiment}",
            f"Nocturne-Category: {disarmed(one_line(category, _SHORT))}",
            f"Nocturne-Proposer: {disarmed(one_line(proposer, _SHORT))}",
            *([f"Co-authored-by: {one_line(author, 2 * _SHORT)}"] if author.endswith(">") else []),
            "",
        ]
    )


def _within(text: str, limit: int) -> str:
    cleaned = clean(text)
    return cleaned if len(cleaned) <= limit else f"{cleaned[: limit - 1].rstrip()}…"


def effect_line(campaign: Campaign, decision: ExperimentDecided, limit: int | None = None) -> str:
    """Return the status line, `val_bpb 0.9721, −0.0016 ± 0.0006 vs 0.9737 (90 %, 2+3 runs)`; empty if unmeasured.

    A metric's name is shortened if the line would have more than `limit` characters; no figure is.
    """
    if decision.effect is None or decision.score is None or decision.against is None:
        return ""
    digits = decision_places(decision)
    figures = (
        f" {decimals(decision.score, digits)}, {margin(decision.effect, decision.half_width, digits)}"
        f" vs {decimals(decision.against, digits)}"
        f" ({f'{LEVEL}, ' if decision.half_width else ''}{decision.candidate_runs}+{decision.incumbent_runs} runs)"
    )
    return one_line(campaign.metric, None if limit is None else limit - len(figures)) + figures


def decision_places(decision: ExperimentDecided) -> int:
    """Return how many decimals the figures of a verdict deserve."""
    return places(decision.half_width or decision.sigma or abs(decision.effect or 0.0) or 1.0)


def lesson(experiment: Experiment, decision: ExperimentDecided, metric: str, direction: Direction) -> str:
    """Say in one sentence what an experiment taught."""
    what = experiment.title
    if decision.verdict == "crashed":
        return f"{what}: crashed ({decision.reason})."
    if decision.verdict == "rejected":
        return f"{what}: refused before training ({decision.reason})."
    if decision.effect is None:
        return f"{what}: {decision.reason}{_though(decision, metric, direction)}."
    amount = margin(abs(decision.effect), decision.half_width, decision_places(decision), "")
    if decision.verdict == "improved":
        return f"{what}: improves {metric} by {amount} ({decision.reason})."
    if better(decision.effect, direction):
        return f"{what}: seemed to improve {metric} by {amount}, which this noise can produce by chance."
    return f"{what}: {f'worsens {metric} by {amount}' if decision.effect else f'leaves {metric} as it is'}."


def _though(decision: ExperimentDecided, metric: str, direction: Direction) -> str:
    """Say how the score of a candidate stands that something else bars; "" if nobody knows."""
    if decision.score is None or decision.against is None:
        return ""
    effect = decision.score - decision.against
    turn = "though it improves" if better(effect, direction) else "and worsens"
    return f", {turn} {metric} by {decimals(abs(effect), places(decision.sigma or abs(effect) or 1.0))}"


def lineage_refused(known: Lineage) -> str:
    """Return why audits stop a promotion, which merges are in question, and what to do."""
    evidence = (known.head.failure or {}).get("reason", "") if known.head and known.head_refused else ""
    if not evidence and known.pooled is not None:
        evidence = audits.said(known.pooled)
    named = ", ".join(str(number) for number in known.doubted[-_NAMED:])
    suspects = [f"merged experiments {named}"] if named else []
    if known.from_start:
        suspects.append("what the branch held before them" if named else "what the branch began with")
    said = f"the audits of the head stop the promotion: {evidence}"
    said += f"; it may have come with {' or '.join(suspects)}" if suspects else ""
    if known.doubted:
        said += f"; `nocturne revert {known.doubted[-1]}` takes the last of them out, and what is left is audited anew"
    return said


def stopped(stop: Stop) -> str:
    return f"The loop stopped ({stop.reason}): {stop.detail}."
