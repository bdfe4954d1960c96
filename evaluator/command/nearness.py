"""Which line of a command's output may have been meant to state a metric, and what it lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator

NUMBER = re.compile(r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_SHOWN = 100
_BETWEEN = 40  # characters between a name and its number, bars of a table among them
_GROUP = "([-+0-9.eE]+)"
_SPECIAL = re.compile(r"[.^$*+?{}\[\]\\|()]")


class Meant:
    """A metric's name as people print it: `val_loss` is `val loss`, `Val-Loss` and `val.loss` too."""

    def __init__(self, name: str) -> None:
        self.name = name
        parts = [part for part in re.split(r"[_.\-/]+", name) if part] or [name]
        self._first = parts[0].lower()
        loose = r"[\s_.\-/]*".join(map(re.escape, parts))
        exact = re.escape(name)
        self._said = re.compile(
            rf"(?i)\b(metrics?)(\s*[:=]?)\s+(['\"]?{exact}['\"]?)(?![\w.])\s*([:=]*)\s*(\S.{{0,60}})?$"
        )
        self._quoted = re.compile(rf"'{exact}'\s*:")
        self._plain = re.compile(
            rf"(?i)(?<![\w.]){loose}(?![A-Za-z])(?:\s*is\s+|[^\w\n.+-]{{1,{_BETWEEN}}}?)({NUMBER.pattern})(?![\d,]|[a-zA-Z]\d)"
        )

    def may_be_in(self, line: str) -> bool:
        """Whether it is worth looking at a line."""
        return self._first in line.lower()

    def lacks(self, line: str) -> Iterator[tuple[int, str]]:
        """Yield what a line lacks that may have been meant to state it, and how near it is: low is nearer."""
        said = self._said.search(line)
        if said:
            word, written, sign, rest = said[1], said[3], said[4], (said[5] or "").strip()
            if word != "METRIC":
                yield 1, f"write METRIC for {word}"
            elif written != self.name:
                yield 1, f"write {self.name} for {written}"
            elif sign != "=" or said[2].strip():
                yield 1, f"write METRIC {self.name}={rest or '1.5'}"
            else:
                yield 0, _lacking_number(rest)
            return
        if self._quoted.search(line) and line.strip().endswith("}"):
            yield 2, "the value is no number: print it as one, without quotes"
            return
        plain = self._plain.search(line)
        if plain:
            yield (
                3,
                f"print METRIC {self.name}={plain[1]}, or set evaluator.metric.pattern: '{_pattern(line, plain)}'",
            )


def cut(text: str) -> str:
    """Return a text as it is shown in a message."""
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _pattern(line: str, found: re.Match[str]) -> str:
    """Return a regular expression that finds the number, as it would stand in single quotes in YAML."""
    before = line[found.start() : found.start(1)]
    words = [_SPECIAL.sub(r"\\\g<0>", word) for word in re.split(r"\s+", before)]
    return r"\s+".join(words).replace("'", "''") + _GROUP


def _lacking_number(rest: str) -> str:
    if not rest:
        return "there is no number"
    if "," in rest and NUMBER.fullmatch(rest.replace(",", "")):
        if "." in rest and rest.rindex(",") > rest.index("."):
            return f"{rest!r} is no number: write it with a dot for its fraction and without other marks"
        return f"print the number without a comma: {rest.replace(',', '')}"
    number = NUMBER.match(rest)
    if number:
        return f"print the number alone, without {cut(rest[number.end() :].strip())!r}: {number[0]}"
    wrapped = re.match(rf"[A-Za-z_][\w.]*\(\s*\[?({NUMBER.pattern})", rest)
    if wrapped:
        return f"print the number alone, as float(...) gives it: {wrapped[1]}"
    return f"{cut(rest)!r} is no number"
