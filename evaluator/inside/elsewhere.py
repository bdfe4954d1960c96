"""Which modules another process finds by their names, and how the other ones get there.

The audit's process begins as the candidate's did: the same Python, the same search path, the same files. What was
found that way is named. The rest is handed over: modules of the candidate's own tree with all that is in them,
because they may have been changed since they were imported; modules that lie in a package cache by their path; and
compiled ones that were built for the run as bytes. An environment that lies in the tree, as `.venv` does, is none of
it: both processes run from it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.machinery
import importlib.util
import os
import sys
import sysconfig
import tempfile
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

OURS = __name__.partition(".")[0]
PREPARE = "prepare"
_LEFT_OUT = {"__builtins__", "__loader__", "__spec__", "__cached__"}

# Where both processes look, and what lies in the candidate's own tree: `began` sets them.
_path: tuple[str, ...] = tuple(sys.path)
_finders: tuple[Any, ...] = tuple(sys.meta_path)
_tree: str = ""


def began(tree: Path) -> None:
    """Remember how modules are found now, before anything of the candidate's has run. `tree` is its copy of the
    repository."""
    global _path, _finders, _tree
    _tree = os.path.realpath(tree)
    _path = tuple(each for each in sys.path if not _in_tree(each))
    _finders = tuple(sys.meta_path)
    named.cache_clear()
    _same.cache_clear()


@functools.cache
def named(name: str) -> bool:
    """Whether another process finds the module `name`, and finds the same one."""
    top = name.partition(".")[0]
    if top in (OURS, PREPARE) or name in sys.builtin_module_names:
        return True
    if top == "__main__" or not _same(top):
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    return not isinstance(file, str) or not _in_tree(file)


@functools.cache
def _same(top: str) -> bool:
    """Whether the finders that both processes have find the module `top` that is loaded here."""
    module = sys.modules.get(top)
    if module is None:
        return False
    for finder in _finders:
        path = list(_path) if finder is importlib.machinery.PathFinder else None
        spec = None
        with contextlib.suppress(Exception):  # a finder of somebody else's: it finds nothing for us
            spec = finder.find_spec(top, path)
        if spec is None:
            continue
        ours = getattr(module, "__spec__", None)
        origin = getattr(ours, "origin", None) or getattr(module, "__file__", None)
        if spec.origin is not None and spec.has_location:
            return origin is not None and os.path.realpath(origin) == os.path.realpath(spec.origin)
        if spec.submodule_search_locations is not None:  # a namespace package: none of it lies in the tree
            places = list(getattr(module, "__path__", ()))
            return bool(places) and not any(_in_tree(each) for each in places)
        return True  # built into the interpreter, or frozen
    return False


def reduced(module: types.ModuleType) -> Any:
    """Return how to pickle `module`: what `pickle` calls a reduce value."""
    name = module.__name__
    if sys.modules.get(name) is module and named(name):
        return importlib.import_module, (name,)
    file = getattr(module, "__file__", None)
    if isinstance(file, str) and Path(file).is_file():
        if file.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES)):
            content = None if _stays(file) else Path(file).read_bytes()
            return _extension, (name, file if content is not None else _lying(file), content)
        if _stays(file) and sys.modules.get(name) is module:
            return _loaded_again, (name, *_above(name))
    about = {key: getattr(module, key, None) for key in ("__doc__", "__package__", "__path__", "__file__")}
    about = {
        key: list(value) if key == "__path__" else value for key, value in about.items() if value is not None
    }
    state = {key: value for key, value in vars(module).items() if key not in _LEFT_OUT and key not in about}
    return _made, (name, about), state, None, None, _filled


def made_up(name: str) -> types.ModuleType | None:
    """Return the module `name` if it was made while the candidate ran, and no process finds it by a file."""
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if module is None or named(name) or (isinstance(file, str) and Path(file).is_file()):
        return None
    return module


def by_path(module: types.ModuleType | None) -> bool:
    """Whether `module` is one that another process loads from its file: what is in it is named, not handed over."""
    file = getattr(module, "__file__", None)
    if module is None or not isinstance(file, str) or not Path(file).is_file():
        return False
    compiled = file.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES))
    return compiled or (_stays(file) and sys.modules.get(module.__name__) is module)


def paths() -> list[str]:
    """Return the folders that were added to the search path since `began`."""
    return [each for each in sys.path if each not in _path and Path(each or ".").is_dir()]


def sources() -> dict[str, str]:
    """Return the text of the candidate's own Python files that were loaded, by the name that tracebacks, Triton and
    torch.jit look them up by."""
    found: dict[str, str] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.endswith(".py") and file not in found and not named(name):
            try:
                found[file] = Path(file).read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
    return found


def _stays(file: str) -> bool:
    """Whether the other process finds `file` as it is here: it is nobody's to change, and not in the tree."""
    return not _in_tree(file) and not os.access(Path(file).parent, os.W_OK)


def _above(name: str) -> tuple[list[tuple[str, str, list[str] | None]]]:
    """Return name, file and search path of the packages that hold `name`, from the outermost to itself."""
    found: list[tuple[str, str, list[str] | None]] = []
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        module = sys.modules.get(".".join(parts[:count]))
        file = getattr(module, "__file__", None)
        if module is not None and isinstance(file, str):
            path = getattr(module, "__path__", None)
            found.append(
                (module.__name__, _lying(file), None if path is None else [*map(os.path.realpath, path)])
            )
    return (found,)


def _lying(file: str) -> str:
    """Return the path of `file` without the links that lead to its folder: a cache is linked into the home of one
    process, and lies at the same place for both. The file itself may be a link, whose name tells what it is."""
    return os.path.join(os.path.realpath(os.path.dirname(file)), os.path.basename(file))  # noqa: PTH118, PTH119, PTH120


def _loaded_again(name: str, chain: Sequence[tuple[str, str, list[str] | None]]) -> Any:
    """Load what lies at these paths under these names, where it was not."""
    for each, file, path in chain:
        if each not in sys.modules:
            spec = importlib.util.spec_from_file_location(each, file, submodule_search_locations=path)
            _run(each, spec)
    return sys.modules[name]


def _extension(name: str, file: str, content: bytes | None) -> Any:
    """Load the compiled module `name` from `file`, or from `content` where that file is not here."""
    if name in sys.modules:
        return sys.modules[name]
    if content is not None:
        folder = Path(tempfile.mkdtemp())
        file = str(folder / Path(file).name)
        Path(file).write_bytes(content)
    return _run(name, importlib.util.spec_from_file_location(name, file))


def _run(name: str, spec: Any) -> Any:
    if spec is None or spec.loader is None:
        raise ImportError(f"no way to load {name}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _made(name: str, about: dict[str, Any]) -> types.ModuleType:
    module = types.ModuleType(name)
    vars(module).update(about)
    if name != "__main__":
        sys.modules.setdefault(name, module)
    return module


def _filled(module: types.ModuleType, state: dict[str, Any]) -> None:
    vars(module).update(state)


def _in_tree(path: str) -> bool:
    real = os.path.realpath(path)
    return bool(_tree) and _within(real, _tree) and not any(_within(real, each) for each in _libraries())


@functools.cache
def _libraries() -> tuple[str, ...]:
    """Return where this Python's own modules and its packages lie."""
    named = (sysconfig.get_path(each) for each in ("stdlib", "platstdlib", "purelib", "platlib"))
    return tuple({os.path.realpath(each) for each in named if each})


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
