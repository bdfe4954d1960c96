"""The stages on their own, for a workflow that gives each its own job and machine."""

from __future__ import annotations

from bot.errors import UserError
from bot.loop.desk import Desk, limits
from bot.loop.measure import give_back, take_lease
from bot.loop.start import ensure_started
from bot.loop.work import STAGE_ORDER, begin, choose, next_stage, reconcile, record_stop, work_on
from bot.rules.schedule import Begin, Wait
from bot.rules.stopping import Stop


def propose_next(desk: Desk) -> int | Stop:
    """Take one experiment up to its reviewed pull request; return its number, or why there is none."""
    ensure_started(desk)
    campaign = reconcile(desk)
    step = choose(desk, campaign, limits(desk.config))
    if isinstance(step, Stop):
        return record_stop(desk, campaign, step)
    early = STAGE_ORDER[: STAGE_ORDER.index("train")]
    begun = (e.number for e in campaign.open_experiments() if next_stage(campaign, e)[0] in early)
    number = next((n for n in begun if take_lease(desk, f"experiment:{n}")), None)
    if number is None:
        if isinstance(step, Wait):
            raise UserError(f"nothing to propose now: {step.why}")
        revert = next(iter(campaign.reverts_waiting), None)
        number = begin(desk, campaign, Begin(max(campaign.experiments, default=0) + 1, revert))
    if number is None:
        raise UserError("another loop took the next experiment: run the command again")
    work_on(desk, number, early)
    give_back(desk, f"experiment:{number}")
    stopped = desk.ledger.refresh().stopped
    return number if stopped is None else Stop(stopped.reason, stopped.detail)


def advance(desk: Desk, number: int | None, *, first_stage: str, last_stage: str) -> int:
    """Take an open experiment through the stages from `first_stage` to `last_stage`; return its number."""
    ensure_started(desk)
    campaign = reconcile(desk)
    window = STAGE_ORDER[STAGE_ORDER.index(first_stage) : STAGE_ORDER.index(last_stage) + 1]
    ready = [e.number for e in campaign.open_experiments() if next_stage(campaign, e)[0] in window]
    if number is None:
        if not ready:
            raise UserError(f"no experiment waits for {last_stage}: `nocturne propose` opens one")
        number = ready[0]
    elif number not in campaign.experiments:
        raise UserError(f"there is no experiment {number}: `nocturne status` lists them")
    elif number not in ready:
        experiment = campaign.experiments[number]
        at = "finished" if experiment.finished_at else f"at the stage {next_stage(campaign, experiment)[0]}"
        raise UserError(f"experiment {number} is {at}: nothing to do here")
    if not take_lease(desk, f"experiment:{number}"):
        raise UserError(f"another loop works on experiment {number}: wait, or let its lease run out")
    work_on(desk, number, window)
    give_back(desk, f"experiment:{number}")
    return number
