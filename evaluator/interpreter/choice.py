"""Which Python the task runs with: as named, or found by itself in a stated order.

    1. named: `python` of the settings; before it NOCTURNE_PYTHON, by which a runner names its own
    2. the repository's environment: UV_PROJECT_ENVIRONMENT of a uv project, `.venv`, `venv`, `.pixi/envs/default`,
       from the folder of the first editable file up to the top
    3. the conda environment that `environment.yml` names
    4. an active environment: VIRTUAL_ENV, CONDA_PREFIX
    5. the Python that runs Nocturne; if it is a tool's own (`uv tool`, `pipx`, the action), it comes last
    6. `python3`, `python` on PATH

The first that fits is taken. To train it needs torch and numpy. A `command` needs no more than Python 3.10.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import UserError
from evaluator.interpreter.interpreter import INSIDE, Interpreter, ask
from evaluator.interpreter.start_failure import Unstartable
from evaluator.interpreter.task_python import TaskPython
from evaluator.settings import Settings

OLDEST = (3, 10)
TORCH_OLDEST = (2, 4)
HANDED_ON = "NOCTURNE_PYTHON"
_ENVIRONMENTS = (".venv", "venv", ".pixi/envs/default")
_CONDA_FILES = ("environment.yml", "environment.yaml")
_CONDA_ROOTS = (
    "~/.conda",
    "~/miniconda3",
    "~/anaconda3",
    "~/miniforge3",
    "~/mambaforge",
    "~/micromamba",
    "/opt/conda",
)
_NAME_IT = "name one by `evaluator: {python: PATH}`"


@dataclass(frozen=True)
class _Place:
    """An interpreter to look at, and how it was found.

    `meant`: somebody made or activated it for this work, so that it is told if it is passed over. `own`: it is
    the repository's, which a command's `python` means beyond doubt.
    """

    path: Path
    found: str
    meant: bool = False
    own: bool = False


def choose_python(repo: Path, settings: Settings, modules: Sequence[str] = ()) -> TaskPython:
    """Return the Python for the task in `repo`; `modules` are looked for in it.

    Raises `UserError` if the named one does not do, or none that was found.
    """
    checkout = Path(settings.repository) if settings.repository else repo
    home = _top(checkout)
    python_path = _python_path(home)
    # What lies in the checkout is not run outside of a jail, sitecustomize.py for one.
    elsewhere = [each for each in python_path if not Path(each).resolve().is_relative_to(home.resolve())]
    remarks: list[str] = []

    def examined(place: _Place) -> TaskPython | str:
        """Return the Python at a place, or what is wrong with it."""
        try:
            here = ask(place.path, folder=home, modules=modules, python_path=elsewhere)
        except Unstartable as error:
            return str(error)
        wrong = _unfit(here, settings)
        return wrong or TaskPython(here, place.found, checkout, tuple(remarks), tuple(python_path))

    named = _named(settings, home)
    if named is not None:
        chosen = examined(named)
        if isinstance(chosen, str):
            raise UserError(f"python: {named.path} ({named.found}) {chosen}")
        return chosen
    tried: list[str] = []
    seen: set[Path] = set()
    for place in _places(checkout, home, settings, remarks):
        if place.path in seen:
            continue
        seen.add(place.path)
        chosen = examined(place)
        if isinstance(chosen, TaskPython):
            return chosen
        said = f"{place.path} ({place.found}) {chosen}"
        if place.own and settings.kind != "train":
            raise UserError(f"python: {said}; or {_NAME_IT}")
        tried.append(said)
        if place.meant:
            remarks.append(said)
    others = [each for each in remarks if each not in tried]
    need = "torch and numpy, to train" if settings.kind == "train" else "version 3.10 or newer"
    raise UserError(
        f"python: none was found with {need}: {'; '.join([*others, *tried]) or 'there is none at all'}; {_NAME_IT}"
    )


# --- where to look ---


def _named(settings: Settings, home: Path) -> _Place | None:
    for word, found in (
        (os.environ.get(HANDED_ON), "handed on by this machine"),
        (settings.python, "as configured"),
    ):
        if word:
            return _Place(_resolved(word, home), found)
    return None


def _resolved(word: str, home: Path) -> Path:
    """Return the interpreter that a word stands for: a file, an environment's folder, or a name on PATH."""
    try:
        place = Path(os.path.normpath(home / Path(word).expanduser()))
    except RuntimeError:
        raise UserError(f"python: {word}: there is no such user") from None
    inside = _interpreter_in(place)
    if inside is not None:
        return inside
    if "/" in word or word.startswith("~") or (place.is_file() and os.access(place, os.X_OK)):
        _refuse_windows(place)
        return place
    found = shutil.which(word)
    if found is None:
        raise UserError(
            f"python: {word}: no such program on PATH, and no such environment in {home}: {_NAME_IT}"
        )
    return Path(found)


def _interpreter_in(folder: Path) -> Path | None:
    """Return the interpreter of an environment, even a broken one; None if the folder is none."""
    for name in ("python", "python3"):
        path = folder / "bin" / name
        if path.is_symlink() or path.is_file():
            return path
    return None


def _refuse_windows(folder: Path) -> None:
    if (folder / "Scripts").is_dir():
        raise UserError(
            f"python: {folder} was made by Windows: make one here, by `uv sync` or `python3 -m venv`"
        )


def _top(repo: Path) -> Path:
    """Return the top of the git repository around `repo`, or `repo` itself."""
    return next((each for each in (repo, *repo.parents) if (each / ".git").exists()), repo)


