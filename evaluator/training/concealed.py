"""Held-out text: what must not be readable in a jail, and must not come back in a diff."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence, Set
from pathlib import Path

from evaluator.cache import cache_home
from evaluator.errors import CandidateFailed
from evaluator.heldout.concealing import Concealed
from evaluator.heldout.concealing import conceal as divide
from evaluator.heldout.leak import copied
from evaluator.heldout.search import cached_search, signature
from evaluator.heldout.windows import WindowIndex
from evaluator.interpreter.interpreter import Interpreter
from evaluator.interpreter.task_python import TaskPython
from evaluator.jail.file_system import FileSystem
from evaluator.jail.launch import Jail
from evaluator.jail.mounts import mounts
from evaluator.settings import Settings
from evaluator.training import file_systems
from evaluator.training.export import Exported
from evaluator.whole import written
from evaluator.workspace import Workspace

# What training may need of /usr/lib: libraries and compilers. The rest are applications, too many to look through.
_LIBRARIES = re.compile(r".*-linux-.*|(gcc|cuda|nvidia|rocm).*|locale|ssl|.*-ld|bfd-plugins")


def seen(
    space: Workspace,
    settings: Settings,
    jail: Jail,
    python: TaskPython,
    exported: Exported,
    read: Sequence[Path] = (),
) -> FileSystem:
    """Return what a candidate sees of this machine. Where copies of held-out text are likely to lie about, package
    caches are left out: to search them would take longer than a run."""
    caches = not exported.on_this_machine
    return file_systems.of_candidate(space, settings, jail, python, "run", read=read, with_caches=caches)


def conceal(file_system: FileSystem, space: Workspace, exported: Exported, python: Interpreter) -> FileSystem:
    """Return `file_system` without any copy of held-out text that lies about on this machine.

    Only for data that says so itself (`held_out_texts` in prepare.py): nobody else's data is a part of
    Python. Copies are hidden; files that share a few words by chance are shown with other blanks. The first
    search of a machine takes a minute, and is kept.
    """
    if not exported.on_this_machine:
        return file_system
    needless = set(_needless(python))
    placed = {Path(os.path.realpath(each.source)) for each in space.beside}  # parts of the tree itself
    shown = {Path(each.source) for each in mounts(file_system) if each.kind == "bind"} - placed
    roots = [
        part for each in sorted(shown) if not _within(each, Path("/sys")) for part in _around(each, needless)
    ]
    found = _found(roots, exported, cache_home() / "nocturne" / "held-out")
    return dataclasses.replace(
        file_system,
        hidden=(*file_system.hidden, *needless, *found.hidden),
        replaced=tuple(found.replaced.items()),
    )


def refuse_copies(tree: Path, editable: tuple[str, ...], exported: Exported) -> None:
    """Raise `CandidateFailed` (leak) if an editable file of `tree` carries held-out text."""
    sources = {name: (tree / name).read_bytes() for name in editable if (tree / name).is_file()}
    reasons = copied(sources, _index(exported), exported.inputs)
    if reasons:
        raise CandidateFailed("refused", "; ".join(reasons), defence="leak")


def _found(roots: Sequence[Path], exported: Exported, folder: Path) -> Concealed:
    """Return what to do about the copies under `roots`, from `folder` if nothing has changed since."""
    now = hashlib.sha256(exported.fingerprint.encode())
    for root in roots:
        now.update(f"{root}\0{signature(root)}\0".encode(errors="surrogateescape"))
    place = folder / f"concealed-{hashlib.sha256(repr(roots).encode()).hexdigest()[:32]}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        known = json.loads(place.read_text())
        replaced = {Path(old): Path(new) for old, new in known["replaced"].items()}
        if known["signature"] == now.hexdigest() and all(new.is_file() for new in replaced.values()):
            return Concealed(tuple(map(Path, known["hidden"])), replaced)
    index = _index(exported)
    found = divide(cached_search(roots, index, folder), index, folder)
    made = {
        "signature": now.hexdigest(),
        "hidden": [str(path) for path in found.hidden],
        "replaced": {str(old): str(new) for old, new in found.replaced.items()},
    }
    with written(place) as file:
        file.write(json.dumps(made).encode())
    return found


def _index(exported: Exported) -> WindowIndex:
    return WindowIndex.load(exported.folder / "windows.npz")


def _needless(python: Interpreter) -> Iterator[Path]:
    """Yield folders that a jail shows and that the task's Python does not use: other Pythons, packages that a virtual
    environment leaves out, applications."""
    ours = [Path(each).resolve() for each in (*python.library, *python.path)]
    bases = [Path(each).resolve() / "lib" for each in python.prefixes]
    places = dict.fromkeys([Path("/usr/lib"), Path("/usr/local/lib"), *bases])
    for place in places:
        for folder in _folders(place):
            if any(_within(each, folder) for each in ours):
                # Below Python's own library: packages that are not on its path.
                for name in ("site-packages", "dist-packages"):
                    if (folder / name).is_dir() and not any(_within(each, folder / name) for each in ours):
                        yield folder / name
            elif folder.name.startswith("python") or (
                place == Path("/usr/lib") and not _LIBRARIES.fullmatch(folder.name)
            ):
                yield folder


def _folders(place: Path) -> list[Path]:
    try:
        return sorted(each for each in place.iterdir() if each.is_dir() and not each.is_symlink())
    except OSError:
        return []


def _around(root: Path, without: Set[Path]) -> Iterator[Path]:
    """Yield what makes up `root` but for the folders `without`: itself, or the parts around them."""
    if root in without:
        return
    if not any(_within(each, root) for each in without):
        yield root
        return
    for part in sorted(root.iterdir()):
        if not part.is_symlink():
            yield from _around(part, without)


def _within(path: Path, folder: Path) -> bool:
    return path == folder or str(path).startswith(f"{folder}/")
