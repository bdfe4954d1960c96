"""`nocturne import FILE`: takes over a past campaign of another tool as history."""

from __future__ import annotations

from pathlib import Path

from bot.commands.session import Session, campaign_session
from bot.errors import UserError
from bot.loop.importing import Imported, import_log
from bot.loop.start import ensure_started
from bot.rules.past_logs import OtherMetric, PastLog, read_log
from bot.tell.numbers import count

_LARGEST = 50 << 20  # bytes
_SHOWN = 10  # damaged lines that are told one by one


def run(*, repo: Path, campaign: str | None, file: Path, metric: str | None, verify: int) -> int:
    text = _text(file)
    with campaign_session(repo, campaign) as session:
        context = session.context
        own = context.config.evaluator.metric
        try:
            log = read_log(text, metric=own.name, direction=own.direction, mapped=metric)
        except OtherMetric as error:
            raise UserError(f"{file}: {error}") from None
        except ValueError as error:
            raise UserError(
                f"{file}: {error}: give autoresearch's results.tsv, or pi-autoresearch's autoresearch.jsonl or"
                " .auto/log.jsonl"
            ) from None
        _tell_of_lines(session, file, log)
        if not log.claims:
            raise UserError(f"{file}: holds no experiment that can be read: nothing was imported")
        began = ensure_started(context)
        _tell(session, file, import_log(context, began, log, file.name, verify), verify)
    return 0


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > _LARGEST:
            raise UserError(f"{file}: larger than {_LARGEST >> 20} MiB: cut it to the newest lines")
        return file.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise UserError(f"{file}: can't read ({error.strerror}): name the log of the other tool") from None


def _tell_of_lines(session: Session, file: Path, log: PastLog) -> None:
    for number, why in list(log.damaged.items())[:_SHOWN]:
        session.say(f"{file}: line {number} is left out: {why}")
    if len(log.damaged) > _SHOWN:
        session.say(f"{file}: {len(log.damaged) - _SHOWN} more lines are left out")
    for note in log.notes:
        session.say(f"{file}: {note}")


def _tell(session: Session, file: Path, made: Imported, verify: int) -> None:
    again = f"; {made.known} were there already" if made.known else ""
    session.say(
        f"imported {count(made.new, 'experiment')} from {file}, as history and unverified{again}: the search and Claude"
        f" read them, no verdict and no gain rests on them; of {made.with_changes} it is known what they changed"
    )
    if not verify:
        return
    if made.to_verify:
        numbers = ", ".join(str(claim.claim) for claim in made.to_verify)
        named = f"claims {numbers} are" if len(made.to_verify) > 1 else f"claim {numbers} is"
        session.say(f"{named} measured first, as experiments like others: `nocturne run`")
    if len(made.to_verify) < verify and made.unclear:
        session.say(
            f"{count(made.unclear, 'kept claim')} can't be measured: the log has no diff, their commits are not in this"
            " clone, or their change does not fit the incumbent"
        )
    elif not made.to_verify:
        session.say("none of them can be measured: no claim that was kept says that it gained something")
