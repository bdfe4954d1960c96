"""The campaign's beginning: what must be there, what there is to turn, and the first event."""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath

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
from bot.agents.skills import FOLDER
from bot.config import CONFIG_PATH
from bot.errors import UserError
from bot.git import Git
from bot.git.mentions import mentioned
from bot.git.user_state import changed_files
from bot.loop.commits import editable_files
from bot.loop.context import Context
from bot.loop.settings import default_effect
from bot.rules.campaign import Campaign
from bot.rules.events import CampaignStarted, IncumbentMoved


def ensure_started(context: Context) -> Campaign:
    """Return the campaign, begun if it is new. Raises UserError if the repository isn't ready for one."""
    check_working_tree(context)
    campaign = context.ledger.refresh()
    base = context.git.resolve(context.base)
    if base is None:
        raise UserError(f"branch {context.base!r} has no commit yet: run `git add -A && git commit` first")
    if campaign.started is None:
        check_begin(context, campaign, base)
        event = CampaignStarted(
            campaign=context.name,
            base_branch=context.base,
            base_commit=base,
            metric=context.config.evaluator.metric.name,
            direction=context.config.evaluator.metric.direction,
            seed=context.config.seed,
            min_effect=default_effect(context.config),
            rungs=True,
        )
        campaign = context.ledger.append(lambda _: [event])
    _check_metric(context, campaign)
    campaign = _follow_base_before_first_experiment(context, campaign, base)
    check_tree(context, campaign.incumbent)
    return campaign


def check_begin(context: Context, campaign: Campaign, base: str) -> None:
    """Check that a campaign can begin on the commit `base`: its files are there, and there is something to try."""
    check_files(context, base)
    check_names(context, base, editable_files(context, base))
    require_space(context, campaign, base)


def check_files(context: Context, base: str) -> None:
    """Check that a commit has all that a new campaign needs: what `check_tree` looks for, and the program."""
    check_tree(context, base)
    if context.git.read_blob(base, context.config.program) is None:
        raise UserError(_missing(context, context.config.program, "write into it what shall be explored"))


def check_tree(context: Context, commit: str) -> None:
    """Check that a commit has what a campaign needs, and that its editable Python files parse."""
    config = context.config
    needed = list(config.editable)
    if config.evaluator.kind == "train":
        needed += needed_to_train(context, commit)
    for path in dict.fromkeys(needed):
        content = context.git.read_blob(commit, path)
        if content is None:
            raise UserError(_missing(context, path))
        if path.endswith(".py"):
            try:
                ast.parse(content)
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                line = f" line {error.lineno}" if isinstance(error, SyntaxError) else ""
                what = error.msg if isinstance(error, SyntaxError) else str(error)
                raise UserError(f"{path}:{line} does not parse ({what}): mend it and commit") from None


def needed_to_train(context: Context, commit: str) -> list[str]:
    """Return the files that `kind: train` runs: the script, and the prepare.py beside it or in a folder above it."""
    script = context.config.script or "train.py"
    places = [str(folder / "prepare.py") for folder in PurePosixPath(script).parents]
    there = (path for path in places if context.git.read_blob(commit, path) is not None)
    return [script, next(there, places[0])]


def _missing(context: Context, path: str, mend: str = "") -> str:
    if (context.git.top / path).is_file():
        return f"{path} is not committed on {context.base}: run `git add {path} && git commit`"
    return (
        f"{path} is missing in {context.git.top}: add it, or name the files to edit under `editable:` in"
        f" {CONFIG_PATH}, or write a starter with `nocturne init --starter`"
        if not mend
        else f"{path} is missing in {context.git.top}: {mend}, or name another file under `program:` in {CONFIG_PATH}"
    )


def check_working_tree(context: Context) -> None:
    """What runs is what is committed: refuse while the campaign's files differ from it."""
    script = PurePosixPath(context.config.script or "train.py")
    prepare = [str(folder / "prepare.py") for folder in script.parents]
    paths = [*context.config.editable, str(script), *prepare, context.config.program, CONFIG_PATH, FOLDER]
    words = (*context.config.evaluator.produce, *context.config.evaluator.command)
    paths += [path for word in words if (path := _own_file(context.git.top, word)) is not None]
    dirty = changed_files(context.git, paths)
    if dirty:
        names = ", ".join(dirty[:3])
        raise UserError(f"{names}: changes are not committed; commit or stash them, runs use commits only")


def _own_file(top: Path, word: str) -> str | None:
    """Return the path below `top` of the file that a word of a command names; None if it names none there."""
    if "\0" in word:
        return None
    place = Path(os.path.normpath(top / os.path.expanduser(word)))  # noqa: PTH111  (which never raises)
    own = place.is_relative_to(top) and os.path.isfile(place)  # noqa: PTH113  (never raises, however long)
    return place.relative_to(top).as_posix() if own else None


def _check_metric(context: Context, campaign: Campaign) -> None:
    started, metric = campaign.started, context.config.evaluator.metric
    if started is not None and (started.metric, started.direction) != (metric.name, metric.direction):
        raise UserError(
            f"{CONFIG_PATH}: evaluator.metric: campaign {context.name!r} measures {started.metric}"
            f" ({started.direction}d): put that back, or start another campaign under `campaigns:`"
        )


def _follow_base_before_first_experiment(context: Context, campaign: Campaign, base: str) -> Campaign:
    """Until the first experiment the baseline follows the human's commits on the base branch."""
    if campaign.experiments or campaign.incumbent == base:
        return campaign
    previous = campaign.incumbent
    if context.git.resolve(previous) is not None and not context.git.is_ancestor(previous, base):
        return campaign
    if context.forge.branch_head(context.branch) == previous:
        context.forge.push_branch(context.branch, base)
    return context.ledger.append(
        lambda c: (
            [IncumbentMoved(base, previous, c.moves + 1, "base")]
            if not c.experiments and c.incumbent == previous
            else []
        )
    )


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


def require_space(context: Context, campaign: Campaign, commit: str) -> None:
    """Raise UserError if the offline search proposes and has nothing to turn on `commit`, before a run is paid for.

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
    files = editable_files(context, commit)
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
    return mentioned(git, commit, names, without=without, also=words)
