"""What a file says without comments and layout, so that two versions which mean the same are the same."""

from __future__ import annotations

import ast
import json
import re

from bot.agents.formats import format_of
from bot.agents.formats.c_source import without_comments
from bot.agents.sources import tree_of


def plain_text(path: str, text: str) -> str:
    """Return `text` without what changes nothing: comments, docstrings, blank lines, spaces.

    Python is written anew from its syntax tree; what does not parse stays as it is.
    """
    known = format_of(path, text)
    if known is None:
        return text
    if known.title == "Python":
        tree, _ = tree_of(text)
        return text if tree is None else ast.unparse(without_docstrings(tree))
    if known.title == "JSON":
        try:
            return json.dumps(json.loads(text.removeprefix("\ufeff")), indent=0)
        except (ValueError, RecursionError):
            return text
    if known.title in ("YAML", "TOML", "INI", "shell", "make"):
        # Indentation means something in YAML, and so does a # inside a text: only whole lines of comment go.
        lines = (
            re.sub(r"[ \t]+#[^'\"]*$", "", line).rstrip() for line in text.removeprefix("\ufeff").splitlines()
        )
        return "\n".join(line for line in lines if line.strip() and not re.match(r"\s*#(?!!)", line))
    bare = without_comments(text.removeprefix("\ufeff"))
    return "\n".join(" ".join(line.split()) for line in bare.splitlines() if line.strip())


def without_docstrings(tree: ast.Module) -> ast.Module:
    """Take the docstrings out of `tree` and return it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] if isinstance(first.value.value, str) else node.body
    return tree
