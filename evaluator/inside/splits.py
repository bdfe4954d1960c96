"""Which parts of the data a candidate may train on: learned from what the repository's own prepare.py says.

`evaluate_bpb` asks a loader for the part that is held out, and the loader compares the name that it is given with the
names that it knows. So the text of prepare.py tells which part is measured and which ones are there to train on.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

PARAMETERS = ("split", "subset", "partition", "part", "phase", "mode", "stage", "fold", "which")
LOADER, EVALUATION = "make_dataloader", "evaluate_bpb"

_HELD_OUT = {
    "val",
    "valid",
    "validation",
    "validate",
    "test",
    "testing",
    "eval",
    "evaluation",
    "dev",
    "vault",
}
_HELD_OUT |= {"heldout", "holdout", "held", "hidden"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


@dataclass(frozen=True)
class Splits:
    """`parameter` of the loader names a part, None if it has no such parameter; `evaluated` are the parts that
    are measured, `known` all that the loader compares its parameter with."""

    parameter: str | None
    evaluated: frozenset[str]
    known: frozenset[str]

    @property
    def validation(self) -> str:
        """The part that is measured."""
        return min(self.evaluated, key=lambda name: (not held_out(name), name)) if self.evaluated else "val"

    @property
    def training(self) -> tuple[str, ...]:
        """The parts that prepare.py names and does not measure."""
        return tuple(sorted(name for name in self.known - self.evaluated if not held_out(name)))

    def allows(self, name: object) -> bool:
        """Whether a candidate may train on the part `name`."""
        if not isinstance(name, str) or not _NAME.fullmatch(name) or held_out(name):
            return False
        if any(each in name for each in self.evaluated):
            return False
        if self.training:
            return name in self.training
        return bool(self.known) or name.startswith("train")


def held_out(name: str) -> bool:
    """Whether a name says that what it names is held out."""
    return not _HELD_OUT.isdisjoint(re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()))


def learned(source: str) -> Splits:
    """Return what the text of a prepare.py says about its parts."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return Splits("split", frozenset(), frozenset())
    functions = {each.name: each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}
    constants = {
        target.id: each.value.value
        for each in tree.body
        if isinstance(each, ast.Assign) and isinstance(each.value, ast.Constant)
        for target in each.targets
        if isinstance(target, ast.Name) and isinstance(each.value.value, str)
    }
    loader = functions.get(LOADER)
    parameter, position = _parameter(loader)
    evaluated = frozenset(_asked_for(functions, constants, parameter, position))
    return Splits(parameter, evaluated, frozenset(_compared(tree, parameter)))


def _parameter(loader: ast.FunctionDef | None) -> tuple[str | None, int]:
    """Return the parameter that names a part, and its position."""
    if loader is None:
        return "split", 3
    places = [each.arg for each in (*loader.args.posonlyargs, *loader.args.args)]
    names = [*places, *(each.arg for each in loader.args.kwonlyargs)]
    for name in PARAMETERS:
        if name in names:
            return name, places.index(name) if name in places else -1
    for node in ast.walk(loader):  # by what it is compared with
        if not isinstance(node, ast.Compare) or not isinstance(node.left, ast.Name):
            continue
        name = node.left.id
        if name in names and any(True for each in node.comparators for _ in _texts(each)):
            return name, places.index(name) if name in places else -1
    return None, -1


def _asked_for(
    functions: Mapping[str, ast.FunctionDef],
    constants: Mapping[str, str],
    parameter: str | None,
    position: int,
) -> Iterator[str]:
    """Yield the parts that `evaluate_bpb`, and what it calls, asks the loader for."""
    todo, seen = [EVALUATION], set()
    while todo:
        name = todo.pop()
        function = functions.get(name)
        if function is None or name in seen:
            continue
        seen.add(name)
        known = {**constants, **_defaults(function)}
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            called = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
            if called != LOADER:
                todo.append(called)
                continue
            given = [each.value for each in call.keywords if each.arg == parameter]
            if not given and 0 <= position < len(call.args):
                given = [call.args[position]]
            for value in given:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value
                elif isinstance(value, ast.Name) and value.id in known:
                    yield known[value.id]


def _defaults(function: ast.FunctionDef) -> dict[str, str]:
    """Return the texts that are defaults of a function's parameters."""
    places = [*function.args.posonlyargs, *function.args.args]
    pairs = [
        *zip(places[len(places) - len(function.args.defaults) :], function.args.defaults, strict=True),
        *zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True),
    ]
    return {
        name.arg: value.value
        for name, value in pairs
        if isinstance(value, ast.Constant) and isinstance(value.value, str)
    }


def _compared(tree: ast.Module, parameter: str | None) -> Iterator[str]:
    """Yield the texts that a variable named as the parameter is compared with, or that it chooses from."""
    names = {parameter or "split", "split"}

    def meant(node: ast.AST) -> bool:
        return (isinstance(node, ast.Name) and node.id in names) or (
            isinstance(node, ast.Attribute) and node.attr.lstrip("_") in names
        )

    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(meant(each) for each in (node.left, *node.comparators)):
            for each in (node.left, *node.comparators):
                yield from _texts(each)
        elif isinstance(node, ast.Subscript) and meant(node.slice) and isinstance(node.value, ast.Dict):
            for key in node.value.keys:
                yield from _texts(key)
        elif isinstance(node, ast.Match) and meant(node.subject):
            for case in node.cases:
                for value in (each for each in ast.walk(case.pattern) if isinstance(each, ast.MatchValue)):
                    yield from _texts(value.value)


def _texts(node: ast.AST | None) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        for each in node.elts:
            yield from _texts(each)
    elif isinstance(node, ast.Dict):
        for key in node.keys:
            yield from _texts(key)
