"""What the outer loop has shown: a row for each mechanism, and each experiment that it changed, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment
from bot.rules.outer.record import Steered, steered_of
from bot.rules.outer.registry import CONTROLS
from bot.rules.outer.trial import BLOCK, Block, advantage, advantage_words, blocks_needed, worths
from bot.rules.outer.view import Move
from bot.rules.outer.worth import members


@dataclass(frozen=True)
class MechanismRow:
    """A mechanism: its blocks, how many of its proposals it changed, what a block was worth on average, and by how much
    that is more than the controls', with its standard error; all in deviations of one run.

    `needed` blocks would tell its advantage from none, None if they tell already or nothing is known. `state` is
    "control", "on trial", "dead", "retired", "failed" or "off", and `why` says more.
    """

    name: str
    state: str
    why: str
    blocks: int
    proposals: int
    changed: int
    worth: float | None
    advantage: float | None
    error: float | None
    needed: int | None


@dataclass(frozen=True)
class ChangedRow:
    """An experiment that a mechanism changed: what was tried, and `instead` of what."""

    number: int
    mechanism: str
    tried: str
    instead: str
    why: str


@dataclass(frozen=True)
class OuterFigures:
    """The outer loop of a campaign; without one there are no blocks."""

    blocks: int = 0
    rows: tuple[MechanismRow, ...] = ()
    changed: tuple[ChangedRow, ...] = ()
    diagnoses: tuple[tuple[int, str, float, float, str], ...] = ()
    """Experiment, term, its value, its threshold, and the mechanism that answers it."""
    research: tuple[tuple[int, str, str], ...] = ()
    """Experiment, the mechanism that a model wrote before it, and where it is; or "" and why it wrote none."""


def outer_figures(campaign: Campaign, done: Sequence[Block], now: datetime) -> OuterFigures:
    """Return what there is to say of a campaign's outer loop; `done` are its finished blocks."""
    outer = campaign.outer
    every = [each for of_block in members(campaign).values() for each in of_block]
    seen = dict.fromkeys([*(b.mechanism for b in outer.blocks), *outer.written, *sorted(_out(campaign))])
    mine = {name: [steered for _, steered in every if steered.mechanism == name] for name in seen}
    worth: dict[str, list[float]] = {name: [] for name in seen}
    for name, value in worths(done):
        worth[name].append(value)

    def row(name: str) -> MechanismRow:
        state, why = _state(campaign, name, now.isoformat())
        found = None if name in CONTROLS else advantage(done, name)
        return MechanismRow(
            name, state, why,
            blocks=len(worth[name]),
            proposals=len(mine[name]),
            changed=sum(each.changed for each in mine[name]),
            worth=sum(worth[name]) / len(worth[name]) if worth[name] else None,
            advantage=None if found is None else found[0],
            error=None if found is None else found[1],
            needed=None if name in CONTROLS else blocks_needed(done, name),
        )  # fmt: skip

    numbers = sorted(experiment.number for experiment, _ in every)
    changed = tuple(filter(None, (changed_row(campaign.experiments[number]) for number in numbers)))
    found = tuple((d.experiment, d.term, d.value, d.threshold, d.leads_to) for d in outer.diagnoses)
    research = [(each.experiment, each.mechanism, each.url) for each in outer.written.values()]
    research += [(each.experiment, "", each.why) for each in outer.unwritten]
    rows = tuple(row(name) for name in seen)
    return OuterFigures(len(outer.blocks), rows, changed, found, tuple(sorted(research)))


def changed_row(experiment: Experiment) -> ChangedRow | None:
    """Return what a mechanism changed about an experiment; None if that is nothing, or nothing steered it."""
    steered = steered_of(experiment)
    if steered is None or not steered.changed:
        return None
    return ChangedRow(experiment.number, steered.mechanism, experiment.title, *_instead(steered))


def verdict_words(row: MechanismRow) -> str:
    """Return what the blocks of a mechanism tell, in a few words."""
    if row.state == "control":
        return "a control"
    if row.state != "on trial":
        return f"{row.state}: {row.why}" if row.why else row.state
    if row.advantage is None or row.error is None:
        return "nothing to compare yet"
    said = f"{advantage_words(row.advantage, row.error)} beside the controls"
    return said if row.needed is None else f"{said}: too few to tell; about {row.needed:,} blocks would"


def _out(campaign: Campaign) -> set[str]:
    return {*campaign.outer.gone, *campaign.outer.failed, *campaign.outer.switched_off}


def _state(campaign: Campaign, name: str, now: str) -> tuple[str, str]:
    outer = campaign.outer
    until, reason = outer.failed.get(name, ("", ""))
    if name in outer.switched_off:
        return "off", "a human took it out"
    if name in outer.gone:
        return outer.gone[name]
    if now < until:
        return "failed", f"{reason}; off until {until}"
    return ("control" if name in CONTROLS else "on trial"), ""


def _instead(steered: Steered) -> tuple[str, str]:
    """Return what would have happened, and why it did not."""
    if not steered.sent_back:
        return f"{steered.not_asked} was not asked", f"{steered.mechanism} assigned {steered.steer.assign}"
    first = steered.sent_back[0]
    return first.draft.title or "; ".join(map(_moved, first.draft.moves)) or first.draft.category, first.why


def _moved(each: Move) -> str:
    return f"{each.constant} from {each.old} to {each.new}"


def started_blocks(figures: OuterFigures) -> str:
    """Return how many blocks there were, in words."""
    return f"{figures.blocks:,} block{'s' if figures.blocks != 1 else ''} of {BLOCK} experiments"
