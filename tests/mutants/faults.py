"""The list of faults: what is written in place of what, and which tests must notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("faults.yml")


@dataclass(frozen=True)
class Fault:
    """A fault in one file: `old` becomes `new`, and a test that `tests` selects must fail.

    `tests` are words for pytest, such as `tests/bot/test_store.py` or `FILE::test_name`; `long` says that
    they are among the long tests.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    long: bool = False

    def applied(self, text: str) -> str:
        """Return `text` with the fault. Raises ValueError unless `old` stands there exactly once."""
        if (times := text.count(self.old)) != 1:
            raise ValueError(f"{self.name}: {self.file} has {times} times {self.old!r}: write the fault anew")
        return text.replace(self.old, self.new)


def read_faults(path: Path = LIST) -> list[Fault]:
    """Return the faults in the order of the file. Raises TypeError for an unknown or a missing key."""
    entries: list[dict[str, Any]] = yaml.safe_load(path.read_text())
    return [Fault(**{**entry, "tests": tuple(entry["tests"].split())}) for entry in entries]