def _places(checkout: Path, home: Path, settings: Settings, remarks: list[str]) -> Iterator[_Place]:
    yield from _of_repository(checkout, home, settings, remarks)
    yield from _of_conda(home, remarks)
    ours = Path(sys.executable)
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        folder = os.environ.get(name)
        if folder and not (_same(Path(folder), Path(sys.prefix)) and _is_tool()):
            inside = _interpreter_in(Path(folder)) or Path(folder, "bin", "python")
            yield _Place(inside, f"the active environment, {name}", meant=True)
    mine = _Place(ours, "the Python that runs Nocturne")
    if not _is_tool():
        yield mine
    for name in ("python3", "python"):
        found = shutil.which(name)
        if found and not _same(Path(found).parent, ours.parent):
            yield _Place(Path(found), f"{name} on PATH")
    yield mine


def _of_repository(checkout: Path, home: Path, settings: Settings, remarks: list[str]) -> Iterator[_Place]:
    start = checkout / (settings.editable or ("train.py",))[0]
    for folder in (each for each in start.parents if each.is_relative_to(home)):
        is_uv = _is_uv_project(folder)
        named = os.environ.get("UV_PROJECT_ENVIRONMENT") if is_uv else None
        for name in (*([named] if named else []), *_ENVIRONMENTS):
            place = folder / name
            inside = _interpreter_in(place)
            if inside is not None:
                yield _Place(inside, f"{name} of the repository", meant=True, own=True)
            elif (place / "Scripts").is_dir():
                remarks.append(f"{place} was made by Windows: make one here")
        if is_uv and not any(
            _interpreter_in(folder / each) for each in (".venv", *([named] if named else []))
        ):
            remarks.append(f"{folder} is a uv project without .venv: run `uv sync` there")


def _is_uv_project(folder: Path) -> bool:
    if (folder / "uv.lock").is_file():
        return True
    try:
        said = (folder / "pyproject.toml").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(r"^\[tool\.uv[\].]", said, re.MULTILINE) is not None


def _of_conda(home: Path, remarks: list[str]) -> Iterator[_Place]:
    for name in _CONDA_FILES:
        try:
            said = (home / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        found = re.search(r"^name:\s*['\"]?([\w.\-]+)", said, re.MULTILINE)
        if found is None:
            return
        for folder in _conda_environments(found[1]):
            inside = _interpreter_in(folder)
            if inside is not None:
                yield _Place(inside, f"{found[1]}, the conda environment that {name} names", meant=True)
                return
        remarks.append(
            f"{name} names the conda environment {found[1]}, which is not here: run `conda env create`"
        )
        return


def _conda_environments(name: str) -> Iterator[Path]:
    try:
        listed = Path("~/.conda/environments.txt").expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        listed = []
    yield from (Path(each) for each in listed if Path(each).name == name)
    active = os.environ.get("CONDA_PREFIX")
    if active and Path(active).name == name:
        yield Path(active)
    roots = [os.environ.get("MAMBA_ROOT_PREFIX"), *_CONDA_ROOTS]
    conda = os.environ.get("CONDA_EXE")
    if conda:
        roots.append(str(Path(conda).parent.parent))
    yield from (Path(each).expanduser() / "envs" / name for each in roots if each)


def _is_tool() -> bool:
    """Whether the Python that runs us belongs to Nocturne alone, so that no task means it by `python`."""
    prefix = Path(sys.prefix)
    marks = ("uv-receipt.toml", "pipx_metadata.json", "nocturne-action")
    alone = {"archive-v0", "environments-v2", "pipx"}  # `uvx`, `pipx run`
    return any((prefix / each).exists() for each in marks) or bool(alone.intersection(prefix.parts))


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _python_path(home: Path) -> list[str]:
    """Return the folders of our PYTHONPATH, from the user's checkout, without our own source."""
    words = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    places = [Path(os.path.normpath(home / each)) for each in words]
    return [str(each) for each in places if each.is_dir() and not INSIDE.is_relative_to(each.resolve())]


# --- what it must have ---


def _unfit(here: Interpreter, settings: Settings) -> str | None:
    """Return why an interpreter won't do, with the fix; None if it will."""
    if here.version[:2] < OLDEST:
        return f"is Python {here.release}, and 3.10 is the oldest that works: make the environment with a newer one"
    if here.not_compiled is not None:
        said = f"our programs don't run under it yet ({here.not_compiled})"
        return f"is Python {here.release}, which is too new: {said}: name an older one, or update Nocturne"
    if settings.kind != "train":
        return None
    missing = [name for name, version in (("torch", here.torch), ("numpy", here.numpy)) if version is None]
    if missing:
        return f"has no {' and no '.join(missing)}: {_install(here, missing)}"
    assert here.torch is not None
    if here.torch != "unknown" and _numbers(here.torch) < TORCH_OLDEST:
        return f"has torch {here.torch}, and 2.4 is the oldest that works: {_install(here, ['torch>=2.4'])}"
    return None


def _install(here: Interpreter, names: Sequence[str]) -> str:
    what = " ".join(f"'{each}'" if ">" in each else each for each in names)
    config = here.prefix / "pyvenv.cfg"
    if config.is_file() and re.search(r"^uv\s*=", config.read_text(errors="replace"), re.MULTILINE):
        return f"uv pip install --python {here.executable} {what}"
    return f"{here.executable} -m pip install {what}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(each) for each in re.findall(r"\d+", version)[:2])
