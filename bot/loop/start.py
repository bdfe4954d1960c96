"""The campaign's beginning: what must be there, and the first event."""

from __future__ import annotations

import ast
import os
from pathlib import Path, PurePosixPath

from bot.agents.skills import FOLDER
from bot.config import CONFIG_PATH
from bot.errors import UserError
from bot.loop.desk import Desk
from bot.loop.files import editable_files
from bot.loop.search_space import check_names, require_space
from bot.rules.campaign import Campaign
from bot.rules.events import CampaignStarted, IncumbentMoved


def ensure_started(desk: Desk) -> Campaign:
    """Return the campaign, begun if it is new. Raises UserError where the repository isn't ready for one."""
    check_working_tree(desk)
    campaign = desk.ledger.refresh()
    base = desk.git.resolve(desk.base)
    if base is None:
        raise UserError(f"branch {desk.base!r} has no commit yet: run `git add -A && git commit` first")
    if campaign.started is None:
        check_begin(desk, campaign, base)
        event = CampaignStarted(
            campaign=desk.name,
            base_branch=desk.base,
            base_commit=base,
            metric=desk.config.evaluator.metric.name,
            direction=desk.config.evaluator.metric.direction,
            seed=desk.config.seed,
        )
        campaign = desk.ledger.append(lambda c: [event] if c.started is None else [])
    _check_metric(desk, campaign)
    campaign = _follow_base_before_first_experiment(desk, campaign, base)
    check_tree(desk, campaign.incumbent)
    return campaign


def ensure_ready(desk: Desk) -> Campaign:
    """Return the campaign as `ensure_started` does, if there is something to propose on its incumbent."""
    campaign = ensure_started(desk)
    require_space(desk, campaign, campaign.incumbent, editable_files(desk, campaign.incumbent))
    return campaign


def check_begin(desk: Desk, campaign: Campaign, base: str) -> None:
    """Check that a campaign can begin on the commit `base`: its files are there, and there is something to try."""
    check_files(desk, base)
    files = editable_files(desk, base)
    check_names(desk, base, files)
    require_space(desk, campaign, base, files)


def check_files(desk: Desk, base: str) -> None:
    """Check that a commit has all that a new campaign needs: what `check_tree` looks for, and the program."""
    check_tree(desk, base)
    if desk.git.read_blob(base, desk.config.program) is None:
        raise UserError(_missing(desk, desk.config.program, "write into it what shall be explored"))


def check_tree(desk: Desk, commit: str) -> None:
    """Check that a commit has what a campaign needs, and that its editable Python files parse."""
    config = desk.config
    needed = list(config.editable)
    if config.evaluator.kind == "train":
        needed += needed_to_train(desk, commit)
    for path in dict.fromkeys(needed):
        content = desk.git.read_blob(commit, path)
        if content is None:
            raise UserError(_missing(desk, path))
        if path.endswith(".py"):
            try:
                ast.parse(content)
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                line = f" line {error.lineno}" if isinstance(error, SyntaxError) else ""
                what = error.msg if isinstance(error, SyntaxError) else str(error)
                raise UserError(f"{path}:{line} does not parse ({what}): mend it and commit") from None


def needed_to_train(desk: Desk, commit: str) -> list[str]:
    """Return the files that `kind: train` runs: the script, and the prepare.py beside it or in a folder above it."""
    script = desk.config.script or "train.py"
    places = [str(folder / "prepare.py") for folder in PurePosixPath(script).parents]
    there = (path for path in places if desk.git.read_blob(commit, path) is not None)
    return [script, next(there, places[0])]


def _missing(desk: Desk, path: str, mend: str = "") -> str:
    if (desk.git.top / path).is_file():
        return f"{path} is not committed on {desk.base}: run `git add {path} && git commit`"
    return (
        f"{path} is missing in {desk.git.top}: add it, or name the files to edit under `editable:` in"
        f" {CONFIG_PATH}, or write a starter with `nocturne init --starter`"
        if not mend
        else f"{path} is missing in {desk.git.top}: {mend}, or name another file under `program:` in {CONFIG_PATH}"
    )


def check_working_tree(desk: Desk) -> None:
    """What runs is what is committed: refuse while the campaign's files differ from it."""
    script = PurePosixPath(desk.config.script or "train.py")
    prepare = [str(folder / "prepare.py") for folder in script.parents]
    paths = [*desk.config.editable, str(script), *prepare, desk.config.program, CONFIG_PATH, FOLDER]
    words = (*desk.config.evaluator.produce, *desk.config.evaluator.command)
    paths += [path for word in words if (path := _own_file(desk.git.top, word)) is not None]
    dirty = desk.git.is_dirty(paths)
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


def _check_metric(desk: Desk, campaign: Campaign) -> None:
    started, metric = campaign.started, desk.config.evaluator.metric
    if started is not None and (started.metric, started.direction) != (metric.name, metric.direction):
        raise UserError(
            f"{CONFIG_PATH}: evaluator.metric: campaign {desk.name!r} measures {started.metric}"
            f" ({started.direction}d): put that back, or start another campaign under `campaigns:`"
        )


def _follow_base_before_first_experiment(desk: Desk, campaign: Campaign, base: str) -> Campaign:
    """Until the first experiment the baseline follows the human's commits on the base branch."""
    if campaign.experiments or campaign.incumbent == base:
        return campaign
    previous = campaign.incumbent
    if desk.git.resolve(previous) is not None and not desk.git.is_ancestor(previous, base):
        return campaign
    if desk.forge.branch_head(desk.branch) == previous:
        desk.forge.push_branch(desk.branch, base)
    return desk.ledger.append(
        lambda c: (
            [IncumbentMoved(base, previous, c.moves + 1, "base")]
            if not c.experiments and c.incumbent == previous
            else []
        )
    )
