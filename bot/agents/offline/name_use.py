"""What the source says about its constants: which are alive, what they may be, what must divide what."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.agents.formats import LONGEST_FILE, PYTHON, format_of
from bot.agents.formats.python_tree import last_name, tree_of


@dataclass
class NameUse:
    """Facts gathered from the sources; names are the last component (`n_layer` of `GPTConfig.n_layer`).

    `read`: names used outside a print. `rebound`: (file, name) of what is stored more than once there, or
    imported too. `dead_fields`: `Class.field` and `function.parameter` whose default no call relies on. `choices`:
    strings that the code compares a name with. `divides`: (big, small) in lower case from `assert big % small ==
    0`. `compared`: names that stand in a comparison. `keys`: strings that code reads something by. `words`: how
    often each word stands in the files that are no Python. `dynamic`: settings are handed on as a whole.
    `outside`: names that other files of the repository mention.
    """

    read: set[str] = field(default_factory=set)
    rebound: set[tuple[str, str]] = field(default_factory=set)
    dead_fields: set[str] = field(default_factory=set)
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    divides: set[tuple[str, str]] = field(default_factory=set)
    compared: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    words: Counter[str] = field(default_factory=Counter)
    dynamic: bool = False
    outside: frozenset[str] = frozenset()


_WHOLE = {"vars", "asdict", "getattr", "fields", "to_dict", "items", "model_dump", "dict", "update"}


def name_use_of(files: Mapping[str, str], outside: Collection[str] = ()) -> NameUse:
    """Return what the files say about their names; Python that does not parse says nothing.

    `outside` are names that other files of the repository mention.
    """
    usage = NameUse(outside=frozenset(outside))
    trees: dict[str, ast.Module] = {}
    for path in sorted(files):
        known = format_of(path, files[path])
        if known is PYTHON:
            tree = tree_of(files[path])
            if tree is not None:
                trees[path] = tree
        elif known is not None and len(files[path]) <= LONGEST_FILE:
            usage.words.update(re.findall(r"[A-Za-z_]\w*", files[path]))
    tables = {name: keys for tree in trees.values() for name, keys in _string_tables(tree)}
    for path, tree in trees.items():
        imported: set[str] = set()
        stored: set[str] = set()
        stores: dict[str, int] = {}
        for node in _outside_prints(tree):
            if isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Load):
                    usage.read.add(node.id)
                else:
                    stored.add(node.id)
                    stores[node.id] = stores.get(node.id, 0) + 1
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                usage.read.add(node.attr)
                usage.dynamic |= node.attr == "__dict__"
            elif isinstance(node, ast.arg):
                # A parameter of the same name hides the constant, so its reads prove nothing.
                stores[node.arg] = stores.get(node.arg, 0) + 1
            elif isinstance(node, ast.ImportFrom | ast.Import):
                imported |= {alias.asname or alias.name for alias in node.names}
            elif isinstance(node, ast.Call):
                usage.dynamic |= any(keyword.arg is None for keyword in node.keywords)
                usage.dynamic |= last_name(node.func) in _WHOLE
                usage.keys |= {text for argument in node.args for text in _strings(argument)}
            elif isinstance(node, ast.Compare):
                _add_choices(usage, node)
                parts = (part for side in (node.left, *node.comparators) for part in ast.walk(side))
                usage.compared |= {name for part in parts if (name := _last_name(part)) is not None}
            elif isinstance(node, ast.Subscript):
                keys = _keys(node.value)
                if isinstance(node.value, ast.Name):
                    keys = keys or tables.get(node.value.id, ())
                _add(usage, _last_name(node.slice), keys)
                if isinstance(node.ctx, ast.Load):
                    usage.keys |= set(_strings(node.slice))
            elif isinstance(node, ast.Assert):
                usage.divides |= set(_divisions(node.test))
        usage.rebound |= {(path, name) for name in imported & stored}
        usage.rebound |= {(path, name) for name, count in stores.items() if count > 1}
    usage.dead_fields = _dead_fields(list(trees.values()), usage.outside)
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


def _last_name(node: ast.AST) -> str | None:
    return last_name(node) if isinstance(node, ast.expr) else None


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


def _add(usage: NameUse, name: str | None, found: tuple[str, ...]) -> None:
    if name is not None and found:
        known = usage.choices.get(name.lower(), ())
        usage.choices[name.lower()] = known + tuple(text for text in found if text not in known)


def _add_choices(usage: NameUse, node: ast.Compare) -> None:
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


def _dead_fields(trees: Sequence[ast.Module], outside: Collection[str]) -> set[str]:
    """Return `Class.field` and `function.parameter` whose default counts nowhere: every call gives another value."""
    dead: set[str] = set()
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    called = {id(call.func) for call in calls}
    # A class or function that is named without being called is called by somebody else, with its defaults.
    handed_on = {
        name
        for tree in trees
        for node in _values_in(tree)
        if id(node) not in called and (name := last_name(node)) is not None
    }
    for tree in trees:
        for node in tree.body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            made = [call for call in calls if last_name(call.func) == node.name]
            if node.name in handed_on or node.name in outside or not _is_called_with(node, made):
                continue
            for place, name in enumerate(_parameters(node)):
                if all(_gives(call, name, place) for call in made):
                    dead.add(f"{node.name}.{name}")
    return dead


def _is_called_with(node: ast.stmt, made: Sequence[ast.Call]) -> bool:
    """Whether its calls decide about its defaults: a class of plain constants is read without a call, and a command
    or a function that nobody calls here is called by others."""
    if isinstance(node, ast.ClassDef):
        return bool(node.decorator_list or node.bases)
    return bool(made) and isinstance(node, ast.FunctionDef) and not node.decorator_list


def _parameters(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    if isinstance(node, ast.ClassDef):
        fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
        return [item.target.id for item in fields if isinstance(item.target, ast.Name)]
    return [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]


def _values_in(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield the names of a tree that are values: no annotations, no base classes, no decorators."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield node
        for name, part in ast.iter_fields(node):
            if name in ("annotation", "returns", "bases", "decorator_list"):
                continue
            parts = part if isinstance(part, list) else [part]
            waiting += [each for each in parts if isinstance(each, ast.AST)]


def _gives(call: ast.Call, name: str, place: int) -> bool:
    unknown = any(keyword.arg is None for keyword in call.keywords) or any(
        isinstance(argument, ast.Starred) for argument in call.args
    )
    return unknown or place < len(call.args) or any(keyword.arg == name for keyword in call.keywords)
