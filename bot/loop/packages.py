"""Which packages the task's Python lacks: those that a proposal newly imports, and those that the task itself does."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from bot.agents.sources import imported_at_once, missing_modules, needed_modules
from bot.config import CONFIG_PATH
from bot.errors import UserError
from bot.loop.context import Context
from bot.loop.evaluation import ask_python
from bot.loop.files import needed_to_train
from bot.loop.settings import evaluator_settings
from bot.rules.events import PackageWished
from bot.rules.experiment import Experiment
from bot.rules.self_reported import behind_runners, script_of

_ASKED_ANYWAY = {"torch", "numpy"}  # by the evaluator, for kind train
_DISTRIBUTIONS = {"cv2": "opencv-python", "PIL": "pillow", "sklearn": "scikit-learn", "yaml": "pyyaml"}


def wished_of(
    context: Context, experiment: Experiment, base: Mapping[str, str], proposed: Mapping[str, str]
) -> dict[str, str]:
    """Return {module: file} of what `proposed` newly imports and can't have here.

    Nothing if this process does not train, or the task is no Python: the crash will tell then.
    """
    if not context.may_run or not _is_python(context):
        return {}
    own = _own_modules(context, experiment.parent)
    needed = missing_modules(base, proposed, own=own, is_there=lambda module: False)
    there = _asked(context, sorted(needed)).there if needed else {}
    return {module: path for module, path in needed.items() if not there.get(module, True)}


def wishes(experiment: Experiment, wished: Mapping[str, str]) -> list[PackageWished]:
    """Return the events that keep them for the human."""
    return [PackageWished(experiment.number, module) for module in sorted(wished)]


def unmet(wished: Mapping[str, str]) -> list[str]:
    """Return a sentence for each."""
    return [
        f"{path} imports {module}, which is not installed where candidates run: use what is there; the wish is noted"
        " for the human."
        for module, path in sorted(wished.items())
    ]


@dataclass(frozen=True)
class Lack:
    """A module that a file of the task imports and its Python lacks. `surely`: whatever the file does, so that it
    fails at once; else only on some way through it, or from a folder that it adds itself."""

    module: str
    path: str
    surely: bool
    python: str
    passed_over: tuple[str, ...] = ()
    """Better Pythons that the repository means to have, each with what it lacks."""

    @property
    def said(self) -> str:
        verb = "imports" if self.surely else "may import"
        return f"{self.path} {verb} {self.module}, which the task's Python ({self.python}) lacks"

    @property
    def fix(self) -> str:
        package = _DISTRIBUTIONS.get(self.module, self.module)
        first = "".join(f"{each}, or " for each in self.passed_over)
        return (
            f"{first}`{self.python} -m pip install {package}`, or name another Python under `evaluator.python` in"
            f" {CONFIG_PATH}"
        )


def lacking(context: Context, commit: str) -> list[Lack]:
    """Return what the task's own files import at `commit` and its Python lacks; those that surely fail come first.

    The Python is asked only if something is imported that is neither the repository's nor every Python's.
    """
    texts = _sources(context, commit)
    own = _own_modules(context, commit) | {path.name.partition(".")[0] for path in context.git.top.iterdir()}
    known = own | set(sys.stdlib_module_names)
    known |= _ASKED_ANYWAY if context.config.evaluator.kind == "train" else set()
    needed = {path: needed_modules(text) - known for path, text in texts.items()}
    asked = sorted(set().union(*needed.values()))
    if not asked:
        return []
    answer = _asked(context, asked)
    moved = any("sys.path" in text for text in texts.values())
    found = [
        Lack(
            module, path, module in imported_at_once(texts[path]) and not moved, answer.python, answer.remarks
        )
        for path, modules in needed.items()
        for module in sorted(modules)
        if not answer.there.get(module, True)
    ]
    return sorted(found, key=lambda lack: not lack.surely)


def _sources(context: Context, commit: str) -> dict[str, str]:
    """Return the Python files that a run begins with, as far as it runs them with the task's Python."""
    config = context.config
    if not _is_python(context):
        return {}

    def read(path: str) -> str | None:
        blob = context.git.read_blob(commit, path)
        return None if blob is None else blob.decode(errors="replace")

    paths = [path for path in config.editable if path.endswith(".py")]
    if config.evaluator.kind == "train":
        paths += needed_to_train(context, commit)
    commands = (config.evaluator.produce, config.evaluator.command)
    scripts = (script_of(words, read) for words in commands if _begins_python(words))
    paths += [script for script in scripts if script is not None]
    blobs = context.git.read_blobs(commit, list(dict.fromkeys(paths)))
    return {path: blob.decode(errors="replace") for path, blob in blobs.items() if blob is not None}


def _is_python(context: Context) -> bool:
    """Whether candidates run by the task's Python, which the evaluator puts first on PATH."""
    evaluator = context.config.evaluator
    if evaluator.kind == "train" or evaluator.call:
        return True
    return _begins_python(evaluator.produce or evaluator.command)  # a kind of its own may run nothing


def _begins_python(words: Sequence[str]) -> bool:
    """Whether a command begins the `python` that the evaluator puts first on PATH, if need be by `uv run`."""
    return behind_runners(words)[:1] in (["python"], ["python3"])


def _own_modules(context: Context, commit: str) -> set[str]:
    """Return whatever the repository's files and folders could be imported as, from wherever."""
    paths = [PurePosixPath(entry.path) for entry in context.git.list_tree(commit)]
    folders = {part for path in paths for part in path.parent.parts}
    return folders | {path.name.partition(".")[0] for path in paths if path.suffix in (".py", ".pyi", ".so")}


@dataclass(frozen=True)
class _Answer:
    python: str
    there: Mapping[str, bool]
    remarks: tuple[str, ...] = ()


def _asked(context: Context, modules: list[str]) -> _Answer:
    """Return which modules the task's Python has; nothing if it can't be asked."""
    try:
        facts = ask_python(context.git.top, evaluator_settings(context), modules)
    except UserError:
        return _Answer("", {})
    there = {str(name): bool(it) for name, it in facts["modules"].items()}
    return _Answer(str(facts["executable"]), there, tuple(map(str, facts["remarks"])))
