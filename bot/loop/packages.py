"""Whether candidates can have what they import, and who wished for what they can't."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from bot.agents.imports import missing_modules
from bot.errors import UserError
from bot.evaluation import ask_python
from bot.loop.context import Context
from bot.rules.campaign import Experiment
from bot.rules.wishes import PackageWished


def wished_of(
    context: Context, experiment: Experiment, base: Mapping[str, str], proposed: Mapping[str, str]
) -> dict[str, str]:
    """Return {module: file} of what `proposed` newly imports and can't have here.

    Nothing where this process does not train, or the task is no Python: the crash will tell then.
    """
    if not context.may_run or not _is_python(context):
        return {}
    own = _own_modules(context, experiment)
    needed = missing_modules(base, proposed, own=own, is_there=lambda module: False)
    there = _has(context, sorted(needed)) if needed else {}
    return {module: path for module, path in needed.items() if not there.get(module, True)}


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


def _is_python(context: Context) -> bool:
    """Whether candidates run by the task's Python, which the evaluator puts first on PATH."""
    evaluator = context.config.evaluator
    if evaluator.kind == "train":
        return True
    return (evaluator.produce or evaluator.command)[0] in ("python", "python3")


def _own_modules(context: Context, experiment: Experiment) -> set[str]:
    """Return whatever the repository's files and folders could be imported as, from wherever."""
    paths = [PurePosixPath(entry.path) for entry in context.git.list_tree(experiment.parent)]
    folders = {part for path in paths for part in path.parent.parts}
    return folders | {path.name.partition(".")[0] for path in paths if path.suffix in (".py", ".pyi", ".so")}


def _has(context: Context, modules: list[str]) -> Mapping[str, bool]:
    """Return which modules the task's Python has; nothing where it can't be asked."""
    try:
        found = ask_python(context.git.top, context.evaluator_settings(), modules)["modules"]
    except UserError:
        return {}
    return {str(name): bool(there) for name, there in found.items()}
