"""When people are told: in the night at each occasion that the loop gives, in the morning by its command."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.config import NotifySettings
from bot.errors import UserError
from bot.ledger import now, stamp
from bot.loop.context import Context
from bot.loop.render import figures_of
from bot.notify.delivery import Letter, Outcome, deliver, settle_open, show_chart
from bot.notify.notifier import Notifier
from bot.rules.campaign import Campaign
from bot.rules.events import MessageIntended
from bot.rules.messages import Messages
from bot.tell.charts.raster import progress_png
from bot.tell.document import Message
from bot.tell.figures.period import period
from bot.tell.views.morning import is_quiet, morning_message
from bot.tell.views.news import TOLD_AT_ONCE, Notice, night_message, noteworthy

NIGHT = timedelta(hours=12)  # a night goes from noon to noon and has the date of its evening
FIRST_PAUSE = timedelta(minutes=10)  # after a refusal; it doubles
LONGEST_PAUSE = timedelta(hours=2)


def notify(context: Context, campaign: Campaign) -> None:
    """Tell what deserves it, if anything does, now is a time for it and Slack can be reached. Never raises.

    What can't be told stays due: it is told at a later occasion, or with the morning's summary.
    """
    if context.notifier is None:
        return
    try:
        tell(context, context.notifier, campaign)
    except Exception as error:  # whatever it is, the loop is worth more
        reason = error if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        context.display.note(f"not told in {context.notifier.channel}: {reason}")


def tell(context: Context, notifier: Notifier, campaign: Campaign, *, moment: datetime | None = None) -> None:
    """Send one message with all that is due, if there is anything and now is a time for it."""
    moment = moment or now()
    settings = context.config.slack
    due = _due(context, campaign, moment)
    if not due and not campaign.messages.open():
        return
    if in_quiet_hours(settings, moment) or _pausing(campaign.messages, moment):
        return
    settle_open(context.ledger, notifier)
    campaign = context.ledger.refresh()
    due = _due(context, campaign, moment)
    night = night_of(settings, moment)
    before = campaign.messages.sent_in(night, notifier.channel)
    last = max((campaign.messages.begun_at[ended.message] for ended in before), default="")
    waits = last > stamp(moment - timedelta(minutes=settings.every_minutes))
    if not due or (waits and not any(notice.urgent for notice in due)):
        return
    told = [name for name in campaign.messages.ended if name.startswith(f"night:{night}:")]
    number = 1 + sum(campaign.messages.is_told(name) for name in told)
    thread = before[0].ts if before and notifier.has_threads else None

    def write(intended: MessageIntended) -> Message:
        figures = figures_of(context, campaign, at=datetime.fromisoformat(intended.upto))
        return night_message(intended.message, night, figures, [n for n in due if n.key in intended.covers])

    letter = Letter(
        key=f"night:{night}:{number}",
        since=stamp(moment - NIGHT),
        upto=stamp(moment),
        covers=tuple(notice.key for notice in due),
        thread=thread,
        write=write,
    )
    deliver(context.ledger, notifier, letter)


@dataclass(frozen=True)
class Morning:
    """What became of a morning's summary; `message` is None if there was nothing to say."""

    message: Message | None
    outcome: Outcome | None
    png: bytes | None = None


def morning(context: Context, notifier: Notifier | None, day: date | None) -> Morning:
    """Send the summary of `day` (today without), or only make it where there is no notifier.

    Repeating it sends nothing again; it adds the chart where that was cut short. Raises `NotSent` and
    `Unclear`.
    """
    moment = now()
    settings = context.config.slack
    local = moment.astimezone(ZoneInfo(settings.timezone))
    chosen = day or local.date()
    if chosen > local.date():
        raise UserError(f"--date {chosen}: that day has not come yet in {settings.timezone}")
    upto = moment
    if chosen < local.date():
        upto = datetime.combine(chosen + timedelta(days=1), time(), ZoneInfo(settings.timezone))
    campaign = context.ledger.refresh()
    key = f"morning:{chosen}"
    known = campaign.messages.intended.get(key)
    if notifier is not None:
        settle_open(context.ledger, notifier)
        campaign = context.ledger.refresh()
    since = campaign.messages.since(chosen.isoformat())
    told_before = since is not None
    since = since or stamp(upto - timedelta(days=1))
    stamps = (known.since, known.upto) if known else (since, stamp(upto))
    then = context.ledger.as_of(stamps[1])
    if then.started is None:
        return Morning(None, None)
    known_figures = figures_of(context, then, at=datetime.fromisoformat(stamps[1]))
    past = period(figures_of(context, context.ledger.as_of(stamps[0])), known_figures, stamps[0])
    covers = known.covers if known else None
    notices = noteworthy(
        then, known_figures, settings, context.config.stop, now=datetime.fromisoformat(stamps[1])
    )
    due = [
        notice
        for notice in notices
        if (notice.key not in campaign.messages.told if covers is None else notice.key in covers)
    ]
    untold = due if notifier is not None else []
    message = morning_message(
        chosen.isoformat(), known_figures, past, context.config.stop, untold=untold[:TOLD_AT_ONCE]
    )
    if notifier is None:
        return Morning(message, None, progress_png(known_figures) if message.chart else None)
    if told_before and is_quiet(past, untold):
        return Morning(None, None)
    letter = Letter(
        key, stamps[0], stamps[1], tuple(notice.key for notice in untold), None, lambda _: message
    )
    outcome = deliver(context.ledger, notifier, letter)
    show_chart(context.ledger, notifier, message, lambda: progress_png(known_figures))
    return Morning(message, outcome)


def night_of(settings: NotifySettings, moment: datetime) -> str:
    """Return the date of the evening on which the night of `moment` began."""
    return (moment.astimezone(ZoneInfo(settings.timezone)) - NIGHT).date().isoformat()


def in_quiet_hours(settings: NotifySettings, moment: datetime) -> bool:
    """Whether nobody wants a message now."""
    if settings.quiet is None:
        return False
    begin, end = settings.quiet.split("-")
    clock = f"{moment.astimezone(ZoneInfo(settings.timezone)):%H:%M}"
    if begin <= end:
        return begin <= clock < end
    return clock >= begin or clock < end


def _pausing(messages: Messages, moment: datetime) -> bool:
    """Whether the last refusals are too near to try again."""
    if not messages.refusals:
        return False
    pause = min(FIRST_PAUSE * (1 << min(messages.refusals - 1, 8)), LONGEST_PAUSE)
    return moment < datetime.fromisoformat(messages.last_end) + pause


def _due(context: Context, campaign: Campaign, moment: datetime) -> list[Notice]:
    figures = figures_of(context, campaign, at=moment)
    found = noteworthy(campaign, figures, context.config.slack, context.config.stop, now=moment)
    return [notice for notice in found if notice.key not in campaign.messages.told]
