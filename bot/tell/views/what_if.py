"""For `nocturne replay` and `nocturne simulate`: another rule's verdicts, and what other settings would have found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.rules.decision import Rule
from bot.rules.replay import Replayed
from bot.rules.simulated.known import Known
from bot.rules.simulated.outlook import Outlook
from bot.tell.document import Document, bullets, cut, paragraph, say, table
from bot.tell.numbers import NOTHING, count, decimals, places

_FEW = 30  # experiments: with fewer, what is simulated is mostly what recorded campaigns were like


def replayed(found: Replayed, rule: Rule) -> Document:
    """Return what a rule says of the runs on a ledger."""
    if not found.of:
        return (paragraph("The ledger holds no verdict yet."),)
    alike = sum(found.same.values())
    kinds = ", ".join(f"{number} {verdict}" for verdict, number in found.same.items())
    said = [say("{} alike{}", count(alike, "verdict"), f": {kinds}" if kinds else "")]
    if found.earlier:
        said.append(say("{} less for them", count(found.earlier, "run")))
    if found.others:
        said.append(say("{} by crashes, reviews or humans, which no rule on scores gives", str(found.others)))
    differs = found.difference
    if differs is None:
        end = paragraph("**None of the {} on the ledger differs.**", count(found.of, "verdict"))
    else:
        left = found.of - alike - found.others - 1
        end = paragraph(
            "**The first that differs is experiment {}** ({}): the ledger says {} after {}, this rule {} ({}). What"
            " comes after it, {}, would have gone another way, and these runs can't tell which.",
            differs.experiment, cut(differs.title, 120), differs.ledger, count(differs.runs, "run"), differs.rule,
            cut(differs.why, 200), count(left, "verdict"),
        )  # fmt: skip
    return (paragraph("The rule `{}` on the runs at hand, first to last:", rule.aim), *bullets(said), end)


@dataclass(frozen=True)
class About:
    """What was simulated: after which `source`, in which metric, for how many whole `runs`, in how many campaigns."""

    source: str
    metric: str
    runs: int
    campaigns: int
    guarded: bool


def simulated(found: Sequence[Outlook], known: Known, about: About) -> Document:
    """Return what each setting finds, with intervals, and what nobody knows."""
    digits = places(max((abs(each.gain) for each in found), default=0.0) / 10)
    deviation = decimals(known.sigma, places(known.sigma)) if known.sigma else "0: it repeats exactly"
    rows = [_row(each, digits) for each in found]
    heads = (
        "setting",
        "true gain",
        "in 80 % of campaigns",
        "/ as set",
        "90 %",
        "merges",
        "gain nothing",
        "tried",
    )
    return (
        paragraph(
            "Fitted to {} of {}, {} with a score; one run deviates by {}. Each setting meets the same {} of {} runs'"
            " time, drawn from what these experiments leave open.",
            count(known.experiments, "experiment"), about.source, str(len(known.seen)), deviation,
            count(about.campaigns, "campaign"), str(about.runs),
        ),
        table(heads, rows, numeric=" " + (len(heads) - 1) * "n"),
        *bullets([say("{}", line) for line in _unknown(known, about)]),
    )  # fmt: skip


def _row(each: Outlook, digits: int) -> tuple[str, ...]:
    low, high = each.spread
    return (
        each.setting,
        decimals(each.gain, digits, "+"),
        f"{decimals(low, digits, '+')} to {decimals(high, digits, '+')}",
        NOTHING if each.ratio is None else f"{each.ratio:.2f}",
        NOTHING if each.between is None else f"{each.between[0]:.2f} to {each.between[1]:.2f}",
        f"{each.merges:.1f}",
        NOTHING if each.false is None else f"{100 * each.false:.0f} %",
        f"{each.experiments:.0f}",
    )


def _unknown(known: Known, about: About) -> list[str]:
    """Return what the figures do not know."""
    said = [f"Gains are true ones in {about.metric}, positive is better, from a new campaign's first run on."]
    if len(known.seen) < _FEW:
        said.append(
            f"{len(known.seen)} experiments tell little: most of this is what 14 recorded campaigns of other tasks"
            " were like, in this one's units."
        )
    said.append(
        "Proposals learn nothing from verdicts here, and add up: a search that follows its finds gains more,"
        " changes that get in each other's way gain less."
    )
    if known.luck:
        said.append(
            "A log says nothing of its runs' noise: 0.1 % of the score is assumed, within a factor of three."
        )
    if about.guarded:
        said.append("Guards are left out: they would end some of what merges here.")
    return said
