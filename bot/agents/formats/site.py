"""One place in a file where a value stands that could be another, and what literals are worth."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Kind = Literal["variable", "local", "field", "option", "setting", "data", "macro"]


@dataclass(frozen=True)
class Site:
    """A named value: `text[start:end]`, worth the Python literal `literal`.

    `name` is unique in the file: `LR`, `GPTConfig.n_layer`, `betas[0]`, `--lr`. `key` is the identifier by which
    code reads it, as far as it is one. `kind` says how: a module's variable, a function's local one, a class
    field, an option of a command line, an entry of a dictionary or keyword of a call, an entry of a data file
    (which anybody may read), or a constant of C and its kin. `comment` is what is said beside it, `choices` the
    Python literals that it may be, if that is said; `owner` is the class or function that it belongs to.
    """

    name: str
    start: int
    end: int
    literal: str
    key: str
    kind: Kind = "data"
    comment: str = ""
    choices: tuple[str, ...] = ()
    owner: str = ""


MAX_ELEMENTS = 4  # of a list whose elements are settings
SWITCHES = (("true", "false"), ("yes", "no"), ("on", "off"))
PLAIN_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"


def number_literal(text: str) -> str | None:
    """Return a plain decimal number as a Python literal, or None if `text` is none."""
    if not re.fullmatch(PLAIN_NUMBER, text):
        return None
    if re.fullmatch(r"[-+]?0\d+", text):
        return None  # 007 is a code, or octal
    return text.removeprefix("+")


def switched(value: bool, now: str) -> str:
    """Return a switch in the manner of the word that stands there now."""
    words = next((pair for pair in SWITCHES if now.lower() in pair), SWITCHES[0])
    word = words[not value]
    return word.upper() if now.isupper() and len(now) > 1 else word.title() if now[:1].isupper() else word


def behind(pattern: re.Pattern[str], text: str, end: int) -> str:
    """Return the comment behind a value that ends at `end`: the first group that `pattern` finds there."""
    found = pattern.match(text, end)
    return next(filter(None, found.groups()), "").strip() if found else ""


def last_part(name: str) -> str:
    """Return the last component of a dotted name, without an index: `optim.betas[0]` -> `betas`."""
    return re.sub(r"(\[\d+\])+$", "", name).rpartition(".")[2].lstrip("-").replace("-", "_")


Number = int | float
Value = int | float | bool | str

_MAX_MAGNITUDE = 1e18


def literal_value(text: str) -> Value | None:
    """Return what a literal such as `2**15`, `-1e-3`, `True` or `"gelu"` is worth, or None."""
    return _literal_value(text.strip())


@lru_cache(maxsize=16384)
def _literal_value(text: str) -> Value | None:
    try:
        return worth(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return None


def worth(node: ast.expr) -> Value | None:
    """Return what the expression `node` is worth if it is a literal or arithmetic on number literals, else None."""
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool | str):
            return value
        return value if isinstance(value, int | float) and abs(value) <= _MAX_MAGNITUDE else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = _number(worth(node.operand))
        if inner is None:
            return None
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.BinOp):
        left, right = _number(worth(node.left)), _number(worth(node.right))
        if left is None or right is None:
            return None
        result = _arithmetic(node.op, left, right)
        return result if result is not None and abs(result) <= _MAX_MAGNITUDE else None
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


@lru_cache(maxsize=16384)
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
