"""Takes in what the base branch got meanwhile: the campaign's branch follows, and its head is measured anew.

The commit that takes it in is the same whoever makes it, so that two loops, or one that was killed between its
push and its word on the ledger, come to the same. It is only made while no experiment is in hand; one that waits
for a reader of earlier merges is measured again when it lands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.base.text import disarmed, one_line
from bot.errors import UserError
from bot.git import Git, RemoteUnreachable
from bot.git.merging import merge_trees, trees_between, write_merge
from bot.loop.asking import ask
from bot.loop.context import Context
from bot.loop.files import check_tree
from bot.loop.leases import holds
from bot.loop.settings import limits
from bot.rules.ahead import is_untrained
from bot.rules.campaign import Campaign
from bot.rules.events import BaseLeftOut, IncumbentMoved
from bot.rules.human import in_hand
from bot.rules.reasons import BASE
from bot.rules.schedule import is_to_close

_PATHS = 5  # that are named of those in conflict
_FORMER = 20  # incumbents that the base branch may have got by promotion


@dataclass(frozen=True)
class Following:
    """The commit that takes the base branch in. `absorbed` is the former incumbent that the base held by
    content already, as after a promotion merged by squash or rebase; `reference` the base branch's head where a
    human wrote something there that is trained."""

    commit: str
    absorbed: str | None = None
    reference: str | None = None


def is_due(context: Context, campaign: Campaign) -> bool:
    """Whether the base branch, as this clone has it, holds what the campaign's branch has not."""
    base = context.git.resolve(on_own_base(context, campaign).base)
    return base is not None and not context.git.is_ancestor(base, campaign.incumbent)


def awaited(context: Context, campaign: Campaign) -> frozenset[int]:
    """Return the open experiments that must end before the base branch is taken in; none if it is not due,
    or is known not to fit."""
    opened = frozenset(_in_hand(context, campaign))
    left = campaign.left_out
    known = left is not None and left.base == context.git.resolve(on_own_base(context, campaign).base)
    return opened if opened and not known and is_due(context, campaign) else frozenset()


def _in_hand(context: Context, campaign: Campaign) -> list[int]:
    """Return the open experiments, without those of ours that are only to be closed, or follow the new incumbent."""
    opened = in_hand(campaign, limits(context.config).unread)
    ours = {e.number for e in opened if holds(context, campaign, f"experiment:{e.number}")}
    free = {e.number for e in opened if is_untrained(campaign, e) or is_to_close(campaign, e)}
    return [e.number for e in opened if e.number not in ours & free]


def take_in(context: Context, campaign: Campaign) -> Campaign:
    """Bring the base branch's commits to the campaign's branch where that is due and no experiment is open.

    Where it can't be done the campaign goes on without, and says so once for each head of the base branch.
    """
    if _in_hand(context, campaign) or not is_due(context, campaign):
        return campaign
    context = on_own_base(context, campaign)
    base, previous = context.git.resolve(context.base), campaign.incumbent
    assert base is not None
    try:
        following = follow(context, campaign, base)
        check_tree(context, following.commit)
        if context.forge.land(context.branch, following.commit, previous) == "moved":
            return context.ledger.refresh()  # the next step sees whose commit stands there
    except RemoteUnreachable:
        raise
    except UserError as error:
        return _leave_out(context, base, str(error))
    event = IncumbentMoved(
        following.commit, previous, campaign.moves + 1, "base", following.absorbed, following.reference
    )
    moved = context.ledger.append(lambda c: [event] if c.incumbent == previous else [])
    context.display.note(f"{context.base} has moved: {context.branch} takes it in, and is measured anew")
    return moved


def _leave_out(context: Context, base: str, reason: str) -> Campaign:
    def known(campaign: Campaign) -> bool:
        return campaign.left_out is not None and campaign.left_out.base == base

    campaign = context.ledger.refresh()
    if not known(campaign):
        context.display.note(
            f"{context.base} has moved to {base[:12]}, and the campaign goes on without that: {reason}"
        )
        campaign = context.ledger.append(lambda c: [BaseLeftOut(base, reason, c.moves)])
    if campaign.asked is None or (campaign.asked.reason == BASE.name and not campaign.asked.told):
        ask(context, BASE.name, reason)
    return context.ledger.known()


