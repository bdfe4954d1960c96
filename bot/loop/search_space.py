"""What the offline search may turn in a commit, and the words for whom there is nothing, or nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from bot.agents.offline.space import (
    Rules,
    Space,
    everything_tried,
    nothing_to_turn,
    space_of,
    unknown_names,
    unread_names,
)
from bot.agents.protocol import Searcher
from bot.config import CONFIG_PATH
from bot.errors import UserError
from bot.git import Git
from bot.loop.context import Context
from bot.rules.campaign import Campaign


def rules_of(context: Context, commit: str, files: Mapping[str, str]) -> Rules:
    """Return what the search is told beside the editable `files` of a commit."""
    evaluator = context.config.evaluator
    names = unread_names(files)
    words = (*evaluator.produce, *evaluator.command)
    return Rules(
        turn=tuple(context.config.turn),
        leave=tuple(context.config.leave),
        outside=_mentioned(context.git, commit, names, tuple(sorted(files)), words),
        words=words,
    )


def check_names(context: Context, commit: str, files: Mapping[str, str]) -> None:
    """Raise UserError if `turn` or `leave` name what is no constant of the files."""
    rules = Rules(turn=tuple(context.config.turn), leave=tuple(context.config.leave))
    unknown = unknown_names(files, rules)
    if unknown:
        raise UserError(f"{CONFIG_PATH}: {unknown[0]}")


def require_space(context: Context, campaign: Campaign, commit: str, files: Mapping[str, str]) -> None:
    """Raise UserError if the offline search proposes and has nothing to turn, before a run is paid for.

    What a human asked for needs no search, and what was begun goes on.
    """
    if context.config.proposer != "offline" or not isinstance(context.proposer, Searcher):
        return
    asked = campaign.started is not None and (
        campaign.open_experiments()
        or campaign.ideas.waiting()
        or campaign.reverts_waiting
        or campaign.retries_waiting
    )
    if asked:
        return
    space = space_of(files, rules_of(context, commit, files))
    if not space.knobs:
        raise UserError(f"{CONFIG_PATH}: {nothing_to_turn(space, files)}")


def why_nothing(context: Context, space: Space, files: Mapping[str, str]) -> tuple[str, str]:
    """Return why the proposer proposes nothing: in a few words, and as a line that says what would help."""
    if not isinstance(context.proposer, Searcher):
        return (
            "the proposer has nothing left to try",
            "the proposer has nothing left to try; widen the program",
        )
    if not space.knobs:
        return "there is nothing to turn", nothing_to_turn(space, files)
    return "everything was tried", everything_tried(space)


@lru_cache(maxsize=16)
def _mentioned(
    git: Git, commit: str, names: frozenset[str], without: tuple[str, ...], words: tuple[str, ...]
) -> frozenset[str]:
    """Return which of `names` the other source files of a commit mention, and the scripts that `words` name."""
    return git.mentioned(commit, names, without=without, also=words)
