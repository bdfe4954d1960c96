"""Which file is trained and scored, and in which folder of the repository it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from evaluator.errors import UserError
from evaluator.settings import Settings

USUAL = "train.py"
PREPARE = "prepare.py"


@dataclass(frozen=True)
class Script:
    """`path` and `folder` are relative to the repository; `folder` holds prepare.py, and is the working folder."""

    path: str
    folder: str

    @property
    def name(self) -> str:
        """The path of the script as it is seen from its working folder."""
        inside = PurePosixPath(self.path)
        return str(inside.relative_to(self.folder)) if self.folder != "." else str(inside)

    def home(self, tree: Path) -> Path:
        """Return the working folder in a copy of the repository."""
        return tree / self.folder


def script_path(settings: Settings) -> str:
    """Return the path of the script that `settings` name: `train`, else the editable train.py, else the only editable
    Python file. Raises `UserError` if that can't be told."""
    if settings.train is not None:
        return str(PurePosixPath(settings.train))
    python = [each for each in settings.editable if each.endswith(".py")]
    usual = [each for each in python if PurePosixPath(each).name == USUAL]
    for found in (usual, python):
        if len(found) == 1:
            return str(PurePosixPath(found[0]))
    if USUAL in usual:
        return USUAL
    names = ", ".join(usual or python) or "none"
    raise UserError(
        f"evaluator: train: name the script that is trained, such as `train: {(usual or python or [USUAL])[0]}`"
        f" (editable Python files: {names})"
    )


def located(repo: Path, settings: Settings, *, shown: Path | None = None) -> Script:
    """Return the script of the repository in `repo`, which is called `shown` in messages. Its working folder is its own
    if prepare.py lies beside it, or the nearest folder above it that has one.

    Raises `UserError` if the script or prepare.py is missing.
    """
    path = PurePosixPath(script_path(settings))
    if not (repo / path).is_file():
        raise UserError(
            f"{shown or repo}: no {path}: it is what is trained and scored (`editable: [FILE]`, or"
            " `evaluator: {train: FILE}`, names another)"
        )
    return Script(str(path), prepare_folder(repo, path, shown=shown))


def prepare_folder(repo: Path, path: PurePosixPath, *, shown: Path | None = None) -> str:
    """Return the folder of the prepare.py that belongs to the script at `path`. Raises `UserError` for none."""
    for folder in path.parents:
        if (repo / folder / PREPARE).is_file():
            return str(folder)
    beside = "" if len(path.parts) == 1 else f" beside {path} or above it"
    raise UserError(
        f"{shown or repo}: no {PREPARE}{beside}: it gives data, tokenizer and metric (`nocturne-evaluator starter DIR`"
        " writes an example)"
    )
