"""What of a night deserves that somebody's phone rings. Pure: from the campaign and the settings alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.config import NotifySettings, Stop
from bot.rules import stopping
from bot.rules.campaign import Campaign
from bot.tell.document import Line, Message, Words, bullets, heading, linked, say, small, told
from bot.tell.figures.campaign import Figures
from bot.tell.figures.debt import debt_warning
from bot.tell.figures.rows import Row
from bot.tell.numbers import device_hours, money
from bot.tell.words import device_words, effect_words, gain_words, level_note, title, way_words

STALE = timedelta(days=3)  # older news is for the summary
SHARES = (80, 100)  # per cent of a budget
TOLD_AT_ONCE = 10  # notices in one message
SIGMAS = 2.0  # what a new best must gain if no size is set


@dataclass(frozen=True)
class Notice:
    """One thing worth telling. `urgent` ones do not wait until something else happens: nothing may follow."""

    key: str
    line: Line
    urgent: bool = False


def noteworthy(
    campaign: Campaign, figures: Figures, settings: NotifySettings, stop: Stop, *, now: datetime
) -> list[Notice]:
    """Return all that deserved telling in the last three days, told or not, oldest kinds last."""
    found = [
        *_stops(campaign, now),
        *_crashes(campaign, figures, settings),
        *_budgets(figures, stop),
        *_held(figures),
        *_best(campaign, figures, settings, now),
    ]
    return list({notice.key: notice for notice in found}.values())


def night_message(key: str, night: str, figures: Figures, due: Sequence[Notice]) -> Message:
    """Return the message of a night (`2026-03-09`, the date of its evening) that tells what is due."""
    lines = [notice.line for notice in due if notice.line]
    more = len(lines) - TOLD_AT_ONCE
    said = "What happened" if more <= 0 else f"What happened, and {more} more"
    return Message(
        key=key,
        title=f"{title(figures)}: the night of {night}",
        summary=f"{way_words(figures)}, {gain_words(figures)}",
        body=(heading(said, 2), *bullets(lines[:TOLD_AT_ONCE]), *small(level_note(figures))),
    )


def gains_enough(row: Row, figures: Figures, settings: NotifySettings, sigma: float | None) -> bool:
    """Whether a merged experiment is a new best beyond the size that deserves telling."""
    if row.effect is None or row.reverts is not None:
        return False
    gain = -row.effect if figures.lower_is_better else row.effect
    least = settings.new_best if settings.new_best is not None else SIGMAS * (sigma or 0.0)
    return gain > 0 and gain >= least


def stop_line(reason: str, detail: str) -> Line:
    """Say why a loop ended, and whether somebody must do something."""
    lead = say("**Needs you:** ") if stopping.reason_of(reason).needs_human else ()
    return (*lead, *stop_words(reason, detail))


def stop_words(reason: str, detail: str) -> Line:
    """Say why a loop ended."""
    return say("the loop stopped ({}): {}.", reason, told(detail, foreign=True))


def _stops(campaign: Campaign, now: datetime) -> Iterator[Notice]:
    for stop, at in reversed(campaign.stops):
        if stopping.reason_of(stop.reason).told and _fresh(at, now):
            yield Notice(stop.key, stop_line(stop.reason, stop.detail), urgent=True)


def _crashes(campaign: Campaign, figures: Figures, settings: NotifySettings) -> Iterator[Notice]:
    if settings.crashes is None:
        return
    streak = stopping.crash_streak(campaign)
    if len(streak) >= settings.crashes:
        rows = {row.number: row for row in figures.rows}
        last = rows[streak[-1].number]
        said = "**Crashes:** {} experiments crashed in a row, the last of them {}: {}"
        line = say(said, len(streak), experiment(last), last.decision)
        yield Notice(f"crashes:{streak[0].number}", line)


def _budgets(figures: Figures, stop: Stop) -> Iterator[Notice]:
    spent = (
        ("gpu_hours", device_words(figures), figures.gpu_seconds / 3600, stop.gpu_hours),
        ("cost_usd", "money for models", figures.cost_usd, stop.cost_usd),
    )
    for name, what, used, limit in spent:
        reached = [share for share in SHARES if limit and used >= limit * share / 100]
        if reached and limit:
            shown = device_hours(used * 3600) if name == "gpu_hours" else money(used)
            said = f"{reached[-1]} % of the {what} are used: {shown} of {limit:g}"
            for share in reached[:-1]:  # said together with the higher one
                yield Notice(f"budget:{name}:{share}:{limit:g}", ())
            line = say("**Budget:** {}", said)
            yield Notice(f"budget:{name}:{reached[-1]}:{limit:g}", line, urgent=reached[-1] >= 100)


def _held(figures: Figures) -> Iterator[Notice]:
    waiting = debt_warning(figures.debt)
    if figures.debt.held and waiting is not None:
        yield Notice(f"held:{figures.debt.held[0]}", say("**Needs you:** {}", waiting))


def _best(campaign: Campaign, figures: Figures, settings: NotifySettings, now: datetime) -> Iterator[Notice]:
    rows = {row.number: row for row in figures.rows}
    for landed in reversed(campaign.landed()):
        row, sigma = rows[landed.number], landed.decision.sigma if landed.decision else None
        if (landed.finished_at is None or _fresh(landed.finished_at, now)) and gains_enough(
            row, figures, settings, sigma
        ):
            yield Notice(f"best:{row.number}", say("**New best:** {}", merged(row, figures)))


def experiment(row: Row) -> Words:
    """Return the experiment's number, linked to its pull request."""
    return linked(row.number, row.url, "experiment {}")


def merged(row: Row, figures: Figures) -> Line:
    """Say what a merged experiment changed, and by how much."""
    effect = effect_words(row, figures.digits)
    return say("{} {}, {}: {}", figures.metric, effect, experiment(row), row.hypothesis)


def _fresh(at: str, now: datetime) -> bool:
    return now - datetime.fromisoformat(at) < STALE
