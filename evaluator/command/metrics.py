"""Metrics out of what a command prints.

A metric is stated by a line `METRIC name=1.5`, wherever on its line that stands (behind a logger's prefix, or
behind a progress bar that another stream left unfinished), by an object of JSON on one line or on several, by a
dictionary as Python prints it on one line, or by what a pattern of the configuration finds. Output is read as it
comes and nothing of it is kept but the numbers, the object at hand and the line that was nearest to stating what is
looked for.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evaluator.command.nearness import NUMBER, Meant, cut
from evaluator.log import clean
from evaluator.settings import Metric

MOST_METRICS = 200
LONGEST = 1 << 20
"""Bytes of a line, or characters of an object of several lines, beyond which it is passed over."""
_LONGEST_TEXT = 10_000  # characters of a line in which a pattern is looked for
_LONGEST_NEAR = 400  # characters of a line that may have been meant as a metric
_MOST_PLACES = 2_000
_FIRST = 3  # members of a list that are looked into
_NAME = r"[A-Za-z_][\w.\-/]{0,79}"
NAME = re.compile(_NAME)
_METRIC = re.compile(rf"(?<![A-Za-z_])METRIC\s+({_NAME})\s*=\s*(\S{{1,40}})\s*$")
# An entry of a dictionary as `print` shows it; numbers of libraries may be wrapped: np.float64(0.5), tensor(0.5).
_ENTRY = re.compile(rf"'({_NAME})'\s*:\s*(?:[a-z][\w.]{{0,30}}\()?([-+.\w]{{1,40}})\)?\s*[,}}]")
_TEXTS = re.compile(r'"(?:[^"\\]|\\.)*"')


class Reader:
    """Reads the output of one command for the metrics that it states; `metric` is the one that counts.

    What begins its line was meant: it beats what stands behind other text, whatever came last. So a script that
    shows a candidate's answers behind words of its own can't be made to state a metric by them.
    """

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._pattern = re.compile(metric.pattern) if metric.pattern else None
        self._meant = Meant(metric.name)
        self._found: dict[str, float] = {}
        self._behind: dict[str, float] = {}  # stated behind other text on the line
        self._not_finite = False
        self._near: tuple[int, str, str] | None = None  # rank (low is nearer), the line, what it lacks
        self._rest = bytearray()
        self._too_long = False
        self._object: list[str] = []  # lines of an object that is not closed yet
        self._object_first = True
        self._depth = 0
        self._size = 0

    @property
    def found(self) -> dict[str, float]:
        """The finite numbers stated so far, at most about `MOST_METRICS`."""
        return {**self._behind, **self._found}

    @property
    def is_not_finite(self) -> bool:
        """Whether the metric was stated, and never as a finite number."""
        return self._not_finite and self._metric.name not in self.found

    def add(self, data: bytes) -> None:
        """Take up output as it comes."""
        pieces = re.split(rb"[\r\n]", data)
        for piece in pieces[:-1]:
            self._extend(piece)
            self._end_line()
        self._extend(pieces[-1])

    def close(self) -> None:
        """Take up what is left when the output has ended."""
        if self._rest or self._too_long:
            self._end_line()
        self._give_up()

    def line(self, text: str) -> None:
        """Take up one line."""
        plain = clean(text)
        if self._pattern is not None:
            for match in self._pattern.finditer(plain[:_LONGEST_TEXT]):
                worth = _worth(match[1] or "")
                self._take(self._metric.name, worth, first=True)
                if worth is None:
                    self._note(
                        0, plain, f"the pattern finds {cut(match[1] or '')!r} there, which is no number"
                    )
        if "METRIC" in plain:
            stated = _METRIC.search(plain[-_LONGEST_NEAR:])
            if stated:
                first = plain.lstrip().startswith("METRIC")
                self._state(stated[1], _worth(stated[2]), first=first)
        if self._depth or "{" in plain:
            self._json(plain)
        if self._metric.name not in self._found:
            self._look_near(plain)

    def missing(self) -> str:
        """Return why there is no number for the metric, with the line that was nearest to stating it."""
        name = self._metric.name
        if self._pattern is not None:
            wanted = (
                f"nothing that the command printed fits evaluator.metric.pattern {self._metric.pattern!r}"
            )
        else:
            wanted = (
                f"the command printed no finite metric {name!r} (as METRIC {name}=1.5, or in a JSON object)"
            )
        if self._near is not None:
            return f"{wanted}; nearest: {cut(self._near[1])!r}: {self._near[2]}"
        close = difflib.get_close_matches(name, self.found, n=3, cutoff=0.5) or list(self.found)[:3]
        return f"{wanted}; it printed {', '.join(close)}" if close else wanted

    def _extend(self, piece: bytes) -> None:
        room = LONGEST - len(self._rest)
        self._rest += piece[:room]
        self._too_long |= len(piece) > room

    def _end_line(self) -> None:
        if self._too_long:
            self._note(
                9,
                self._rest[:_LONGEST_NEAR].decode(errors="replace"),
                f"a line of more than {LONGEST:,} bytes",
            )
        elif self._rest:
            self.line(self._rest.decode(errors="replace"))
        self._rest.clear()
        self._too_long = False

    # -- what is stated --------------------------------------------------------------------------------

    def _state(self, name: str, value: float | None, *, first: bool) -> None:
        if name != self._metric.name or self._pattern is None:
            self._take(name, value, first=first)

    def _take(self, name: str, value: float | None, *, first: bool) -> None:
        mine = name == self._metric.name
        if value is None:
            return
        if not math.isfinite(value):
            self._not_finite |= mine
            return
        into = self._found if first else self._behind
        if name not in into and len(into) >= MOST_METRICS and not mine:
            return
        if mine and name in into and self._metric.take != "last":
            value = (min if self._metric.take == "min" else max)(into[name], value)
        into[name] = value

    def _json(self, plain: str) -> None:
        """Take up a line of JSON, or one more line of an object of several."""
        if self._depth:
            self._grow(plain)
            if self._depth:
                return
        start = plain.find("{")
        if start < 0:
            return
        first, whole = not plain[:start].strip(), plain[start:]
        closed = plain.rstrip().endswith("}")  # to try what isn't would cost more than all the rest
        if not closed and plain.rstrip().endswith("}]") and plain[:start].rstrip().endswith("["):
            first, closed = plain[:start].strip() == "[", True  # a list of objects: what it holds counts
            whole = whole.rstrip()[:-1]
            if self._read_list(f"[{whole}]", first=first):
                return
        if closed and (self._read(whole, first=first) or self._printed(whole, first=first)):
            return
        if first or plain.rstrip().endswith("{"):
            self._object_first = first
            self._grow(whole if first else plain[plain.rindex("{") :])

    def _grow(self, plain: str) -> None:
        self._object.append(plain)
        self._size += len(plain) + 1
        self._depth = max(self._depth + _opened(plain), 0)
        whole = self._depth == 0 and self._read("\n".join(self._object), first=self._object_first)
        if whole:
            self._object, self._depth, self._size = [], 0, 0
        elif self._depth == 0 or self._size > LONGEST:
            self._give_up()

    def _give_up(self) -> None:
        """What began like an object is none: its lines stand for themselves."""
        lines, self._object, self._depth, self._size = self._object, [], 0, 0
        for line in lines[1:]:
            if line.lstrip().startswith("{") and line.rstrip().endswith("}"):
                self._read(line, first=True)

    def _read_list(self, text: str, *, first: bool) -> bool:
        """Take up the numbers of a list of objects; return whether `text` is one."""
        value = _loaded(text)
        objects = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
        for each in objects:
            self._take_object(each, text, first=first)
        return bool(objects)

    def _read(self, text: str, *, first: bool) -> bool:
        """Take up the numbers of an object; return whether `text` is one."""
        value = _loaded(text)
        if not isinstance(value, dict):
            return False
        self._take_object(value, text, first=first)
        return True

    def _take_object(self, value: dict[str, Any], text: str, *, first: bool) -> None:
        for name, each in value.items():
            if _is_number(each):
                self._state(name, _float(each), first=first)
        inner = _inside(value, self._metric.name)
        if inner is not None and self._metric.name not in value:
            self._state(self._metric.name, inner, first=first)
        given = value.get(self._metric.name)
        if isinstance(given, str) and NUMBER.fullmatch(given.strip()):
            self._note(1, text, "the value is a text: print it as a number, without quotes")
        elif given is None and inner is None and f'"{self._metric.name}"' in text:
            place = _place_of(value, self._metric.name)
            if place is not None:
                self._note(1, text, f"set evaluator.metric.name to {place}")

    def _printed(self, text: str, *, first: bool) -> bool:
        """Take up the numbers of a dictionary as Python prints it; return whether there are any."""
        entries = _ENTRY.findall(text) if len(text) <= _LONGEST_TEXT else []
        numbers = [(name, value) for name, said in entries if (value := _worth(said)) is not None]
        for name, value in numbers:
            self._state(name, value, first=first)
        return bool(numbers)

    # -- what nearly states it -------------------------------------------------------------------------

    def _look_near(self, plain: str) -> None:
        if not self._meant.may_be_in(plain):
            return
        if self._pattern is not None:
            self._note(3, plain, "the pattern does not fit it")
            return
        for rank, lacks in self._meant.lacks(plain[:_LONGEST_NEAR]):
            self._note(rank, plain, lacks)

    def _note(self, rank: int, line: str, lacks: str) -> None:
        if self._near is None or rank <= self._near[0]:
            self._near = (rank, " ".join(line[:_LONGEST_NEAR].split()), lacks)


def medians(repeats: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each metric over `repeats`; one that is not in all of them is left out."""
    names = [name for name in repeats[0] if all(name in each for each in repeats)]
    return {name: statistics.median(each[name] for each in repeats) for name in names}


