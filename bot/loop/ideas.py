"""Ideas of humans on their way: written down, offered to the proposer, and answered where they were given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Literal

from bot.agents.constants import constants_of
from bot.base.text import clean
from bot.errors import UserError
from bot.forge import NotFound
from bot.git import RemoteUnreachable
from bot.loop.commits import editable_files
from bot.loop.context import Context
from bot.rules.campaign import Campaign
from bot.rules.events import IdeaGiven, IdeaPassed, IdeaWithdrawn
from bot.rules.experiment import Experiment
from bot.rules.ideas import READS, TEXT_LIMIT, TRIES, IdeaState
from bot.rules.proposal import Idea, Proposal
from bot.tell.views.idea import comment_key, noted, outcome, passed
from bot.tell.writers import markdown

Reason = Literal["completed", "not_planned"]


def idea_text(*parts: str) -> str:
    """Return an idea's words as the ledger keeps them: bounded, without control characters."""
    text = "\n\n".join(part for part in (clean(each).strip() for each in parts) if part)
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"


def give_idea(
    context: Context, text: str, *, source: str | None = None, giver: str = "", issue: int | None = None,
    labelled: bool = False, when: str = "",
) -> IdeaState:  # fmt: skip
    """Write an idea down, once for each `source`; without one it is new. Raises UserError if it says nothing."""
    if context.ledger.refresh().started is None:
        raise UserError(f"campaign {context.name!r} has not begun: `nocturne run` begins it")
    if not text:
        raise UserError("the idea says nothing: write what to try, such as LEARNING_RATE = 0.004")
    name = source or ""

    def make(campaign: Campaign) -> list[IdeaGiven]:
        nonlocal name
        number = max(campaign.ideas.known, default=0) + 1
        name = source or f"command:{number}"
        return [IdeaGiven(number, text, name, giver, issue, labelled, when)]

    state = context.ledger.append(make).ideas.from_source(name)
    assert state is not None
    return state


def withdraw_idea(context: Context, issue: int, when: str) -> bool:
    """Write down that an issue is no idea any more; True if one was waiting."""
    campaign = context.ledger.refresh()
    if campaign.started is None:
        return False
    waited = campaign.ideas.open_for(issue)
    after = context.ledger.append(lambda _: [IdeaWithdrawn(issue, when)])
    return waited and not after.ideas.open_for(issue)


def tell_of_idea(context: Context, state: IdeaState) -> None:
    """Say on its issue that an idea is noted, as long as nothing has become of it."""
    given = state.given
    if given.issue is None or not state.waits or state.experiments or state.passed_by:
        return
    unread = None if given.commit else unread_by(context, given.text)
    said = noted(state) if unread is None else passed(given.number, unread, READS.get(unread, ""))
    context.forge.upsert_comment(given.issue, comment_key(context.name, given.number), markdown.write(said))


def noted_words(context: Context, state: IdeaState) -> str:
    """Return what becomes of an idea that was just written down, as the end of a sentence about it."""
    unread = unread_by(context, state.given.text)
    if unread is None:
        return "is noted: the next experiments try it"
    hint = READS.get(unread, "").rstrip(".")
    return f"is noted, and waits: the proposer at work, {unread}, can't follow it. {hint}"


def unread_by(context: Context, text: str) -> str | None:
    """Return the configured proposer if it can't follow an idea as it stands, None if it can: only the offline search
    can't follow everything."""
    incumbent = context.ledger.known().incumbent
    if context.config.proposer != "offline" or context.git.resolve(incumbent) is None:
        return None
    from bot.agents.offline.follow import changes_named  # half a second of imports

    constants = constants_of(editable_files(context, incumbent))
    return None if changes_named(text, constants) else "offline"


def tell_of_passed(
    context: Context, campaign: Campaign, offered: Sequence[Idea], proposal: Proposal | None
) -> None:
    """Tell those who gave an idea, once, that this proposer passed it over: it took a later one, or none."""
    taken = proposal.idea if proposal is not None else None
    proposer = context.config.proposer
    before = takewhile(lambda idea: idea.number != taken, offered)
    over = [idea for idea in before if proposer not in campaign.ideas.known[idea.number].passed_by]
    for idea in over:
        said = markdown.write(passed(idea.number, proposer, READS.get(proposer, "")))
        _say_on(context, idea.issue, idea.number, said)
    if over:
        context.ledger.append(lambda _: [IdeaPassed(idea.number, proposer) for idea in over])


def tries_of_its_idea(campaign: Campaign, experiment: Experiment) -> tuple[int, ...]:
    """Return the experiments that followed the same idea: one that crashed may be tried again as it was."""
    idea = experiment.proposal.idea if experiment.proposal is not None else None
    return campaign.ideas.known[idea].experiments if idea is not None else ()


def tell_outcome(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Say on its issue what became of an idea, and close the issue where it was the idea. May be repeated."""
    proposal, decision = experiment.proposal, experiment.decision
    if proposal is None or proposal.idea is None or decision is None:
        return
    state = campaign.ideas.known[proposal.idea]
    issue = state.given.issue
    if issue is None:
        return
    again = decision.verdict in ("crashed", "lost") and len(state.experiments) < TRIES
    said = outcome(campaign, experiment, state, again=again and not state.withdrawn)
    reason: Reason = "completed" if decision.verdict == "improved" else "not_planned"
    forge = context.forge

    def close() -> None:
        forge.close_issue(issue, reason)

    heard = _say_on(context, issue, state.given.number, markdown.write(said))
    if heard and state.given.labelled and not state.withdrawn and not again:
        _gently(context, issue, close)


def _say_on(context: Context, issue: int | None, idea: int, text: str) -> bool:
    """Write the comment on an idea; False if that could not be done."""
    if issue is None:
        return False
    return _gently(
        context, issue, lambda: context.forge.upsert_comment(issue, comment_key(context.name, idea), text)
    )


def _gently(context: Context, issue: int, act: Callable[[], object]) -> bool:
    """Do something on an issue. A token that may not, or an issue that is gone, must not hold the loop up."""
    try:
        act()
    except RemoteUnreachable:
        raise
    except NotFound:
        context.display.note(
            f"there is no issue {issue} any more: what became of its idea is said nowhere else"
        )
        return False
    except UserError as error:
        context.display.note(f"issue {issue} was not told what became of its idea: {error}")
        return False
    return True
