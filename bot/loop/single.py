"""The stages on their own, for a workflow that gives each its own job and machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bot.errors import UserError
from bot.loop import handover
from bot.loop.auditing import record
from bot.loop.desk import Desk, limits
from bot.loop.judging import announce, settle
from bot.loop.measure import give_back, measure, take_lease
from bot.loop.start import ensure_ready, ensure_started
from bot.loop.work import (
    HELD,
    STAGE_ORDER,
    begin,
    choose,
    looking,
    next_stage,
    prepare,
    reconcile,
    record_stop,
    standing,
    work_on,
)
from bot.rules.campaign import Campaign
from bot.rules.schedule import MeasureIncumbent, Wait, incumbent_step, next_experiment, title_of
from bot.rules.stopping import Stop

_TRAINING = ("train", "audit")
_EARLY = STAGE_ORDER[: STAGE_ORDER.index("train")]


def propose_next(
    desk: Desk, *, finish_first: bool = False, pick_up: Callable[[int], object] | None = None
) -> int | Stop:
    """Take one experiment up to its reviewed pull request; return its number, or why there is none.

    With `finish_first` an experiment that is open already, whatever it waits for, comes before a new one: for
    a chain of jobs, whose links may break. Waits it for its training, `pick_up` may look first whether that
    was made already and got lost on the way.
    """
    with looking(desk):
        ensure_ready(desk)
        campaign = reconcile(desk)
    desk = _for_the_trainer(desk, campaign)
    if finish_first:
        for experiment in campaign.open_experiments():
            stage = next_stage(campaign, experiment, _unread(desk))[0]
            if stage not in (*_EARLY, HELD) and not campaign.paused:
                if stage in _TRAINING and pick_up is not None:
                    pick_up(experiment.number)
                return experiment.number
    step = choose(desk, campaign, limits(desk.config))
    if isinstance(step, Stop):
        return record_stop(desk, campaign, step)
    campaign = prepare(desk, campaign)
    begun = (e.number for e in campaign.open_experiments() if next_stage(campaign, e)[0] in _EARLY)
    number = next((n for n in begun if take_lease(desk, f"experiment:{n}")), None)
    if number is None:
        if isinstance(step, Wait):
            raise UserError(f"nothing to propose now: {step.why}")
        number = begin(desk, campaign, next_experiment(campaign))
    if number is None:
        raise UserError("another loop took the next experiment: run the command again")
    work_on(desk, number, _EARLY)
    give_back(desk, f"experiment:{number}")
    stopped = desk.ledger.known().stopped
    return number if stopped is None else Stop(stopped.reason, stopped.detail)


def advance(desk: Desk, number: int | None, *, first_stage: str, last_stage: str) -> int:
    """Take an open experiment through the stages from `first_stage` to `last_stage`; return its number."""
    with looking(desk):
        ensure_started(desk)
        campaign = reconcile(desk)
    among = STAGE_ORDER[STAGE_ORDER.index(first_stage) : STAGE_ORDER.index(last_stage) + 1]
    window = [stage for stage in among if stage != "repair"]  # the maker's, who thinks where it proposes
    unread = _unread(desk)
    ready = [e.number for e in campaign.open_experiments() if next_stage(campaign, e, unread)[0] in window]
    if number is None:
        if not ready:
            command = "train" if last_stage in _TRAINING else "decide"
            raise UserError(f"no experiment waits for {command}: `nocturne propose` opens one")
        number = ready[0]
    elif number not in campaign.experiments:
        raise UserError(f"there is no experiment {number}: `nocturne status` lists them")
    elif number not in ready:
        experiment = campaign.experiments[number]
        at = "finished" if experiment.finished_at else f"at the stage {_stage(desk, campaign, number)}"
        raise UserError(f"experiment {number} is {at}: nothing to do here")
    if not take_lease(desk, f"experiment:{number}"):
        raise UserError(f"another loop works on experiment {number}: wait, or let its lease run out")
    work_on(desk, number, window)
    give_back(desk, f"experiment:{number}")
    return number


def stop_now(desk: Desk) -> Stop | None:
    """Return, and write down, why the loop ends here; None where it goes on."""
    campaign = reconcile(desk)
    step = choose(_for_the_trainer(desk, campaign), campaign, limits(desk.config))
    return record_stop(desk, campaign, step) if isinstance(step, Stop) else None


def train_apart(desk: Desk, number: int, path: Path) -> int:
    """Train an experiment without writing anything to the remote: its runs go into the file at `path`, also
    where the training is cut short. Returns how many runs there are."""
    with handover.private_copy(desk, number) as copy:
        known = set(copy.ledger.refresh().runs)
        try:
            if _stage(copy, copy.ledger.known(), number) in _TRAINING:
                _measure_incumbent(copy)
                advance(copy, number, first_stage="train", last_stage="audit")
        finally:
            made = handover.write(copy, known, number, path)
    return made


def _measure_incumbent(desk: Desk) -> None:
    """Make the runs of the incumbent that are due on this machine."""
    for _ in range(desk.rule().max_runs):
        campaign = desk.ledger.refresh()
        step = incumbent_step(campaign, standing(desk, campaign, limits(desk.config)))
        if not isinstance(step, MeasureIncumbent):
            return
        measure(desk, step.commit, experiment=None, title=title_of(step, desk.ledger.known()))


def announce_training(desk: Desk, number: int) -> None:
    """Say on the pull request that the training begins, where it was not said yet."""
    campaign = desk.ledger.known()
    experiment = campaign.experiments[number]
    trained = experiment.candidate is not None and campaign.runs_of(experiment.candidate.commit)
    if _stage(desk, campaign, number) == "train" and not trained:
        announce(desk, experiment)


def decide_experiment(desk: Desk, number: int | None, path: Path | None = None) -> tuple[int, bool]:
    """Reach the verdict that the runs allow, those handed over at `path` among them, and merge or close.

    Returns the experiment, which stays open where more runs are needed or a reader of earlier merges is, and whether
    runs were handed over.
    """
    with looking(desk):
        ensure_started(desk)
        handed = handover.accept(desk, path) if path is not None else None
        number = handed or number
        campaign = reconcile(desk)
    desk = _for_the_trainer(desk, campaign)
    if number is None:
        waiting = [e.number for e in campaign.open_experiments()]
        late = (n for n in waiting if _stage(desk, campaign, n) not in (*_EARLY, HELD))
        number = next(late, None)
    stage = None if number is None else _stage(desk, campaign, number)
    if number is not None and stage == HELD:
        return number, handed is not None
    if number is not None and stage in _TRAINING and not _settled(desk, campaign, number):
        if path is None:
            raise UserError(f"experiment {number} waits for its runs: `nocturne train {number}` makes them")
        return number, handed is not None
    if number is not None and _stage(desk, desk.ledger.known(), number) == "repair":
        return number, handed is not None
    return advance(desk, number, first_stage="rebase", last_stage="close"), handed is not None


def _settled(desk: Desk, campaign: Campaign, number: int) -> bool:
    """Write down what the runs of an experiment say, as far as it waits for them; False where they don't suffice."""
    experiment = campaign.experiments[number]
    if _stage(desk, campaign, number) == "audit":
        return record(desk, experiment)
    return settle(desk, campaign, experiment)


def _for_the_trainer(desk: Desk, campaign: Campaign) -> Desk:
    """Return the desk as the machine has it that trains, where that is another one: what is due depends on it."""
    runs = list(campaign.runs.values())
    return replace(desk, runner=runs[-1].runner) if runs else desk


def _unread(desk: Desk) -> int | None:
    return limits(desk.config).unread


def _stage(desk: Desk, campaign: Campaign, number: int) -> str | None:
    """Return the stage that an experiment waits for, None where it is finished or is not there."""
    experiment = campaign.experiments.get(number)
    if experiment is None or experiment.finished_at is not None:
        return None
    return next_stage(campaign, experiment, _unread(desk))[0]
