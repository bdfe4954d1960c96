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
from collections.abc import Iterator, Mapping, Sequence

from evaluator.log import clean
from evaluator.settings import Metric

MOST_METRICS = 200
LONGEST = 1 << 20
"""Bytes of a line, or characters of an object of several lines, beyond which it is passed over."""
_LONGEST_TEXT = 10_000  # characters of a line in which a pattern is looked for
_LONGEST_NEAR = 400  # characters of a line that may have been meant as a metric
_SHOWN = 100
_NAME = r"[A-Za-z_][\w.\-/]{0,79}"
NAME = re.compile(_NAME)
_METRIC = re.compile(rf"(?<![A-Za-z_])METRIC\s+({_NAME})\s*=\s*(\S{{1,40}})\s*$")
_NUMBER = re.compile(r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
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
                self._take(self._metric.name, _worth(match[1] or ""), first=True)
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
            return f"{wanted}; nearest: {_cut(self._near[1])!r}: {self._near[2]}"
        close = difflib.get_close_matches(name, self.found, n=3, cutoff=0.5) or list(self.found)[:3]
        return f"{wanted}; it printed {', '.join(close)}" if close else wanted

    def _extend(self, piece: bytes) -> None:
        room = LONGEST - len(self._rest)
        self._rest += piece[:room]
        self._too_long |= len(piece) > room

    def _end_line(self) -> None:
        if self._too_long:
            self._note(
                9, self._rest[:_SHOWN].decode(errors="replace"), f"a line of more than {LONGEST:,} bytes"
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

    def _read(self, text: str, *, first: bool) -> bool:
        """Take up the numbers of an object; return whether `text` is one."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return False
        if not isinstance(value, dict):
            return False
        for name, each in value.items():
            if _is_number(each):
                self._state(name, _float(each), first=first)
        inner = _inside(value, self._metric.name)
        if inner is not None and self._metric.name not in value:
            self._state(self._metric.name, inner, first=first)
        given = value.get(self._metric.name)
        if isinstance(given, str) and _NUMBER.fullmatch(given.strip()):
            self._note(1, text, "the value is a text: print it as a number, without quotes")
        return True

    def _printed(self, text: str, *, first: bool) -> bool:
        """Take up the numbers of a dictionary as Python prints it; return whether there are any."""
        entries = _ENTRY.findall(text) if len(text) <= _LONGEST_TEXT else []
        numbers = [(name, value) for name, said in entries if (value := _worth(said)) is not None]
        for name, value in numbers:
            self._state(name, value, first=first)
        return bool(numbers)

    # -- what nearly states it -------------------------------------------------------------------------

    def _look_near(self, plain: str) -> None:
        if self._pattern is not None or self._metric.name.lower() not in plain.lower():
            return
        for rank, lacks in _lacks(plain[:_LONGEST_NEAR], self._metric.name):
            self._note(rank, plain, lacks)

    def _note(self, rank: int, line: str, lacks: str) -> None:
        if self._near is None or rank <= self._near[0]:
            self._near = (rank, " ".join(line[:_LONGEST_NEAR].split()), lacks)


def medians(repeats: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each metric over `repeats`; one that is not in all of them is left out."""
    names = [name for name in repeats[0] if all(name in each for each in repeats)]
    return {name: statistics.median(each[name] for each in repeats) for name in names}


def _lacks(line: str, name: str) -> Iterator[tuple[int, str]]:
    """Yield what a line lacks that may have been meant to state `name`, and how near it is."""
    said = re.search(
        rf"(?i)\b(metrics?)(\s*[:=]?)\s+(['\"]?{re.escape(name)}['\"]?)(?![\w.])\s*([:=]*)\s*(\S.{{0,60}})?$",
        line,
    )
    if said:
        word, written, sign, rest = said[1], said[3], said[4], (said[5] or "").strip()
        if word != "METRIC":
            yield 1, f"write METRIC for {word}"
        elif written != name:
            yield 1, f"write {name} for {written}"
        elif sign != "=" or said[2].strip():
            yield 1, f"write METRIC {name}={rest or '1.5'}"
        else:
            yield 0, _lacking_number(rest)
        return
    if re.search(rf"'{re.escape(name)}'\s*:", line) and line.strip().endswith("}"):
        yield 2, "the value is no number: print it as one, without quotes"
        return
    plain = re.search(rf"(?i)(?<![\w.]){re.escape(name)}\s*(?:[:=]|is|\s)\s*({_NUMBER.pattern})", line)
    if plain:
        yield (
            3,
            f"print METRIC {name}={plain[1]}, or set evaluator.metric.pattern to what stands before the number",
        )


def _lacking_number(rest: str) -> str:
    if not rest:
        return "there is no number"
    if "," in rest and _NUMBER.fullmatch(rest.replace(",", "")):
        return f"print the number without a comma: {rest.replace(',', '')}"
    number = _NUMBER.match(rest)
    if number:
        return f"print the number alone, without {_cut(rest[number.end() :].strip())!r}: {number[0]}"
    return f"{_cut(rest)!r} is no number"


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


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
