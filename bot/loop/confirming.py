"""Head and baseline run side by side: what people are told of the gain, and what the bot asks before it promotes."""

from __future__ import annotations

from bot.errors import UserError
from bot.loop.commits import require_commit
from bot.loop.context import Context
from bot.loop.measure import measure, wait_for_run
from bot.loop.render import figures_of
from bot.rules import confirming
from bot.rules.campaign import Campaign
from bot.rules.confirming import Beside
from bot.rules.events import MergeDoubted
from bot.rules.halving import Doubt
from bot.rules.queue import coming_out
from bot.rules.schedule import next_replicate
from bot.tell.words import confirmation_words, doubt_words


def confirm(context: Context, campaign: Campaign, *, pairs: int) -> Campaign:
    """Run head and baseline side by side until there are so many pairs of the present head, or their runs fail; return
    the campaign then. These runs pick nothing, so their mean is free of the bias that comes from picking winners."""
    for _ in range(2 * pairs + confirming.FAILURES):
        scale = context.runner, campaign.fingerprints.get(context.runner)
        side = confirming.next_run(campaign, scale, pairs, context.config.seed)
        if side is None:
            break
        measure_beside(context, side)
        campaign = context.ledger.refresh()
    return campaign


def measure_beside(context: Context, side: Beside) -> None:
    """Make one run of head or baseline side by side with the other, or of a merge between them. If another loop makes
    it at this moment, wait for that."""
    require_commit(context, side.commit)
    campaign = context.ledger.known()
    names = {confirming.baseline_of(campaign): "baseline", campaign.incumbent: "head"}
    what = names.get(side.commit, "a merge between")
    title = f"{what} beside the {names.get(side.beside, 'baseline')}: what was gained?"
    number = next_replicate(campaign, side.commit)
    if measure(context, side.commit, experiment=None, title=title, side=side, due=number) is None:
        wait_for_run(context, side.commit, number)


def take_out(context: Context, doubt: Doubt) -> None:
    """Write down that a merge does not hold, so that the next experiment takes it out, and say so."""
    event = MergeDoubted(doubt.experiment, doubt.claimed, doubt.worth)
    campaign = context.ledger.append(lambda _: [event])
    context.display.note(f"experiment {doubt.experiment} does not hold: {doubt_words(campaign, event)}")


def confirm_head(context: Context, campaign: Campaign) -> Campaign:
    """Run the head and its baseline side by side before the bot promotes it, as far as that lacks and runs may be made
    here; return the campaign then."""
    return confirm(context, campaign, pairs=confirming.LEAST) if context.may_run else campaign


def require_confirmed(context: Context, campaign: Campaign) -> None:
    """Raise UserError if head and baseline, run side by side, show no gain: the bot promotes nothing by itself then."""
    figures = figures_of(context, campaign)
    found = figures.confirmation
    if found is None or not found.is_whole:
        raise UserError("head and baseline were not run side by side yet: `nocturne confirm` does it")
    if not found.holds:
        raise UserError(
            f"{confirmation_words(figures, found)} `nocturne promote --merge` takes it all the same"
        )


def require_all_wanted(context: Context, campaign: Campaign, base: str) -> None:
    """Raise UserError if the base branch would get a merge that somebody wants taken out."""
    for number in coming_out(campaign):
        landed = campaign.experiments[number].landed
        if landed is not None and not context.git.is_ancestor(landed.commit, base):
            raise UserError(
                f"experiment {number} is to be taken out before that: `nocturne run -n 1` does it, then promote again"
            )
