"""The repository's own prepare.py, loaded inside a jail under its own name.

Where a part of it can't be carried out there, because it reads data that this jail does not show, the rest of it is
carried out all the same: the names that are missing are asked for elsewhere, or say what they are when they are used.
"""

from __future__ import annotations

import ast
import functools
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .standin import StandIn

NAME = "prepare"
_fetched: dict[str, Any] = {}  # names that this process has from elsewhere


def load_prepare(tree: Path, fetch: Callable[[list[str]], Mapping[str, Any]] | None = None) -> Any:
    """Import the tree's prepare.py as the module `prepare`.

    With `fetch`, one that fails is carried out statement by statement: `fetch` gives the values of the names that a
    statement would have bound, as far as they may be given; the others are stand-ins.
    """
    path = tree / "prepare.py"
    spec = importlib.util.spec_from_file_location(NAME, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    if str(tree) not in sys.path:  # beside it lie what it imports
        sys.path.append(str(tree))
    sys.meta_path.insert(0, _ByAnyName(path, module))
    if fetch is None:
        spec.loader.exec_module(module)
    else:
        _step_by_step(path, module, fetch)
    return module


def fetched() -> dict[str, Any]:
    """Return the values of prepare.py's names that came from elsewhere, without those that say they are missing."""
    return {name: value for name, value in _fetched.items() if not isinstance(value, StandIn)}


def parameters_of(prepare: Any, name: str) -> Any:
    """Return the signature of a function of prepare.py, or None if it tells none."""
    import inspect

    try:
        return inspect.signature(getattr(prepare, name))
    except (AttributeError, TypeError, ValueError):
        return None


class _ByAnyName(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the one module if the same file is imported by a longer name, such as `research.prepare`."""

    def __init__(self, path: Path, module: types.ModuleType) -> None:
        self._path, self._module = os.path.realpath(path), module

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name.rpartition(".")[2] != NAME or path is None:
            return None
        found = importlib.machinery.PathFinder.find_spec(name, path)
        if found is None or found.origin is None or os.path.realpath(found.origin) != self._path:
            return None
        return importlib.machinery.ModuleSpec(name, self, origin=found.origin)

    def create_module(self, spec: Any) -> Any:
        return self._module

    def exec_module(self, module: Any) -> None:
        """It is carried out already."""


def _step_by_step(path: Path, module: Any, fetch: Callable[[list[str]], Mapping[str, Any]]) -> None:
    tree = ast.parse(path.read_bytes(), str(path))
    future = 0
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            for each in statement.names:
                future |= getattr(__import__("__future__"), each.name).compiler_flag
    for statement in tree.body:
        part = ast.Module([statement], [])
        try:
            exec(compile(part, str(path), "exec", future, True), vars(module))
        except Exception as error:
            if isinstance(error, ImportError):
                raise  # what is not installed is not hidden
            names = sorted(set(_bound(statement)))
            found = fetch(names) if names else {}
            for name in names:
                why = f"is not there while a candidate trains ({type(error).__name__}: {error})"[:300]
                vars(module)[name] = _fetched[name] = found.get(name, StandIn(f"{NAME}.{name}", why))


def _bound(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement at the top of a module binds."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
        return
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
            continue
        elif isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            continue
        todo.extend(ast.iter_child_nodes(node))


@functools.cache
def text(tree: Path) -> str:
    """Return the text of the tree's prepare.py."""
    return (tree / "prepare.py").read_text(encoding="utf-8", errors="replace")
