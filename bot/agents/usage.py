"""What the source says about its constants: which are alive, what they may be, what must divide what."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bot.agents.sources import tree_of


@dataclass
class Usage:
    """Facts gathered from the syntax trees; names are the last component (`n_layer` of `GPTConfig.n_layer`).

    `read`: names used outside a print. `rebound`: names stored more than once, or imported too.
    `dead_fields`: `Class.field` defaults that no construction relies on. `choices`: strings that the code
    compares a name with. `divides`: (big, small) in lower case from `assert big % small == 0`.
    """

    read: set[str] = field(default_factory=set)
    rebound: set[str] = field(default_factory=set)
    dead_fields: set[str] = field(default_factory=set)
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    divides: set[tuple[str, str]] = field(default_factory=set)


def usage_of(files: Mapping[str, str]) -> Usage:
    """Return what the Python files say about their names; files that do not parse say nothing."""
    usage = Usage()
    trees = [tree for path in sorted(files) if path.endswith(".py") and (tree := tree_of(files[path])[0])]
    stores: dict[str, int] = {}
    tables = {name: keys for tree in trees for name, keys in _string_tables(tree)}
    for tree in trees:
        imported: set[str] = set()
        stored: set[str] = set()
        for node in _outside_prints(tree):
            if isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Load):
                    usage.read.add(node.id)
                else:
                    stored.add(node.id)
                    stores[node.id] = stores.get(node.id, 0) + 1
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                usage.read.add(node.attr)
            elif isinstance(node, ast.arg):
                # A parameter of the same name hides the constant, so its reads prove nothing.
                stores[node.arg] = stores.get(node.arg, 0) + 1
            elif isinstance(node, ast.ImportFrom | ast.Import):
                imported |= {alias.asname or alias.name for alias in node.names}
            elif isinstance(node, ast.Compare):
                _add_choices(usage, node)
            elif isinstance(node, ast.Subscript):
                keys = _keys(node.value)
                if isinstance(node.value, ast.Name):
                    keys = keys or tables.get(node.value.id, ())
                _add(usage, _last_name(node.slice), keys)
            elif isinstance(node, ast.Assert):
                usage.divides |= set(_divisions(node.test))
        usage.rebound |= imported & stored
    usage.rebound |= {name for name, count in stores.items() if count > 1}
    usage.dead_fields = _dead_fields(trees)
    return usage


def _outside_prints(tree: ast.AST) -> Iterator[ast.AST]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            continue
        if isinstance(node, ast.AnnAssign):
            waiting += [node.target, *([node.value] if node.value else [])]
            continue
        waiting.extend(reversed(list(ast.iter_child_nodes(node))))  # so that they come in source order


def _last_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None


def _strings(node: ast.expr) -> tuple[str, ...]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return (node.value,)
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        found = [text for element in node.elts for text in _strings(element)]
        return tuple(found) if len(found) == len(node.elts) else ()
    return ()


def _keys(node: ast.expr) -> tuple[str, ...]:
    if not isinstance(node, ast.Dict):
        return ()
    keys = [key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    return tuple(keys) if len(keys) == len(node.keys) else ()


def _string_tables(tree: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and _keys(node.value):
            yield node.targets[0].id, _keys(node.value)


def _add(usage: Usage, name: str | None, found: tuple[str, ...]) -> None:
    if name is not None and found:
        known = usage.choices.get(name.lower(), ())
        usage.choices[name.lower()] = known + tuple(text for text in found if text not in known)


def _add_choices(usage: Usage, node: ast.Compare) -> None:
    if len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq | ast.NotEq | ast.In | ast.NotIn):
        other = node.comparators[0]
        _add(usage, _last_name(node.left), _strings(other) or _keys(other))
        if isinstance(node.ops[0], ast.Eq | ast.NotEq):
            _add(usage, _last_name(other), _strings(node.left))


def _divisions(test: ast.expr) -> Iterator[tuple[str, str]]:
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        for value in test.values:
            yield from _divisions(value)
    elif (
        isinstance(test, ast.Compare)
        and isinstance(test.ops[0], ast.Eq)
        and isinstance(test.left, ast.BinOp)
        and isinstance(test.left.op, ast.Mod)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == 0
    ):
        big, small = _last_name(test.left.left), _last_name(test.left.right)
        if big and small:
            yield big.lower(), small.lower()


def _dead_fields(trees: list[ast.Module]) -> set[str]:
    """Return `Class.field` where every construction of the class gives the field, or may give it."""
    dead: set[str] = set()
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for tree in trees:
        for node in tree.body:
            if not isinstance(node, ast.ClassDef):
                continue
            fields = [
                item.target.id
                for item in node.body
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
            ]
            made = [call for call in calls if _last_name(call.func) == node.name]
            for place, name in enumerate(fields):
                if all(_gives(call, name, place) for call in made):
                    dead.add(f"{node.name}.{name}")
    return dead


def _gives(call: ast.Call, name: str, place: int) -> bool:
    unknown = any(keyword.arg is None for keyword in call.keywords) or any(
        isinstance(argument, ast.Starred) for argument in call.args
    )
    return unknown or place < len(call.args) or any(keyword.arg == name for keyword in call.keywords)
