"""Python source of others as a syntax tree: only what every reader of ours can walk is read.

Source can parse, be short, and still end a reader: `-` two thousand times, a chain of calls, a number of fifteen
thousand digits. Nobody writes a training script so; it is refused here, once, with the reason.
"""

from __future__ import annotations

import ast

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
