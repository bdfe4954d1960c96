"""What `nocturne init` proposes where a locked script imports a file that experiments may change."""

from __future__ import annotations

import ast
import json
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.rules.self_reported import Read, reached

_METRIC = re.compile(r"METRIC\s+([A-Za-z_][\w.-]{0,63})\s*=")


@dataclass(frozen=True)
class Wall:
    """`script` measures and imports `called`; `metric` is the first that it prints, None if none is seen."""

    script: str
    called: str
    metric: str | None = None

    @property
    def words(self) -> str:
        """What to do, in one sentence."""
        return (
            f"{self.script} imports {self.called}, so that experiments could print the score themselves: name it under"
            f" `evaluator.call`, as `call: [{json.dumps(self.called)}]`, and in {self.script} write"
            f" `Candidate({json.dumps(self.called)}).call(...)` for what is imported (docs/evaluators.md)"
        )


def wanted(command: Sequence[str], walls: Sequence[str], editable: Sequence[str], read: Read) -> Wall | None:
    """Return the wall that a configured command lacks; None if it has one of `walls`, or imports no editable file."""
    found = None if walls else reached(command, editable, read)
    return None if found is None else Wall(*found)


def found_among(paths: Sequence[str], read: Read) -> Wall | None:
    """Return the task that a repository without a configuration seems to hold: one script at its top that prints
    `METRIC name=` and imports one other file beside it. None if there is none, or more than one."""
    top = [path for path in paths if path.endswith(".py") and "/" not in path]
    tasks = []
    for script in top:
        metric = _METRIC.search(read(script) or "")
        others = [path for path in top if path != script and _imports(read(script) or "", path)]
        if metric and len(others) == 1:
            tasks.append(Wall(script, others[0], metric[1]))
    return tasks[0] if len(tasks) == 1 else None


def _imports(source: str, path: str) -> bool:
    name = posixpath.splitext(path)[0]
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(
        (isinstance(node, ast.Import) and any(alias.name == name for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and not node.level and node.module == name)
        for node in nodes
    )
