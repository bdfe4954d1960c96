"""What a mechanism is given, and what it answers: plain data that goes to JSON and back (`reading`).

Effects are candidate less incumbent with their sign set so that negative is better, whatever the metric. Experiments
count from 1; "since experiment N" includes N, and what is in force "until experiment N" is not any more at N.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from bot.rules.bounds import is_seen
from bot.rules.outer.reading import limited

Value = bool | int | float | str
Way = Literal["up", "down", "changed"]

NOTE = 400  # characters
AIMS = 32  # of one kind in a steer
AHEAD = 50  # experiments: no advice lasts longer
SEND_BACKS = 2  # of one experiment's proposals by `screen`
OFFLINE = "offline"
"""What the offline search is called among the proposers."""
_VERDICT = Literal["improved", "discarded", "inconclusive", "crashed", "rejected", "lost"] | None


@dataclass(frozen=True)
class Move:
    """One constant that changes from `old` to `new`; words and switches have no more or less and are `changed`."""

    constant: str
    old: Value
    new: Value
    direction: Way


def way_of(old: Value, new: Value) -> Way:
    """Return which way a constant moves."""
    if isinstance(old, str | bool) or isinstance(new, str | bool) or old == new:
        return "changed"
    return "up" if new > old else "down"


def move(constant: str, old: Value, new: Value) -> Move:
    """Return the move of a constant, with its direction."""
    return Move(constant, old, new, way_of(old, new))


@dataclass(frozen=True)
class Past:
    """An earlier experiment; `verdict` is None while it is open, `error` the standard error of `effect`.

    `edits` says whether it changed more than its `moves`; `cost` is in GPU-hours.
    """

    number: int
    moves: tuple[Move, ...]
    category: str
    verdict: _VERDICT
    effect: float | None = None
    error: float | None = None
    landed: bool = False
    proposer: str = OFFLINE
    cost: float = 0.0
    title: str = ""
    edits: bool = False

    @property
    def failed(self) -> bool:
        """Whether it ended without a gain in sight: a near miss is no failure, nor is one that was lost."""
        if self.landed or self.verdict in (None, "improved", "lost"):
            return False
        return self.effect is None or self.effect >= 0

    @property
    def gain(self) -> float:
        """What it gained for the campaign, in score units: nothing if it did not land."""
        return -self.effect if self.landed and self.effect is not None else 0.0


@dataclass(frozen=True)
class Constant:
    """A constant of the incumbent that a proposer may set."""

    name: str
    value: Value
    category: str = "other"


@dataclass(frozen=True)
class View:
    """The search as a mechanism sees it, before experiment `number` is proposed.

    `since` is the experiment with which this mechanism's block began; `proposers` are the names that `assign` may
    take, the one that is asked by default first. What is left of the budget is None if nothing bounds it; `noise` is
    the deviation of one run. `files` are the editable files of the incumbent, path to text.
    """

    number: int
    since: int
    past: tuple[Past, ...] = limited(100_000, default=())
    constants: tuple[Constant, ...] = limited(10_000, default=())
    proposers: tuple[str, ...] = (OFFLINE,)
    experiments_left: int | None = None
    hours_left: float | None = None
    noise: float = 0.0
    files: Mapping[str, str] = limited(100, each=200_000, default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= self.since <= self.number:
            raise ValueError(f"view.since is {self.since}: from 1 to the number {self.number} is expected")

    def ended(self) -> list[Past]:
        """Return the experiments that have a verdict, in the order of their numbers."""
        return sorted((p for p in self.past if p.verdict is not None), key=lambda past: past.number)

    def before(self, number: int) -> View:
        """Return what was seen before experiment `number`, as far as the past is concerned."""
        return replace(self, past=tuple(past for past in self.past if past.number < number))


@dataclass(frozen=True)
class Draft:
    """A proposal as `screen` sees it. `edits` says whether it changes more than its `moves`."""

    moves: tuple[Move, ...]
    category: str
    proposer: str = OFFLINE
    title: str = ""
    edits: bool = False


@dataclass(frozen=True)
class Aim:
    """What a focus or an avoidance names: a category, or a constant, of which `direction` may name one way.

    It is in force for experiments below `until`.
    """

    until: int
    constant: str = ""
    category: str = ""
    direction: Literal["up", "down", ""] = ""

    def __post_init__(self) -> None:
        if bool(self.constant) is bool(self.category):
            raise ValueError("an aim names a constant or a category, and not both")
        if self.direction and not self.constant:
            raise ValueError("the direction of an aim needs a constant")
        if not is_seen(self.constant + self.category):
            raise ValueError("an aim's name holds characters that can't be seen")

    def __str__(self) -> str:
        return f"{self.constant} {self.direction}".strip() if self.constant else f"category {self.category}"


@dataclass(frozen=True)
class Steer:
    """What a mechanism answers. Nothing in it is a parent, a score, a verdict or a command.

    `assign` is one of the view's proposers; a proposal must lie within the `focus`, if there is one, and outside what
    is to `avoid`; with `fresh` only the history since that experiment is shown; `note` is quoted to a model.
    """

    assign: str | None = None
    focus: tuple[Aim, ...] = limited(AIMS, default=())
    avoid: tuple[Aim, ...] = limited(AIMS, default=())
    fresh: int | None = None
    note: str = limited(NOTE, default="")

    def __post_init__(self) -> None:
        if len(self.note) > NOTE or not is_seen(self.note):
            raise ValueError(f"steer.note is no single line of at most {NOTE} characters that can be seen")
        if max(len(self.focus), len(self.avoid)) > AIMS:
            raise ValueError(f"steer.focus and steer.avoid have at most {AIMS} entries each")


def check(steer: Steer, view: View) -> Steer:
    """Return `steer` if it can be one for `view`. Raises ValueError, which names the field, if not."""
    if steer.assign is not None and steer.assign not in view.proposers:
        raise ValueError(f"steer.assign is {steer.assign!r}: one of {', '.join(view.proposers)} is expected")
    if steer.fresh is not None and not 1 <= steer.fresh <= view.number:
        raise ValueError(f"steer.fresh is {steer.fresh}: from 1 to {view.number} is expected")
    for name, aims in (("focus", steer.focus), ("avoid", steer.avoid)):
        for aim in aims:
            if not view.number < aim.until <= view.number + AHEAD:
                raise ValueError(
                    f"steer.{name}: {aim} ends at {aim.until}: from {view.number + 1} to"
                    f" {view.number + AHEAD} is expected"
                )
    return steer
