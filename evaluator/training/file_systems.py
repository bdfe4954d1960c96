"""What each process of a run sees: the candidate, the audit, and the repository's own prepare.py."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from evaluator import caches
from evaluator.cache import cache_home
from evaluator.candidate import bounds
from evaluator.copying import Kind
from evaluator.interpreter.task_python import TaskPython
from evaluator.jail.file_system import FileSystem, TreeCopy
from evaluator.jail.launch import Jail
from evaluator.jail.mounts import in_system
from evaluator.readable import home_links
from evaluator.settings import Settings
from evaluator.untracked import is_unfit, unfit_below
from evaluator.workspace import Workspace, expanded, size_of

_SYSTEM_FOLDERS = ("/usr", "/bin", "/lib", "/etc", "/dev", "/proc", "/sys")
_KERNEL_FOLDERS = ("/proc/", "/sys/", "/dev/pts")


def has_gpu() -> bool:
    """Whether there is a GPU that PyTorch may use."""
    return any(Path(node).exists() for node in ("/dev/nvidiactl", "/dev/kfd"))


def of_candidate(
    space: Workspace,
    settings: Settings,
    jail: Jail,
    python: TaskPython,
    name: str,
    *,
    read: Sequence[Path] = (),
    ignored: bool = False,
    more: Sequence[Path] = (),
    with_caches: bool = True,
    hidden: Sequence[Path] = (),
) -> FileSystem:
    """Return what a candidate sees: the system, Python, our programs, package caches, what is to be `read`, `more`, and
    its tree, but no `data` in it. What git ignores in the user's repository is a part of that only with `ignored`."""
    packages = caches.found() if with_caches else caches.Caches((), ())
    kinds: tuple[Kind, ...] = ("large", "ignored") if ignored else ("large",)
    held = [each.source for each in space.beside if each.kind == "data"]
    return _made(
        space, settings, jail, python, name,
        read_only=(*packages.shown, *more),
        links=packages.links,
        kinds=kinds,
        hidden=(*hidden, *held, *(() if ignored else space.unknown), *_ours()),
        read=read,
    )  # fmt: skip


def of_locked_command(
    space: Workspace,
    settings: Settings,
    jail: Jail,
    python: TaskPython,
    name: str,
    *,
    read: Sequence[Path] = (),
    more: Sequence[Path] = (),
    datasets: bool,
) -> FileSystem:
    """Return what a locked command sees: what a candidate does, `data`, and `more`; data sets of package caches
    only if no candidate runs beside it."""
    packages = caches.found(datasets=datasets)
    return _made(
        space, settings, jail, python, name,
        read_only=(*packages.shown, *more),
        links=packages.links,
        kinds=("large", "ignored", "data"),
        hidden=tuple(_ours()),
        read=read,
    )  # fmt: skip


def elsewhere(file_system: FileSystem, jail: Jail, name: str) -> FileSystem:
    """Return the same file system with another scratch folder, and another working folder if it is on the disk."""
    scratch = file_system.scratch.with_name(name)
    if not jail.in_place or file_system.tree is None:
        return dataclasses.replace(file_system, scratch=scratch)
    old, new = file_system.tree.place, file_system.tree.place.with_name(f"{name}-tree")
    placed = tuple((source, new / target.relative_to(old)) for source, target in file_system.placed)
    return dataclasses.replace(
        file_system, scratch=scratch, tree=dataclasses.replace(file_system.tree, place=new), placed=placed
    )


def working_folder(file_system: FileSystem) -> Path:
    """Return the working folder of a file system."""
    assert file_system.tree is not None
    return file_system.tree.place


def of_data_jail(
    space: Workspace,
    settings: Settings,
    jail: Jail,
    python: TaskPython,
    name: str,
    writable: Sequence[Path] = (),
) -> FileSystem:
    """Return what prepare.py sees: its data too, but nothing of a candidate's but the tree it lies in."""
    # Not everybody who prepares data heeds the XDG specification.
    named = (space.repository / expanded(each) for each in (*settings.data, *settings.read))
    data = (cache_home(), Path("~/.cache").expanduser(), *caches.folders())
    outside = (each for each in named if not each.is_relative_to(space.repository))
    return _made(
        space, settings, jail, python, name,
        read_only=(*data, *outside),
        kinds=("large", "ignored", "data"),
        writable=writable,
    )  # fmt: skip


