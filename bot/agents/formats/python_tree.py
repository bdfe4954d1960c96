"""What a syntax tree says, piece by piece: names, places in the text, literals, choices, help."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import lru_cache

from bot.agents import sources
from bot.agents.formats.site import worth

_RUNS = {"Fire", "cli", "run", "auto_cli", "CLI", "entrypoint", "call", "experiment"}
_LINE_END = re.compile(r"\r\n|\r|\n")


@lru_cache(maxsize=64)
def tree_of(text: str) -> ast.Module | None:
    """Return the syntax tree of Python source, not to be changed; None if it is none that we read."""
    return sources.tree_of(text)[0]


@dataclass(frozen=True)
class Lines:
    """The lines of a text as Python counts them, and where in the text each begins."""

    text: str
    starts: tuple[int, ...]

    @staticmethod
    def of(text: str) -> Lines:
        first = len(text) - len(text.removeprefix("\ufeff"))
        return Lines(text, (first, *(found.end() for found in _LINE_END.finditer(text))))

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Return where a node begins and ends; trees count lines from 1, and columns in bytes of UTF-8."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        places = []
        for line, column in ((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)):
            start = self.starts[line - 1]
            end = self.starts[line] if line < len(self.starts) else len(self.text)
            within = self.text[start:end]
            if not within.isascii():
                column = len(within.encode(errors="surrogatepass")[:column].decode(errors="replace"))
            places.append(start + column)
        return places[0], places[1]

    def comment(self, end: int) -> str:
        """Return what is said in the comment behind `end` on its line, if nothing but brackets stands between."""
        found = re.compile(r"[ \t\f;,)\]}]*#+[ \t]*([^\r\n]*)").match(self.text, end)
        return found[1] if found else ""


def commands_of(tree: ast.Module) -> set[str]:
    """Return the functions that a library turns into a command: `fire.Fire(main)`, `tyro.cli(train)`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and last_name(node.func) in _RUNS:
            found |= {arg.id for arg in node.args if isinstance(arg, ast.Name)}
    return found


def last_name(node: ast.expr | None) -> str | None:
    """Return the last component of a name: `optim` of `torch.optim`; None if it is none."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None


def snake(name: str) -> str:
    """Return a name in lower case with its words apart: `TrainConfig` -> `train_config`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def target_of(statement: ast.Assign | ast.AnnAssign) -> tuple[ast.expr, ast.expr] | None:
    if isinstance(statement, ast.Assign):
        return (statement.targets[0], statement.value) if len(statement.targets) == 1 else None
    return (statement.target, statement.value) if statement.value is not None else None


def dotted_name(node: ast.expr) -> str | None:
    """Return `cfg.optim.lr` of such an attribute, or of `cfg["optim"]["lr"]`; None if it is none."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute | ast.Subscript):
        part = node.attr if isinstance(node, ast.Attribute) else text_of(node.slice)
        if not part:
            return None
        parts.append(part)
        node = node.value
    if not isinstance(node, ast.Name) or node.id == "self" or not parts:
        return None
    return ".".join([node.id, *reversed(parts)])


def set_twice(function: ast.AST) -> set[str]:
    """Return the names that a function sets more than once, or that are not its own."""
    stores: dict[str, int] = {}
    shared: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            stores[node.id] = stores.get(node.id, 0) + 1
        elif isinstance(node, ast.Global | ast.Nonlocal):
            shared |= set(node.names)
    return shared | {name for name, count in stores.items() if count > 1}


def decorator(node: ast.expr) -> str | None:
    return last_name(node.func if isinstance(node, ast.Call) else node)


def only_constants(node: ast.ClassDef) -> bool:
    """Whether a class holds nothing but constants, texts and other such classes."""
    plain = (ast.Assign, ast.AnnAssign, ast.Pass)
    whole = all(
        isinstance(inner, plain)
        or (isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Constant))
        or (isinstance(inner, ast.ClassDef) and only_constants(inner))
        for inner in node.body
    )
    return whole and any(isinstance(inner, ast.Assign | ast.AnnAssign | ast.ClassDef) for inner in node.body)


def unwrapped(node: ast.expr) -> tuple[ast.expr, bool]:
    """Return what stands in for an environment variable, without conversions around it, and whether it is that."""
    for _ in range(3):
        if not isinstance(node, ast.Call) or node.keywords:
            break
        called = last_name(node.func)
        if called in ("float", "int", "bool", "str", "eval") and len(node.args) == 1:
            inner = unwrapped(node.args[0])
            return inner if inner[1] else (node, False)
        source = ast.unparse(node.func)
        if len(node.args) == 2 and re.search(r"(?:^|\.)(?:environ\.get|getenv)$", source):
            return node.args[1], True
        break
    return node, False


def text_of(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def literals(node: ast.expr | None) -> tuple[str, ...]:
    """Return the literals of a list or tuple; none if one of them is something else."""
    if not isinstance(node, ast.List | ast.Tuple | ast.Set):
        return ()
    if not all(worth(element) is not None for element in node.elts):
        return ()
    return tuple(ast.unparse(element) for element in node.elts)


def click_choices(node: ast.expr | None) -> tuple[str, ...]:
    if isinstance(node, ast.Call) and last_name(node.func) == "Choice" and node.args:
        return literals(node.args[0])
    return ()


def choices_of(statement: ast.Assign | ast.AnnAssign) -> tuple[str, ...]:
    return annotated(statement.annotation) if isinstance(statement, ast.AnnAssign) else ()


def annotated(annotation: ast.expr | None) -> tuple[str, ...]:
    """Return what an annotation such as `Literal["relu", "gelu"]` allows."""
    if isinstance(annotation, ast.Subscript) and last_name(annotation.value) == "Literal":
        inner = annotation.slice
        return literals(inner) if isinstance(inner, ast.Tuple) else ()
    return ()


def help_of(given: dict[str, ast.expr]) -> str:
    """Return the help of a declared option, and the bounds that it states."""
    metadata = given.get("metadata")
    said = text_of(given.get("help")) or text_of(given.get("description"))
    if isinstance(metadata, ast.Dict):
        for key, value in zip(metadata.keys, metadata.values, strict=True):
            said = said or (text_of(value) if text_of(key) == "help" else "")
    for name, words in (
        ("ge", "at least"),
        ("gt", "at least"),
        ("min", "at least"),
        ("le", "at most"),
        ("max", "at most"),
    ):
        bound = given.get(name)
        if bound is not None and isinstance(worth(bound), int | float):
            said = f"{said}, {words} {ast.unparse(bound)}".removeprefix(", ")
    return said
