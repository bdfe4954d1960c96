"""The stages on their own, for a workflow that gives each its own job and machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bot.errors import UserError
from bot.loop import handover
from bot.loop.choosing import choose, standing
from bot.loop.confirming import measure_beside
from bot.loop.context import Context
from bot.loop.judge import measured, settled
from bot.loop.leases import give_back, take_lease
from bot.loop.measure import measure
from bot.loop.reconciling import looking, reconcile
from bot.loop.runner import prepare, record_stop
from bot.loop.settings import limits, rule_of
from bot.loop.start import ensure_started, require_space
from bot.loop.working import begin, due, work_on
from bot.rules import confirming
from bot.rules.campaign import Campaign
from bot.rules.decision import NeedRun
from bot.rules.events import Event
from bot.rules.schedule import MeasureIncumbent, Wait, incumbent_step, next_experiment, title_of
from bot.rules.stages import EARLY, TRAINING, Stage, between
from bot.rules.stopping import Stop


def propose_next(
    context: Context, *, finish_first: bool = False, pick_up: Callable[[int], object] | None = None
) -> int | Stop:
    """Take one experiment up to its reviewed pull request; return its number, or why there is none.

    With `finish_first` an experiment that is open already, whatever it waits for, comes before a new one: for
    a chain of jobs, whose links may break. Waits it for its training, `pick_up` may look first whether that
    was made already and got lost on the way.
    """
    with looking(context):
        campaign = ensure_started(context)
        require_space(context, campaign, campaign.incumbent)
        campaign = reconcile(context)
    context = _for_the_trainer(context, campaign)
    if finish_first:
        for experiment in campaign.open_experiments():
            stage = due(context, campaign, experiment.number)
            if stage not in (*EARLY, "held") and not campaign.paused:
                if stage in TRAINING and pick_up is not None:
                    pick_up(experiment.number)
                return experiment.number
    step = choose(context, campaign, standing(context, campaign, limits(context.config)))
    if isinstance(step, Stop):
        return record_stop(context, campaign, step)
    campaign = prepare(context, campaign)
    begun = [e.number for e in campaign.open_experiments() if due(context, campaign, e.number) in EARLY]
    number = next((n for n in begun if take_lease(context, f"experiment:{n}")), None)
    if number is None:
        if isinstance(step, Wait):
            raise UserError(f"nothing to propose now: {step.why}")
        number = begin(context, campaign, next_experiment(campaign))
    if number is None:
        raise UserError("another loop took the next experiment: run the command again")
    work_on(context, number, EARLY)
    give_back(context, f"experiment:{number}")
    stopped = context.ledger.flush().stopped
    return number if stopped is None else Stop(stopped.reason, stopped.detail)


def advance(context: Context, number: int | None, *, first_stage: Stage, last_stage: Stage) -> int:
    """Take an open experiment through the stages from `first_stage` to `last_stage`; return its number."""
    with looking(context):
        ensure_started(context)
        campaign = reconcile(context)
    among = between(first_stage, last_stage)
    window = [stage for stage in among if stage != "repair"]  # the maker's, who thinks where it proposes
    ready = [e.number for e in campaign.open_experiments() if due(context, campaign, e.number) in window]
    if number is None:
        if not ready:
            command = "train" if last_stage in TRAINING else "decide"
            raise UserError(f"no experiment waits for {command}: `nocturne propose` opens one")
        number = ready[0]
    elif number not in campaign.experiments:
        raise UserError(f"there is no experiment {number}: `nocturne status` lists them")
    elif number not in ready:
        experiment = campaign.experiments[number]
        at = "finished" if experiment.finished_at else f"at the stage {due(context, campaign, number)}"
        raise UserError(f"experiment {number} is {at}: nothing to do here")
    if not take_lease(context, f"experiment:{number}"):
        raise UserError(f"another loop works on experiment {number}: wait, or let its lease run out")
    work_on(context, number, window)
    give_back(context, f"experiment:{number}")
    context.ledger.flush()
    return number


def stop_now(context: Context) -> Stop | None:
    """Return, and write down, why the loop ends here; None if it goes on."""
    campaign = reconcile(context)
    trainer = _for_the_trainer(context, campaign)
    step = choose(trainer, campaign, standing(trainer, campaign, limits(context.config)))
    return record_stop(context, campaign, step) if isinstance(step, Stop) else None


def train_apart(context: Context, number: int, path: Path) -> int:
    """Train an experiment without writing anything to the remote: its runs go into the file at `path`, also
    where the training is cut short. Returns how many runs there are."""
    with handover.private_copy(context, number) as copy:
        known = set(copy.ledger.refresh().runs)
        try:
            if due(copy, copy.ledger.known(), number) in TRAINING:
                _measure_incumbent(copy)
                advance(copy, number, first_stage="train", last_stage="audit")
        finally:
            made = handover.write(copy, known, number, path)
    return made


def _measure_incumbent(context: Context) -> None:
    """Make the runs of the incumbent that are due on this machine, and those of head and baseline side by side."""
    for _ in range(rule_of(context.config, context.ledger.known()).max_runs + 2 * confirming.MOST):
        campaign = context.ledger.refresh()
        stands = standing(context, campaign, limits(context.config))
        step = incumbent_step(campaign, stands)
        if isinstance(step, MeasureIncumbent):
            measure(context, step.commit, experiment=None, title=title_of(step, context.ledger.known()))
            continue
        scale, due_now = (stands.runner, stands.fingerprint), confirming.pairs_due(campaign, at_end=False)
        side = confirming.next_run(campaign, scale, due_now, context.config.seed)
        if step is not None or side is None:
            return
        measure_beside(context, side)


def decide_experiment(context: Context, number: int | None, path: Path | None = None) -> tuple[int, bool]:
    """Reach the verdict that the runs allow, those handed over at `path` among them, and merge or close.

    Returns the experiment, which stays open where more runs are needed or a reader of earlier merges is, and whether
    runs were handed over.
    """
    with looking(context):
        ensure_started(context)
        handed = handover.accept(context, path) if path is not None else None
        number = handed or number
        campaign = reconcile(context)
    context = _for_the_trainer(context, campaign)
    if number is None:
        waiting = [e.number for e in campaign.open_experiments()]
        late = (n for n in waiting if due(context, campaign, n) not in (*EARLY, "held"))
        number = next(late, None)
    stage = None if number is None else due(context, campaign, number)
    if number is not None and stage == "held":
        return number, handed is not None
    if number is not None and stage in TRAINING and not _settled(context, campaign, number):
        if path is None:
            raise UserError(f"experiment {number} waits for its runs: `nocturne train {number}` makes them")
        return number, handed is not None
    if number is not None and due(context, context.ledger.known(), number) == "repair":
        return number, handed is not None
    return advance(context, number, first_stage="rebase", last_stage="close"), handed is not None


def _settled(context: Context, campaign: Campaign, number: int) -> bool:
    """Write down what the runs of an experiment say, as far as it waits for them; False if they don't suffice."""
    stage = due(context, campaign, number)

    def make(fresh: Campaign) -> list[Event]:
        if due(context, fresh, number) != stage:
            return []
        found = (measured if stage == "audit" else settled)(context, fresh, number)
        return [] if found is None or isinstance(found, NeedRun) else [found]

    return bool(make(campaign)) and due(context, context.ledger.append(make), number) != stage


def _for_the_trainer(context: Context, campaign: Campaign) -> Context:
    """Return the context as the machine has it that trains, where that is another one: what is due depends on it."""
    newest = next(reversed(campaign.runs.values()), None)
    return context if newest is None else replace(context, runner=newest.runner)


def stage_in_hand(context: Context, number: int) -> Stage | None:
    """Return the stage that an experiment waits for as this process last saw it, None if it is finished."""
    return due(context, context.ledger.known(), number)
