"""When the loop needs a human: one issue says so, and is closed when it is fixed."""

from __future__ import annotations

import contextlib
import os

from bot.base.text import one_line
from bot.config import CONFIG_PATH
from bot.errors import UserError
from bot.forge import NotFound
from bot.forge.labels import LABEL_NEEDS_HUMAN
from bot.loop.context import Context
from bot.loop.leases import give_back, take_lease
from bot.rules.campaign import Campaign
from bot.rules.events import HumanAnswered, HumanAsked, HumanTold
from bot.rules.experiment import Asked, Experiment
from bot.rules.reasons import PERMISSIONS
from bot.rules.stopping import Stop, is_fixed, reason_of
from bot.tell.numbers import count
from bot.tell.views.need import fixed, issue_body, issue_key, issue_title
from bot.tell.writers import markdown

_DETAIL = 1000  # characters


def ask_after_stop(context: Context, stop: Stop) -> None:
    """Ask for a human where the loop ended for a reason that only one can mend."""
    if reason_of(stop.reason).issue:
        ask(context, stop.reason, stop.detail)


def ask(context: Context, reason: str, detail: str) -> None:
    """Have the campaign's one issue say that a human is needed, and why.

    The wish is on the ledger first, so that it is told once, whoever dies on the way. Where it can't be told,
    the loop ends as it would have: a note says why.
    """
    words = one_line(detail, _DETAIL)

    def make(campaign: Campaign) -> list[HumanAsked]:
        before = campaign.asked
        if before is None:
            return [HumanAsked(campaign.asks + 1, 1, reason, words)]
        if (before.reason, before.detail) == (reason, words) and not before.begun:
            return []
        return [HumanAsked(before.number, before.turn + 1, reason, words)]

    asked = context.ledger.append(make).asked
    if asked is None or asked.told:
        return
    try:
        _tell(context, asked)
    except UserError as error:
        context.display.note(f"no issue could be opened to say that a human is needed: {error}")


def _tell(context: Context, asked: Asked) -> None:
    """Open the issue or bring it up to date, one loop at a time."""
    subject = f"human:{asked.number}"
    if not take_lease(context, subject):
        return  # another loop is about it
    campaign = context.ledger.refresh()
    now = campaign.asked
    if now is not None and not now.told:
        issue, url = _write(context, campaign, now)
        told = HumanTold(now.number, now.turn, issue, url)
        context.ledger.append(lambda _: [told])
    give_back(context, subject)


def _write(context: Context, campaign: Campaign | None, asked: Asked) -> tuple[int, str]:
    """Have the issue say what is asked; return its number and address."""
    body = issue_body(
        campaign,
        asked,
        name=context.name,
        branch=context.branch,
        config=CONFIG_PATH,
        on_github=context.remote.kind == "github",
        job=_job(),
    )
    return context.forge.upsert_issue(
        issue_key(context.name),
        title=issue_title(context.name, asked.reason),
        body=markdown.write(body),
        labels=(LABEL_NEEDS_HUMAN,),
    )


def _job() -> str | None:
    """Return the address of the workflow run that runs us."""
    parts = [os.environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    return "{}/{}/actions/runs/{}".format(*parts) if all(parts) else None


def thank(context: Context, asked: Asked) -> None:
    """Close the issue: the loop goes on. May be repeated."""
    subject = f"human:{asked.number}"
    if not take_lease(context, subject):
        return  # another loop is about it
    campaign = context.ledger.refresh()
    if campaign.asked is not None and is_fixed(campaign.asked) and _close(context, campaign, campaign.asked):
        answered = HumanAnswered(asked.number)
        context.ledger.append(lambda c: [answered] if c.asked is not None and is_fixed(c.asked) else [])
    give_back(context, subject)


def _close(context: Context, campaign: Campaign, asked: Asked) -> bool:
    """Say on the issue that it is mended; False if that has to wait."""
    if asked.issue is None:
        return True  # nobody was told
    try:
        context.forge.upsert_comment(asked.issue, f"mended {asked.number}", markdown.write(fixed(campaign)))
        context.forge.close_issue(asked.issue, "completed")
    except NotFound:
        context.display.note(f"issue {asked.issue} is gone, which asked for a human")
    except UserError as error:
        context.display.note(f"issue {asked.issue} can't be closed, and what it asks for is fixed: {error}")
        return False
    return True


def ask_for_permission(context: Context, error: UserError) -> None:
    """Say in the issue what GitHub has refused. Best effort: GitHub may well refuse this too."""
    with contextlib.suppress(UserError, NotFound):
        if not _asked_by_ledger(context, error):
            _write(context, None, Asked(0, 0, PERMISSIONS.name, one_line(str(error), _DETAIL)))


def _asked_by_ledger(context: Context, error: UserError) -> bool:
    """Ask as always; False if the ledger is what can't be written, or is not begun."""
    try:
        if context.ledger.refresh().started is None:
            return False
        ask(context, PERMISSIONS.name, str(error))
    except UserError:
        return False
    return True


def ask_for_look(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Ask for a human who looks at an experiment, unless the campaign's issue asks for something else now."""
    said = f"experiment {experiment.number} is confirmed: a human must look at it first"
    _ask_to_read(context, campaign, said)


def ask_for_reader(context: Context, campaign: Campaign) -> None:
    """Ask for a human who reads, unless the campaign's issue asks for something else now."""
    limit = context.config.max_unreviewed_merges
    wait = f"{count(limit, 'merge')} {'waits' if limit == 1 else 'wait'}"
    _ask_to_read(context, campaign, f"{wait} for a human to read, and no more may (max_unreviewed_merges)")


def _ask_to_read(context: Context, campaign: Campaign, said: str) -> None:
    if campaign.asked is None or campaign.asked.reason == "unreviewed":
        ask(context, "unreviewed", said)
