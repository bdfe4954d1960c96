"""Python source of others as a syntax tree: only what every reader of ours can walk is read.

Source can parse, be short, and still end a reader: `-` two thousand times, a chain of calls, a number of fifteen
thousand digits. Nobody writes a training script so; it is refused here, once, with the reason.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

LONGEST = 2_000_000  # characters
DEEPEST = 150  # levels of the tree; readers that recurse spend up to three frames of a thousand on each
_DIGITS = 4_000  # of a whole number: Python writes no more than 4,300


def tree_of(source: str) -> tuple[ast.Module | None, str]:
    """Return the tree of `source`, with or without a byte order mark; None and why if it is none that we read."""
    if len(source) > LONGEST:
        return None, f"it has {len(source):,} characters; at most {LONGEST:,} are read"
    try:
        tree = ast.parse(source.removeprefix("\ufeff"))
    except SyntaxError as error:
        return None, f"line {error.lineno}: {error.msg}"
    except RecursionError:
        return None, "it is nested too deep"
    except (ValueError, MemoryError, OverflowError) as error:
        return None, f"{error}" or "it is too large to read"
    why = _unreadable(tree)
    return (tree, "") if why is None else (None, why)


def _unreadable(tree: ast.Module) -> str | None:
    """Return why nobody reads `tree`, None if everybody can. Level by level, without recursion."""
    level: list[ast.AST] = [tree]
    for _ in range(DEEPEST):
        below: list[ast.AST] = []
        for node in level:
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, int)
                and node.value.bit_length() > 3 * _DIGITS
            ):
                return f"line {node.lineno}: a number of {node.value.bit_length() * 0.30103:,.0f} digits"
            below.extend(ast.iter_child_nodes(node))
        if not below:
            return None
        level = below
    line = next((getattr(node, "lineno", 0) for node in level if hasattr(node, "lineno")), 0)
    return f"line {line}: nested more than {DEEPEST} levels deep"


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


def imported_at_once(source: str) -> set[str]:
    """Return the top-level names that Python `source` imports whatever it does: outside functions, conditions and
    attempts."""
    tree, _ = tree_of(source)
    return set() if tree is None else {name for node in _plain(tree.body) for name in _needed(node)}


def _plain(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.With):
            yield from _plain(node.body)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield node


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
