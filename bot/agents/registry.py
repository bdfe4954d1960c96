"""Who may propose and who may review: one file each, found by being there.

`proposers/NAME.py` is what `proposer: NAME` in the configuration asks for, `reviewers/NAME.py` what `reviewer: NAME`
does. Its function `make(setup)` returns the agent, or raises UserError if that can't work here. A proposer that can
make a change of its own better after it has crashed says `REPAIRS = True` beside it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the configuration asks for the names, and needs nothing else
    from bot.agents.protocol import Proposer, Researcher, Reviewer
    from bot.agents.skills import Skill
    from bot.config import Config
    from bot.rules.campaign import Campaign
    from bot.rules.events import ModelCalled


@dataclass(frozen=True)
class Setup:
    """What an agent may be made from. `state` returns the campaign as it stands; `record` writes a model's call to
    the ledger; `note` tells the user; `skills` raises UserError if one is wrong. `folder` is the clone's git folder."""

    campaign: str
    config: Config
    environ: Mapping[str, str]
    folder: Path
    state: Callable[[], Campaign]
    record: Callable[[ModelCalled], object]
    note: Callable[[str], None]
    skills: Callable[[], Sequence[Skill]]


def make_proposer(name: str, setup: Setup) -> Proposer:
    """Return the proposer of that name."""
    made: Proposer = importlib.import_module(f"bot.agents.proposers.{name}").make(setup)
    return made


def repairs(name: str) -> bool:
    """Whether the proposer of that name is asked for a repair if its change crashes; making it is not needed."""
    return bool(getattr(importlib.import_module(f"bot.agents.proposers.{name}"), "REPAIRS", False))


def make_reviewer(name: str, setup: Setup) -> Reviewer | None:
    """Return the reviewer of that name; None if the rules, which come first, are all."""
    made: Reviewer | None = importlib.import_module(f"bot.agents.reviewers.{name}").make(setup)
    return made


def make_researcher(setup: Setup) -> Researcher:
    """Return who writes mechanisms for the outer loop."""
    made: Researcher = importlib.import_module("bot.agents.claude.researcher").make(setup)
    return made
