"""The mechanisms at hand: one file each in `mechanisms/`, found by being there.

A file `mechanisms/NAME.py` has a docstring that says what it does and where it is from, and one or both of

    def steer(view: View, seed: int) -> Steer
    def screen(view: View, draft: Draft, seed: int) -> str | None

Both are pure: the same view and seed give the same answer.
A file with `MODELS = 1` needs a model beside the offline search to change anything, with 2 two of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from bot.rules.outer.view import OFFLINE, Draft, Steer, View

CONTROLS = ("none", "restart", "kick")  # in the order in which they take their turns
_PLACE = Path(__file__).parent / "mechanisms"


class Mechanism(Protocol):
    """A piece of search code that the outer loop can add and remove."""

    @property
    def name(self) -> str: ...

    def steer(self, view: View, seed: int) -> Steer:
        """Return what steers the next experiment."""
        ...

    def screen(self, view: View, draft: Draft, seed: int) -> str | None:
        """Return why a proposal is sent back, None if it is taken."""
        ...


@dataclass(frozen=True)
class BuiltIn:
    """A mechanism of ours; `about` is the first line of its docstring, `control` whether it is one of the controls."""

    name: str
    about: str
    control: bool
    models: int
    """How many models it needs to change anything."""
    _steer: Callable[[View, int], Steer]
    _screen: Callable[[View, Draft, int], str | None]

    def steer(self, view: View, seed: int) -> Steer:
        return self._steer(view, seed)

    def screen(self, view: View, draft: Draft, seed: int) -> str | None:
        return self._screen(view, draft, seed)


@cache
def names() -> tuple[str, ...]:
    """Return the names of the built-in mechanisms: the controls in their order, then the others by name."""
    found = sorted(path.stem for path in _PLACE.glob("*.py") if path.stem != "__init__")
    return (*CONTROLS, *(name for name in found if name not in CONTROLS))


def at_hand(proposers: Sequence[str]) -> tuple[str, ...]:
    """Return the names of those built-in mechanisms that can change anything with these proposers."""
    models = sum(name != OFFLINE for name in proposers)
    return tuple(name for name in names() if built_in(name).models <= models)


@cache
def built_in(name: str) -> BuiltIn:
    """Return the built-in mechanism of that name. Raises KeyError if there is none."""
    if name not in names():
        raise KeyError(name)
    module = importlib.import_module(f"bot.rules.outer.mechanisms.{name}")
    return BuiltIn(
        name,
        (module.__doc__ or "").partition("\n")[0],
        name in CONTROLS,
        getattr(module, "MODELS", 0),
        getattr(module, "steer", lambda view, seed: Steer()),
        getattr(module, "screen", lambda view, draft, seed: None),
    )
