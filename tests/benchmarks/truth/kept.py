"""What was played, kept in a file, so that a long table can be stopped and goes on where it was."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from bot.rules.simulated.play import Outcome


class Key(NamedTuple):
    """One campaign by one procedure."""

    row: str
    procedure: str
    seed: int
    budgets: tuple[float, ...]


class Kept:
    """Outcomes by campaign and budget; with a `path`, each is written there as it comes.

    A last line that was cut off is played again. Whoever changes the rule begins another file: nothing here tells by
    which rule a line was played.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._found: dict[Key, dict[float, Outcome]] = {}
        text = path.read_text() if path is not None and path.exists() else ""
        if path is not None and not text.endswith("\n") and text:
            text = text[: text.rfind("\n") + 1]
            path.write_text(text)
        for line in text.splitlines():
            row = json.loads(line)
            key = Key(
                row["row"], row["procedure"], row["seed"], tuple(float(each) for each in row["outcomes"])
            )
            self._found[key] = {float(b): Outcome(**each) for b, each in row["outcomes"].items()}

    def __contains__(self, key: Key) -> bool:
        return key in self._found

    def __getitem__(self, key: Key) -> dict[float, Outcome]:
        return self._found[key]

    def add(self, key: Key, outcomes: dict[float, Outcome]) -> None:
        """Keep what one campaign came to."""
        self._found[key] = outcomes
        if self._path is None:
            return
        said = {str(budget): asdict(each) for budget, each in outcomes.items()}
        line = {"row": key.row, "procedure": key.procedure, "seed": key.seed, "outcomes": said}
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
