"""Read and rewrite the constants of Python source by its syntax tree, and nothing but the constants."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import libcst as cst

from bot.agents.sources import tree_of
from bot.rules.proposal import Change

Number = int | float
Value = int | float | bool | str

_MAX_ELEMENTS = 4
_MAX_MAGNITUDE = 1e18


@dataclass(frozen=True)
class Constant:
    """A named literal: where it stands, how it is written, what it is worth, what is said beside it."""

    file: str
    name: str
    literal: str
    value: Value
    comment: str = ""


def literal_value(text: str) -> Value | None:
    """Return what a literal such as `2**15`, `-1e-3`, `True` or `"gelu"` is worth, or None."""
    return _literal_value(text.strip())


@lru_cache(maxsize=16384)
def _literal_value(text: str) -> Value | None:
    try:
        tree = ast.parse(text, mode="eval")
        return _worth(tree.body)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return None


def _worth(node: ast.expr) -> Value | None:
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool | str):
            return value
        return value if isinstance(value, int | float) and abs(value) <= _MAX_MAGNITUDE else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = _number(_worth(node.operand))
        if inner is None:
            return None
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.BinOp):
        left, right = _number(_worth(node.left)), _number(_worth(node.right))
        if left is None or right is None:
            return None
        worth = _arithmetic(node.op, left, right)
        return worth if worth is not None and abs(worth) <= _MAX_MAGNITUDE else None
    return None


def _arithmetic(op: ast.operator, left: Number, right: Number) -> Number | None:
    if isinstance(op, ast.Mult):
        return left * right
    if isinstance(op, ast.Add):
        return left + right
    if isinstance(op, ast.Sub):
        return left - right
    if isinstance(op, ast.Div):
        return left / right if right else None
    if isinstance(op, ast.FloorDiv):
        return left // right if right else None
    if isinstance(op, ast.Pow):
        # Bounded, so that a literal such as 9**9**9 in a candidate's file cannot stall us.
        return left**right if 0 < left <= 1024 and abs(right) <= 60 else None
    if isinstance(op, ast.LShift) and isinstance(left, int) and isinstance(right, int):
        return left << right if 0 <= right <= 60 and abs(left) <= 1024 else None
    return None


def _number(value: Value | None) -> Number | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def canonical(text: str) -> tuple[str, Value | str]:
    """Return a key that equal literals share: `6e-4` and `0.0006`, but not `1` and `True`."""
    value = literal_value(text)
    if value is None:
        return ("text", text.strip())
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, str):
        return ("str", value)
    return ("number", float(f"{value:.10g}"))


def same_value(left: str, right: str) -> bool:
    """Say whether two literals are worth the same."""
    return canonical(left) == canonical(right)


def constants_of(files: Mapping[str, str]) -> tuple[Constant, ...]:
    """Return every constant assigned once in the Python `files`; a file that does not parse has none.

    A name found in two files is left out: one name must mean one thing.
    """
    found: list[Constant] = []
    for path in sorted(files):
        if path.endswith(".py"):
            found += _constants_in(path, files[path])
    count: dict[str, int] = {}
    for constant in found:
        count[constant.name] = count.get(constant.name, 0) + 1
    return tuple(constant for constant in found if count[constant.name] == 1)


def constant_values(files: Mapping[str, str]) -> dict[str, str]:
    """Return name -> literal for every constant in `files` (what `PastExperiment.parent_values` holds)."""
    return {constant.name: constant.literal for constant in constants_of(files)}


def changes_between(base: Mapping[str, str], proposed: Mapping[str, str]) -> tuple[Change, ...]:
    """Return the constants whose worth differs between two versions of the files."""
    after = {constant.name: constant for constant in constants_of({**base, **proposed})}
    return tuple(
        Change(before.file, before.name, before.literal, after[before.name].literal)
        for before in constants_of(base)
        if before.name in after and not same_value(before.literal, after[before.name].literal)
    )


def rewrite(source: str, literals: Mapping[str, str]) -> str:
    """Return `source` with the named constants set to new literals and not one other character changed.

    Raises `KeyError` where a name is no constant of `source`, `ValueError` where a literal is none.
    """
    for name, literal in literals.items():
        if literal_value(literal) is None:
            raise ValueError(f"{name}: {literal!r} is not a literal")
    module = _parsed(source)
    if module is None:
        raise ValueError("the source can't be read")
    for name, literal in literals.items():
        # Looked up anew for each name: replacing one node rebuilds the tree around all others.
        sites = {found: node for found, node, _ in _sites(module)}
        replaced = module.deep_replace(sites[name], cst.parse_expression(literal))
        if isinstance(replaced, cst.Module):
            module = replaced
    return module.code


def _constants_in(path: str, source: str) -> list[Constant]:
    module = _parsed(source)
    if module is None:
        return []
    found: dict[str, Constant | None] = {}
    for name, node, comment in _sites(module):
        literal = module.code_for_node(node)
        value = literal_value(literal)
        if name in found:
            found[name] = None  # assigned twice: no single literal decides
        elif value is not None:
            found[name] = Constant(path, name, literal, value, comment)
    return [constant for constant in found.values() if constant is not None]


@lru_cache(maxsize=64)
def _parsed(source: str) -> cst.Module | None:
    if tree_of(source)[0] is None:  # the parser itself ends the process on some that are nested too deep
        return None
    try:
        return cst.parse_module(source)
    except (cst.ParserSyntaxError, RecursionError, ValueError):
        return None


def _sites(module: cst.Module) -> Iterator[tuple[str, cst.BaseExpression, str]]:
    """Yield name, value node and trailing comment of assignments at module level and in dataclasses."""
    for statement in module.body:
        if isinstance(statement, cst.SimpleStatementLine):
            yield from _assignments(statement, "")
        elif isinstance(statement, cst.ClassDef) and _is_dataclass(statement):
            for inner in statement.body.body:
                if isinstance(inner, cst.SimpleStatementLine):
                    yield from _assignments(inner, f"{statement.name.value}.")


def _is_dataclass(node: cst.ClassDef) -> bool:
    for decorator in node.decorators:
        called = decorator.decorator
        target = called.func if isinstance(called, cst.Call) else called
        last = target.attr if isinstance(target, cst.Attribute) else target
        if isinstance(last, cst.Name) and last.value == "dataclass":
            return True
    return False


def _assignments(line: cst.SimpleStatementLine, prefix: str) -> Iterator[tuple[str, cst.BaseExpression, str]]:
    comment = line.trailing_whitespace.comment
    said = re.sub(r"^#+\s*", "", comment.value) if comment else ""
    for part in line.body:
        if isinstance(part, cst.Assign) and len(part.targets) == 1:
            target, value = part.targets[0].target, part.value
        elif isinstance(part, cst.AnnAssign) and part.value is not None:
            target, value = part.target, part.value
        else:
            continue
        if not isinstance(target, cst.Name):
            continue
        name = prefix + target.value
        if isinstance(value, cst.Tuple | cst.List):
            if len(value.elements) <= _MAX_ELEMENTS:
                for index, element in enumerate(value.elements):
                    yield f"{name}[{index}]", element.value, said
        else:
            yield name, value, said