def follow(context: Context, campaign: Campaign, base: str) -> Following:
    """Return the commit that brings `base` to the incumbent: `base` itself where it holds the incumbent, else a
    merge of the two. Raises `UserError` if that needs a human."""
    incumbent, reference = campaign.incumbent, base if _is_a_humans(context, campaign, base) else None
    if context.git.is_ancestor(incumbent, base):
        return Following(base, reference=reference)
    held = held_by_content(context.git, campaign, base)
    # Seen from a base that holds the former incumbent `held`, what the two share is that, and not what they
    # shared long ago: else each gain since would conflict with its own copy.
    theirs = base
    if held is not None:
        theirs = write_merge(context.git, context.git.tree_and_parents(base)[0], (held, base), "As if merged")
    merged = merge_trees(context.git, incumbent, theirs)
    if merged.tree is None:
        named = ", ".join(merged.conflicts[:_PATHS])
        more = f" and {len(merged.conflicts) - _PATHS} more" if len(merged.conflicts) > _PATHS else ""
        raise UserError(
            f"{named}{more}: {context.base} and {context.branch} changed the same lines: merge {context.base} into"
            f" {context.branch} by hand and push it"
        )
    return Following(
        write_merge(context.git, merged.tree, (incumbent, base), _message(context, base)), held, reference
    )


def _is_a_humans(context: Context, campaign: Campaign, base: str) -> bool:
    """Whether the base branch's head has files of its own among those that a run trains with: neither the
    reference's nor what a promotion brought there."""

    def trained(commit: str) -> tuple[bytes | None, ...]:
        return tuple(context.git.read_blob(commit, path) for path in (*context.config.editable, "prepare.py"))

    shown = campaign.promotion.head if campaign.promotion else ""
    known = [campaign.reference, campaign.incumbent, *campaign.incumbents[-_FORMER:], shown]
    theirs = trained(base)
    return all(
        trained(commit) != theirs for commit in dict.fromkeys(known) if commit and context.git.resolve(commit)
    )


def why_moved(context: Context, campaign: Campaign, head: str) -> Following | None:
    """Return how `head` takes the base branch in, None if it is anything else: a human's move.

    For a loop that finds the campaign's branch there: whoever pushed it was cut short before writing it down.
    """
    context = on_own_base(context, campaign)
    base = context.git.resolve(context.base)
    if base is not None and context.git.is_ancestor(head, base):
        if not context.git.is_ancestor(campaign.incumbent, head):
            return None
        return Following(head, reference=head if _is_a_humans(context, campaign, head) else None)
    _, parents = context.git.tree_and_parents(head)
    if len(parents) != 2 or parents[0] != campaign.incumbent:
        return None
    try:
        following = follow(context, campaign, parents[1])
    except UserError:
        return None
    return following if following.commit == head else None


def held_by_content(git: Git, campaign: Campaign, base: str) -> str | None:
    """Return the newest former incumbent whose content the base branch got by other commits, None if none.

    That is one whose tree a commit of the base has had since the two parted; or, where the base had moved
    before, the last one that a promotion showed, if merging it into the base would change nothing.
    """
    parted = git.store.merge_base(campaign.incumbent, base)
    if parted is None:
        return None
    theirs = set(trees_between(git, parted, base).values())
    ours = trees_between(git, base, campaign.incumbent)
    for commit in reversed(campaign.incumbents):
        if ours.get(commit) in theirs:
            return commit
    shown = campaign.promotion.head if campaign.promotion else ""
    if shown in campaign.incumbents and not git.is_ancestor(shown, base) and git.resolve(shown):
        tree = git.tree_and_parents(base)[0]
        if merge_trees(git, base, shown).tree == tree:
            return shown
    return None


def _message(context: Context, base: str) -> str:
    name = one_line(disarmed(context.base), 80)
    return (
        f"Take in {name} at {base[:12]}\n\nThe base branch moved; what it brought is measured before anything is"
        f" compared with it.\n\nNocturne-Campaign: {context.name}\nNocturne-Base: {base}\n"
    )


def on_own_base(context: Context, campaign: Campaign) -> Context:
    """Return the context with the campaign's base branch: as configured, else the one that it began on, whatever
    is checked out now."""
    if context.config.base is not None or campaign.started is None:
        return context
    return replace(context, base=campaign.started.base_branch)
