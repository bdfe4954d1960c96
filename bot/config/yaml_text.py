"""Reads YAML that people write: a key that is given twice, an alias that holds itself or unfolds without end, and a
time of day that YAML 1.1 takes for a number are each told with their line."""

from __future__ import annotations

import re
from typing import Any, cast

import yaml

from bot.errors import UserError

MOST_VALUES = 20_000  # that a file unfolds to; the longest configuration holds some hundreds
_DEEPEST = 100
_SEXAGESIMAL = re.compile(r"[-+]?\d[\d_]*(:[0-5]?\d)+(\.\d*)?")  # `25:00` is 1500 in YAML 1.1


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, in which `25:00` stays a text."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        tag = cast(Any, super()).resolve(kind, value, implicit)
        if kind is yaml.ScalarNode and implicit[0] and _SEXAGESIMAL.fullmatch(value or ""):
            return self.DEFAULT_SCALAR_TAG
        return tag


def load(text: str, source: str, above: int = 0) -> Any:
    """Return what YAML says that stands below `above` lines. Raises UserError with the source, the line and the fix."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _Check(source, above).size(node, 0)
        return loader.construct_document(node)
    except ValueError as error:  # a date such as 2026-13-45, which YAML takes for one
        raise UserError(f"{source}: not valid YAML: {error}: fix the date") from None
    except RecursionError:
        raise UserError(
            f"{source}: not valid YAML: brackets within brackets without end: close them"
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1 + above}: " if mark else ""
        raise UserError(f"{source}: {where}not valid YAML: {_problem(error)}") from None


def _problem(error: yaml.YAMLError) -> str:
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    if "\\t" in problem:
        return f"{problem}: indent with spaces"
    if "special characters are not allowed" in problem:
        return "it holds characters that no text has: save it as UTF-8"
    return problem


class _Check:
    """Counts what a tree of nodes unfolds to, and refuses what no configuration means."""

    def __init__(self, source: str, above: int) -> None:
        self._source = source
        self._above = above
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()

    def size(self, node: yaml.Node, depth: int) -> int:
        """Return the number of values below a node, each alias unfolded."""
        known = self._sizes.get(id(node))
        if known is not None:
            return known
        if id(node) in self._open:
            raise self._error(node, "an alias (*name) holds itself: write out what is meant")
        if depth > _DEEPEST:
            raise self._error(node, f"more than {_DEEPEST} levels: nothing here needs so many")
        self._open.add(id(node))
        total = 1
        if isinstance(node, yaml.MappingNode):
            self._keys(node)
            total += sum(self.size(value, depth + 1) for _, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            total += sum(self.size(value, depth + 1) for value in node.value)
        self._open.discard(id(node))
        if total > MOST_VALUES:
            raise self._error(
                node, f"its aliases unfold to more than {MOST_VALUES:,} values: write out what is meant"
            )
        self._sizes[id(node)] = total
        return total

    def _keys(self, node: yaml.MappingNode) -> None:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.value in seen:
                first = f"it is in line {seen[key.value]} too"
                raise self._error(key, f"the key `{key.value}` is given twice ({first}): leave one of them")
            seen[key.value] = self._line(key)

    def _line(self, node: yaml.Node) -> int:
        return int(node.start_mark.line) + 1 + self._above

    def _error(self, node: yaml.Node, said: str) -> UserError:
        return UserError(f"{self._source}: line {self._line(node)}: {said}")
