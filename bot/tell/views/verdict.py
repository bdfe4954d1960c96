"""The verdict of an experiment, what it cost and what it teaches; and before that, what is planned."""

from __future__ import annotations

from statistics import fmean

from bot.rules.bills import Bill
from bot.rules.campaign import Campaign
from bot.rules.decision import CONFIDENCE, Rule
from bot.rules.events import ExperimentDecided
from bot.rules.experiment import Experiment
from bot.tell.document import Document, Heading, Line, Paragraph, bullets, cut, heading, paragraph, say
from bot.tell.figures.rows import device_of
from bot.tell.numbers import LEVEL, count, decimals, duration, margin, money, number, percent
from bot.tell.sentences import better, decision_places, effect_line


def verdict(campaign: Campaign, experiment: Experiment, rule: Rule) -> Document:
    """Return the section on the verdict; one that is open says what is planned."""
    decision = experiment.decision
    if decision is None:
        return heading("Verdict"), paragraph("Pending. {}", _planned(rule))
    reason = cut(decision.reason.rstrip(". "), 400)
    parts: list[Heading | Paragraph] = [
        heading("Verdict"),
        paragraph("**{}**: {}.", decision.verdict, reason),
    ]
    if described := effect_line(campaign, decision):
        parts += [paragraph("{}.", cut(described, 200)), paragraph(_interval(campaign, decision, rule))]
    if decision.lesson:
        parts += [heading("What it teaches"), paragraph("{}", cut(decision.lesson, 600))]
    return tuple(parts)


def headline(campaign: Campaign, experiment: Experiment, rule: Rule) -> Paragraph:
    """Return the verdict and its effect in one line; of one that is open what is planned."""
    decision = experiment.decision
    if decision is None:
        return paragraph("**Pending.** {}", _planned(rule))
    reason, described = cut(decision.reason.rstrip(". "), 400), effect_line(campaign, decision)
    if not described:
        return paragraph("**{}**: {}.", decision.verdict, reason)
    return paragraph("**{}**: {}; {}.", decision.verdict, cut(described, 200), reason)


def measured(campaign: Campaign, experiment: Experiment) -> Line:
    """Return the measured effect in a few words, to stand beside the expected one."""
    decision = experiment.decision
    if decision is None:
        return say("not measured yet")
    if decision.effect is None or decision.half_width is None:
        return say("{}: {}", _without_effect(campaign, experiment), cut(decision.reason, 200))
    effect = margin(decision.effect, decision.half_width, decision_places(decision))
    level = f" ({LEVEL} interval)" if decision.half_width else ""
    way = _way(campaign, decision.effect)
    return say("{} {}, {}{}", effect, cut(campaign.metric, 64), way, level)


def _without_effect(campaign: Campaign, experiment: Experiment) -> str:
    """Return what was measured though no difference is told: the mean of the candidate's runs, if any has a score."""
    runs = campaign.runs_of(experiment.candidate.commit) if experiment.candidate is not None else []
    scores = [run.score for run in runs if run.score is not None]
    if not scores:
        return "nothing"
    return f"{number(fmean(scores))} in {count(len(scores), 'run')}, and no difference"


def cost(campaign: Campaign, experiment: Experiment) -> Document:
    """Return the section on the cost."""
    return (heading("Cost"), *bullets(costs(campaign, experiment)))


def costs(campaign: Campaign, experiment: Experiment) -> list[str | Line]:
    """Return what an experiment cost: the device's time, and the proposer's tokens and money.

    Counted are all runs made for the experiment, those of earlier rounds too; the incumbent's serve others.
    """
    runs = campaign.runs_for(experiment.number)
    device = device_of(runs)
    drafts, proposal = campaign.drafts, experiment.proposal
    lines: list[str | Line] = []
    if runs:
        seconds = sum(run.gpu_seconds for run in runs)
        made = f"in {count(len(runs), 'run')} of the candidate"
        lines.append(f"{seconds:,.1f} {device} seconds ({duration(seconds)}) {made}")
    elif experiment.number not in drafts.turns:
        lines.append("no time of the training device")
    if experiment.number in drafts.turns:
        tried = count(drafts.turns[experiment.number], "smoke run")
        lines.append(f"{drafts.seconds[experiment.number]:,.1f} {device} seconds in {tried} of drafts")
    if proposal is not None and (proposal.cost_usd or proposal.input_tokens or proposal.output_tokens):
        tokens = f"{proposal.input_tokens:,} tokens read, {proposal.output_tokens:,} written"
        lines.append(f"{money(proposal.cost_usd)} for the proposal ({tokens})")
    for role, bill in campaign.bills.roles_of(experiment.number).items():
        lines.append(say("{} for the {}", _bill(bill), cut(role, 40)))
    return lines


def _bill(bill: Bill) -> str:
    """Return what models used and cost, such as `0.04 USD (3 calls, ...)`."""
    paid = money(bill.usd) if bill.usd or not bill.unpriced else "no known price"
    unpriced = f", {bill.unpriced} of them of no known price" if bill.unpriced and bill.usd else ""
    return (
        f"{paid} ({count(bill.calls, 'call')}{unpriced}; {bill.prompt_tokens:,} tokens read, of which"
        f" {percent(bill.cached_share)} from the cache, {bill.output_tokens:,} written)"
    )


def planned_runs(rule: Rule) -> str:
    """Return how many runs a candidate may have, in words."""
    if rule.max_runs <= rule.min_runs:
        return count(rule.max_runs, "run")
    return f"up to {count(rule.max_runs, 'run')}"


def _planned(rule: Rule) -> str:
    return (
        "First scope and review by rule, before a second of training. Then"
        f" {planned_runs(rule)}: it is given up below {rule.give_up(1):g} sigma (the deviation of one run) and merges"
        f" from {rule.accept(1):g} on after one run, from {rule.accept(2):g} on after two, once its incumbent has run"
        " again."
    )


def _interval(campaign: Campaign, decision: ExperimentDecided, rule: Rule) -> str:
    assert decision.effect is not None
    half, digits = decision.half_width or 0.0, decision_places(decision)
    runs = f"{count(decision.candidate_runs, 'run')} of the candidate and {decision.incumbent_runs} of the incumbent"
    said = f"Candidate minus incumbent, {_way(campaign, decision.effect)}:"
    if not half:
        return f"{said} each commit repeats its score exactly, after {runs}."
    low, high = (decimals(decision.effect + side * half, digits, "+") for side in (-1, 1))
    return (
        f"{said} the effect lies between {low} and {high}, each end with {100 * CONFIDENCE:.0f} %"
        f" confidence, after {runs}."
    )


def _way(campaign: Campaign, effect: float) -> str:
    if effect == 0:
        return "no difference"
    return "better" if better(effect, campaign.direction) else "worse"
