"""Which modules a proposal imports that nobody has installed where candidates run."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Collection, Iterator, Mapping

from bot.agents.sources import tree_of

_CAUGHT = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
_NAME = 64  # characters of a name that is told


def missing_modules(
    base: Mapping[str, str],
    proposed: Mapping[str, str],
    *,
    own: Collection[str],
    is_there: Callable[[str], bool],
) -> dict[str, str]:
    """Return {module: file} of what `proposed` newly imports and can't have, by top-level name.

    `own` are the names of the repository's own modules, `is_there` says whether the environment has one. What is
    imported only for type checkers, or with an answer to an ImportError, is no need.
    """
    found: dict[str, str] = {}
    for path in sorted(
        path for path, text in proposed.items() if path.endswith(".py") and text != base.get(path)
    ):
        new = needed_modules(proposed[path]) - needed_modules(base.get(path, ""))
        for module in sorted(new - set(own) - set(sys.stdlib_module_names)):
            if not is_there(module):
                found.setdefault(module[:_NAME], path)
    return found


def needed_modules(source: str) -> set[str]:
    """Return the top-level names that Python `source` can't run without; none if it does not parse."""
    tree, _ = tree_of(source)
    return set() if tree is None else set(_needed(tree))


def _needed(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        if node.level == 0 and node.module:
            yield node.module.split(".")[0]
    elif isinstance(node, ast.Try) and any(_catches(handler) for handler in node.handlers):
        for part in (*node.handlers, *node.orelse, *node.finalbody):
            yield from _needed(part)
    elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        for part in node.orelse:
            yield from _needed(part)
    else:
        for part in ast.iter_child_nodes(node):
            yield from _needed(part)


def _catches(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in _CAUGHT for kind in kinds)
