"""Whether candidates can have what they import, and who wished for what they can't."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from bot.agents.imports import missing_modules
from bot.loop.desk import Desk
from bot.rules.campaign import Experiment
from bot.rules.wishes import PackageWished


def wished_of(
    desk: Desk, experiment: Experiment, base: Mapping[str, str], proposed: Mapping[str, str]
) -> dict[str, str]:
    """Return {module: file} of what `proposed` newly imports and can't have here.

    Nothing where this process does not train, or the task runs by another Python: the crash will tell then.
    """
    if not desk.may_run or not _is_our_python(desk):
        return {}
    return missing_modules(base, proposed, own=_own_modules(desk, experiment), is_there=_is_installed)


def wishes(experiment: Experiment, wished: Mapping[str, str]) -> list[PackageWished]:
    """Return the events that keep them for the human."""
    return [PackageWished(experiment.number, module) for module in sorted(wished)]


def objections(wished: Mapping[str, str]) -> list[str]:
    """Return a sentence for each."""
    return [
        f"{path} imports {module}, which is not installed where candidates run: use what is there; the wish is noted"
        " for the human."
        for module, path in sorted(wished.items())
    ]


def _is_our_python(desk: Desk) -> bool:
    """Whether candidates run by the Python that runs us, as the evaluator puts it first on PATH."""
    evaluator = desk.config.evaluator
    if evaluator.kind == "train":
        return True
    word = (evaluator.produce or evaluator.command)[0]
    return word.startswith("python") and shutil.which(word, path=str(Path(sys.executable).parent)) is not None


def _own_modules(desk: Desk, experiment: Experiment) -> set[str]:
    """Return whatever the repository's files and folders could be imported as, from wherever."""
    paths = [PurePosixPath(entry.path) for entry in desk.git.list_tree(experiment.parent)]
    folders = {part for path in paths for part in path.parent.parts}
    return folders | {path.name.partition(".")[0] for path in paths if path.suffix in (".py", ".pyi", ".so")}


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return True  # something of that name is there
