"""The outer loop beside a proposal: which mechanism steers it, what that sees, and what becomes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.agents.gate import Gate, moves_of, value_of
from bot.agents.offline.space import Rules, space_of
from bot.base.text import one_line
from bot.errors import UserError
from bot.ledger import now
from bot.loop.context import Context
from bot.loop.researching import mechanism_of, research, tell_worth
from bot.loop.settings import noise_of
from bot.loop.start import rules_of
from bot.rules.campaign import Campaign
from bot.rules.confirming import confirmation_of
from bot.rules.events import (
    Diagnosed,
    Event,
    MechanismDied,
    MechanismFailed,
    MechanismRetired,
    OuterBlockBegun,
)
from bot.rules.experiment import Experiment
from bot.rules.outer.diagnosis import findings, looked_at
from bot.rules.outer.reading import from_json
from bot.rules.outer.record import Steered
from bot.rules.outer.registry import CONTROLS, Mechanism, at_hand
from bot.rules.outer.trial import (
    BLOCK,
    DEAD,
    Block,
    Known,
    Prior,
    allot,
    dead,
    next_morning,
    prior_of,
    retirement,
)
from bot.rules.outer.view import OFFLINE, Constant, Draft, Past, Steer, View, check
from bot.rules.outer.worth import finished_blocks, members

_REASON = 300  # characters


@dataclass
class Steering:
    """One experiment under the outer loop: its block, its mechanism's name, and the gate that holds it to the steer."""

    block: int
    mechanism: str
    gate: Gate
    default: str

    @property
    def assigned(self) -> str | None:
        """The proposer to ask, if it is another than usual."""
        return self.gate.steer.assign if self.gate.steer.assign != self.default else None

    def record(self) -> Steered:
        """Return what the proposal's event says of it."""
        not_asked = self.default if self.assigned is not None else ""
        return Steered(self.block, self.mechanism, self.gate.steer, tuple(self.gate.sent_back), not_asked)


def proposers_of(context: Context) -> tuple[str, ...]:
    """Return who may be assigned, the one that is asked by default first."""
    config = context.config
    if config.proposer == OFFLINE:
        return (OFFLINE,)
    if config.proposer != "claude":
        return config.proposer, OFFLINE
    return tuple(dict.fromkeys((config.models.proposer, *config.models.alternatives, OFFLINE)))


def steering_of(
    context: Context, campaign: Campaign, experiment: Experiment, files: Mapping[str, str]
) -> Steering | None:
    """Return what steers the proposal of an experiment, None without an outer loop.

    A block that begins with it, what the diagnosis found and a mechanism that failed are on the ledger when it returns.
    """
    if context.config.outer == "off":
        return None
    number = experiment.number
    seen = view_of(context, campaign, experiment, files, rules_of(context, experiment.claimed_on, files))
    look = [] if looked_at(number) != number else [Diagnosed(number, **vars(f)) for f in findings(seen)]
    prior = _prior(context)
    if context.researcher is not None:
        campaign = research(context, campaign, seen, blocks_of(context, campaign))
    before = campaign.outer.blocks[-1:]
    campaign = context.ledger.append(lambda fresh: [*look, *_next_block(context, fresh, number, prior)])
    begun = campaign.outer.blocks[-1]
    if before and before[0].block != begun.block:
        tell_worth(context, campaign, before[0].mechanism, blocks_of(context, campaign))
    return _steered(context, mechanism_of(context, campaign, begun.mechanism), begun, seen)


def _steered(context: Context, mechanism: Mechanism, begun: OuterBlockBegun, seen: View) -> Steering:
    """Return the steering of one experiment; a mechanism that fails steers nothing."""
    view = replace(seen, since=min(begun.first, seen.number))
    seed, steer = context.config.seed, Steer()
    failed = mechanism.name in context.ledger.known().outer.out(now().isoformat())

    def fail(error: Exception) -> None:
        nonlocal failed
        failed = True
        _fail(context, mechanism.name, view.number, error)

    def screen(draft: Draft) -> str | None:
        try:
            return None if failed else mechanism.screen(view, draft, seed)
        except Exception as error:  # whatever a mechanism does, the experiment goes on
            fail(error)
            return None

    try:
        steer = steer if failed else check(mechanism.steer(view, seed), view)
    except Exception as error:
        fail(error)
    categories = {each.name: each.category for each in view.constants}
    gate = Gate(steer, view.number, screen, categories)
    return Steering(begun.block, mechanism.name, gate, view.proposers[0])


