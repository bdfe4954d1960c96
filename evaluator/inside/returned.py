"""What `evaluate_bpb` of a repository takes and gives, learned from its text: the shim's takes and gives the same.

A score is one number. Where the repository's function returns a tuple or a dict of names that are written out, the
score stands at the place that is called after bits per byte (else the first), and what else it would return, which
nobody has measured, is NaN. A function that says it returns a tensor gives a tensor. Everything else gives a float.
"""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SCORE = ("bpb", "bits", "score", "metric", "loss")
_BATCH = ("batch_size", "device_batch_size", "batch", "rows", "bs", "b")
_UNKNOWN_BATCH = 8


@dataclass(frozen=True)
class Shape:
    """`kind` is float, tensor, tuple or dict; `names` are the places of a tuple or the keys of a dict, and `at` is
    where the score stands."""

    kind: str = "float"
    names: tuple[str, ...] = ()
    at: int = 0

    def holding(self, score: float) -> Any:
        """Return `score` in this shape."""
        if self.kind == "tensor":
            import torch

            return torch.tensor(score)
        values = [score if at == self.at else math.nan for at in range(len(self.names))]
        if self.kind == "tuple":
            return tuple(values)
        return dict(zip(self.names, values, strict=True)) if self.kind == "dict" else score


def learned(source: str, name: str = "evaluate_bpb") -> Shape:
    """Return what the function `name` in the text of a prepare.py gives."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return Shape()
    function = next((n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == name), None)
    if function is None:
        return Shape()
    given = [node.value for node in _own(function) if isinstance(node, ast.Return) and node.value is not None]
    last = given[-1] if given else None
    if isinstance(last, ast.Name):  # of a variable: what it was last bound to
        bound = [
            node.value
            for node in _own(function)
            if isinstance(node, ast.Assign)
            and any(isinstance(t, ast.Name) and t.id == last.id for t in node.targets)
        ]
        last = bound[-1] if bound and isinstance(bound[-1], ast.Dict | ast.Tuple) else last
    if isinstance(last, ast.Tuple) and len(last.elts) > 1:
        return _with_place("tuple", tuple(map(ast.unparse, last.elts)))
    if isinstance(last, ast.Dict) and last.keys and all(isinstance(key, ast.Constant) for key in last.keys):
        return _with_place(
            "dict", tuple(str(key.value) for key in last.keys if isinstance(key, ast.Constant))
        )
    if isinstance(last, ast.Call) and ast.unparse(last.func) == "dict" and last.keywords:
        return _with_place("dict", tuple(str(each.arg) for each in last.keywords))
    annotated = ast.unparse(function.returns) if function.returns is not None else ""
    return Shape("tensor") if annotated.strip("'\"").endswith("Tensor") else Shape()


def arguments(
    signature: inspect.Signature | None, args: Any, kwargs: Mapping[str, Any], defaults: Any
) -> tuple[Any, int, Any]:
    """Return the model, the rows of a batch and the device (or None) that a call of evaluate_bpb names.

    Raises `TypeError` if the repository's function would.
    """
    if signature is None:
        signature = inspect.Signature(
            [
                inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD)
                for n in ("model", "tokenizer", "batch_size")
            ]
        )
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    named = {key.lower(): value for key, value in bound.arguments.items()}
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            named |= {key.lower(): value for key, value in bound.arguments.get(parameter.name, {}).items()}
    model = named["model"] if "model" in named else next(iter(bound.arguments.values()), None)
    rows = next((named[name] for name in _BATCH if isinstance(named.get(name), int)), None)
    if rows is None:
        rows = next(
            (
                getattr(defaults, n)
                for n in ("DEVICE_BATCH_SIZE", "EVAL_BATCH_SIZE", "BATCH_SIZE")
                if isinstance(getattr(defaults, n, None), int)
            ),
            _UNKNOWN_BATCH,
        )
    return model, rows, named.get("device")


def _with_place(kind: str, names: tuple[str, ...]) -> Shape:
    for word in _SCORE:
        for at, name in enumerate(names):
            if word in name.lower():
                return Shape(kind, names, at)
    return Shape(kind, names, 0)


def _own(function: ast.FunctionDef) -> list[ast.AST]:
    """Return the nodes of a function without those of functions inside it, in their order."""
    found: list[ast.AST] = []
    todo: list[ast.AST] = list(reversed(function.body))
    while todo:
        node = todo.pop()
        found.append(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            todo.extend(reversed(list(ast.iter_child_nodes(node))))
    return found