def data_environment(python: TaskPython, tree: Path) -> dict[str, str]:
    """Return the environment in which prepare.py runs: where its data is, and no credentials."""
    kept = ("LANG", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "TZ")
    values = {name: os.environ[name] for name in kept if name in os.environ}
    return (
        values
        | caches.handed_on()
        | python.variables(tree)
        | {
            "PATH": python.search_path(os.environ.get("PATH")),
            "HOME": str(Path("~").expanduser()),
            "XDG_CACHE_HOME": str(cache_home()),
            "HF_HUB_OFFLINE": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
        }
    )


def of_reader(space: Workspace, settings: Settings, jail: Jail, python: TaskPython) -> FileSystem:
    """Return what our own reader of logits sees: the system, Python and our programs, and nothing of the repository."""
    return FileSystem(
        read_only=python.shown,
        scratch=_scratch(space, jail, "reader", python.shown),
        scratch_bytes=int(bounds(settings).scratch_mb * 2**20),
        devices=True,
    )


def _made(
    space: Workspace,
    settings: Settings,
    jail: Jail,
    python: TaskPython,
    name: str,
    *,
    read_only: Sequence[Path],
    kinds: tuple[Kind, ...],
    links: Sequence[tuple[str, Path]] = (),
    hidden: Sequence[Path] = (),
    writable: Sequence[Path] = (),
    read: Sequence[Path] = (),
) -> FileSystem:
    place = _place(space, jail, name)
    sources = (space.tree, space.ignored) if "ignored" in kinds else (space.tree,)
    outside = [each for each in read if each.is_absolute()]
    inside = [] if "ignored" in kinds else [part for each in read for part in _strange(space, each)]
    placed = [(each.source, place / each.place) for each in space.beside if each.kind in kinds]
    placed += [(space.repository / each, place / each) for each in inside]
    unfit = [path for each in inside for path in unfit_below(space.repository / each)]
    shown = (*python.shown, *read_only, *outside)
    scratch_bytes = int(bounds(settings).scratch_mb * 2**20)
    return FileSystem(
        read_only=shown,
        scratch=_scratch(space, jail, name, [place, *shown, *writable]),
        scratch_bytes=scratch_bytes,
        writable=tuple(writable),
        hidden=(*space.hidden, *hidden, *unfit),
        devices=True,
        tree=TreeCopy(place, sources, size_of(*sources)),
        placed=tuple(placed),
        links=(*links, *home_links(outside, [place for place, _ in links])),
    )


def _ours() -> Iterator[Path]:
    """Yield what we keep in the user's cache folder and no candidate may see, whatever else it is shown: prepared
    data, validation rows among them. Names for the task's Python are there to be seen."""
    with contextlib.suppress(OSError):
        yield from (each for each in sorted((cache_home() / "nocturne").iterdir()) if each.name != "pythons")


def _strange(space: Workspace, wanted: Path) -> Iterator[Path]:
    """Yield what of the relative path `wanted` git does not know: the rest is in the tree."""
    for each in () if wanted.is_absolute() else space.strange:
        if each.is_relative_to(wanted) and not is_unfit(space.repository / each):
            yield each
        elif wanted.is_relative_to(each):
            yield wanted


def _place(space: Workspace, jail: Jail, name: str) -> Path:
    """Return where the working folder is seen: where the user's own repository lies outside, if the jail can show it
    there, so that whatever names that by its whole path finds the tree under test."""
    if jail.in_place:
        return space.base / f"{name}-tree"
    place = space.repository
    needed = any(Path(each).is_relative_to(place) for each in (*_SYSTEM_FOLDERS, "/tmp", "/dev/shm"))
    return space.tree if needed or in_system(place) or str(place).startswith(_KERNEL_FOLDERS) else place


def _scratch(space: Workspace, jail: Jail, name: str, taken: Sequence[Path]) -> Path:
    """Return a short path for a scratch folder, one that nothing shown lies at."""
    if jail.in_place:
        return space.base / name
    for number in range(100):
        base = Path(f"/tmp/nocturne{number or ''}")
        if not any(base.is_relative_to(each) or each.is_relative_to(base) for each in taken):
            return base / name
    return Path("/nocturne", name)