def _fail(context: Context, name: str, number: int, error: Exception) -> None:
    """Write down that a mechanism failed before an experiment: it is off until the morning."""
    said = one_line(f"{type(error).__name__}: {error}", _REASON)
    event = MechanismFailed(name, number, said, next_morning(now()))
    context.ledger.append(lambda _: [event])
    context.display.note(f"the mechanism {name} failed and is off until the morning: {said}")


def _next_block(
    context: Context, campaign: Campaign, number: int, prior: Mapping[str, Known]
) -> Sequence[Event]:
    """Return the block that begins with an experiment, after what the blocks before it say of their mechanisms; nothing
    if the block that goes on has room."""
    blocks = campaign.outer.blocks
    if blocks and len(members(campaign)[blocks[-1].block]) < BLOCK:
        return []
    done = blocks_of(context, campaign)
    there = [*at_hand(proposers_of(context)), *campaign.outer.written]
    gone: list[MechanismDied | MechanismRetired] = []
    for name in [each for each in there if each not in CONTROLS and each not in campaign.outer.gone]:
        found = retirement(done, name)
        if dead(done, name):
            gone.append(MechanismDied(name, DEAD))
        elif found is not None:
            gone.append(MechanismRetired(name, *(round(each, 4) for each in found)))
    out = campaign.outer.out(now().isoformat()) | {each.mechanism for each in gone}
    block = len(blocks)
    return [
        *gone,
        OuterBlockBegun(block, number, allot(there, done, block, context.config.seed, prior=prior, out=out)),
    ]


def blocks_of(context: Context, campaign: Campaign) -> list[Block]:
    """Return the finished blocks of a campaign with their worth."""
    scale = (context.runner, campaign.fingerprints.get(context.runner))
    noise = noise_of(campaign, context.config, *scale)
    found = confirmation_of(campaign, scale, noise)
    confirmed = found.gain if found is not None and found.is_whole else None
    return finished_blocks(campaign, noise.sigma, confirmed)


def _prior(context: Context) -> Mapping[str, Known]:
    return prior_of(prior_file(context), *kinds_of(context))


def prior_file(context: Context) -> Prior:
    """Return what the configured file says of other campaigns. Raises UserError if it can't be read."""
    path = context.config.outer_prior
    if path is None:
        return Prior()
    commit = context.git.resolve(context.base)
    content = context.git.read_blob(commit, path) if commit else None
    if content is None:
        raise UserError(f"{path}: outer_prior: it is not committed on {context.base}: commit it")
    try:
        return from_json(Prior, json.loads(content))
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: {one_line(str(error), _REASON)}: write it by `nocturne outer --prior`"
        ) from None


def kinds_of(context: Context) -> tuple[str, str]:
    """Return the kind of mind and the kind of task, by which a prior tells campaigns apart."""
    return proposers_of(context)[0], context.config.evaluator.kind


def view_of(
    context: Context, campaign: Campaign, experiment: Experiment, files: Mapping[str, str], rules: Rules
) -> View:
    """Return the search as a mechanism sees it before an experiment is proposed."""
    space = space_of(files, rules)
    categories = {knob.name: knob.category for knob in space.knobs}
    stop, runner = context.config.stop, context.runner
    hours = None if stop.gpu_hours is None else stop.gpu_hours - campaign.gpu_seconds() / 3600
    noise = noise_of(campaign, context.config, runner, campaign.fingerprints.get(runner))
    return View(
        number=experiment.number,
        since=experiment.number,
        past=past_of(campaign, experiment.number),
        constants=tuple(
            Constant(each.name[:200], value_of(each.literal), categories.get(each.name, "other"))
            for each in space.constants
            if each.name in categories or context.config.proposer != OFFLINE
        ),
        proposers=proposers_of(context),
        experiments_left=None if stop.experiments is None else max(0, stop.experiments - len(campaign.order)),
        hours_left=None if hours is None else max(0.0, hours),
        noise=noise.sigma,
        files=files,
    )


def past_of(campaign: Campaign, number: int) -> tuple[Past, ...]:
    """Return the experiments before `number` as mechanisms see them."""
    found = []
    for past in campaign.history():
        experiment = campaign.experiments[past.number]
        if past.number >= number or past.category == "revert" or experiment.proposal is None:
            continue
        said = experiment.proposal.proposer
        found.append(
            Past(
                past.number, moves_of(past.changes), one_line(past.category, 200), past.verdict,  # type: ignore[arg-type]
                past.effect, past.sigma, past.landed, OFFLINE if said.startswith(OFFLINE) else one_line(said, 200),
                sum(run.gpu_seconds for run in campaign.runs_for(past.number)) / 3600,
                one_line(past.hypothesis, 200), bool(past.edit),
            )
        )  # fmt: skip
    return tuple(found)