def _loaded(text: str) -> object:
    """Return what a text of JSON says, None if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _place_of(value: object, name: str) -> str | None:
    """Return the dotted name of the first number called `name` inside of an object: `results.0.mean`."""
    waiting: list[tuple[str, object]] = [("", value)]
    for _ in range(_MOST_PLACES):
        if not waiting:
            return None
        place, each = waiting.pop(0)
        inner: Iterable[tuple[object, object]] = ()
        if isinstance(each, dict):
            if place and _is_number(each.get(name)):
                return f"{place}{name}"
            inner = each.items()
        elif isinstance(each, list):
            inner = enumerate(each[:_FIRST])
        waiting += [(f"{place}{key}.", below) for key, below in inner if isinstance(below, dict | list)]
    return None


def _opened(line: str) -> int:
    """Return how many more brackets a line of JSON opens than it closes."""
    bare = _TEXTS.sub("", line)
    return bare.count("{") + bare.count("[") - bare.count("}") - bare.count("]")


def _inside(value: object, dotted: str) -> float | None:
    """Return the number that a dotted name means inside of an object: `results.0.mean`."""
    for part in dotted.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return _float(value) if isinstance(value, int | float) and _is_number(value) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _worth(text: str) -> float | None:
    """Return the number that a text is, finite or not; None if it is none."""
    try:
        return float(text.strip().rstrip(".,;"))
    except ValueError:
        return None


def _float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
