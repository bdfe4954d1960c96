"""Plays a campaign under faults, goes on with it to its end, and says what came of it."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.faults.kinds import Kind
from tests.benchmarks.faults.world import Play
from tests.github.server import GitHub

Row = dict[str, Any]


class Bench:
    """Plays campaigns in one folder, with one GitHub."""

    def __init__(self, folder: Path, github: GitHub) -> None:
        self.folder, self.github = folder, github
        github.limits.workflow = 10**6
        self.twins: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.count = 0

    def play(self, kind: Kind, home: str, seed: int) -> Play:
        self.count += 1
        return Play(
            self.folder, f"models-{self.count}", f"{kind.name} {seed}", self.github if home == "github" else None,
            settings=kind.settings, service=kind.service, disk=kind.disk,
        )  # fmt: skip

    def twin(self, kind: Kind, home: str) -> dict[str, Any]:
        """Return what the same campaign comes to undisturbed."""
        key = (home, kind.settings, kind.service)
        if key not in self.twins:
            with contextlib.closing(self.play(kind, home, 0)) as play:
                play.finish()
                wrong = play.broken()
                assert not wrong, wrong
                self.twins[key] = play.result()
        return self.twins[key]

    def campaign(self, kind: Kind, home: str, seed: int, *, and_then: Sequence[Kind] = ()) -> Row:
        """Play one campaign under faults of one kind, and say what came of it; `and_then` one of each of these."""
        began = time.monotonic()
        row: Row = {"kind": kind.name, "home": home, "seed": seed, "moments": []}
        expected = self.twin(kind, home) if kind.same else None
        with contextlib.closing(self.play(kind, home, seed)) as play:
            try:
                for each in [kind, *and_then] if and_then else [kind] * kind.times:
                    if not self.fault(each, play, row):
                        break
                play.finish()
                wrong = play.broken(moved=kind.moved)
                if expected is not None:
                    wrong += differences(expected, play.result())
            except Exception as error:
                wrong = [f"{type(error).__name__}: {error}"[:1500], traceback.format_exc()[-1500:]]
            row["codes"] = [each.process.exitcode for each in play.commands]
            row["said"] = sorted({line for each in play.commands for line in refusals(each.text)})
            if wrong:
                row["logs"] = [each.text[-3000:] for each in play.commands]
        row |= {"faults": len(row["moments"]), "wrong": wrong, "seconds": round(time.monotonic() - began, 1)}
        row["outcome"] = "BROKEN" if wrong else "same end" if kind.same else "held"
        return row

    def fault(self, kind: Kind, play: Play, row: Row) -> bool:
        """Bring one fault; False if the campaign came to its end before its moment."""
        words = ("iterate",) if kind.outlived else ("run",)
        if not kind.moments:
            command = play.start(*words, **kind.order)
            row["moments"].append("any time")
        else:
            moment, turn = play.random.choice(kind.moments), play.random.choice((1, 1, 2))
            command = play.start(*words, moment=moment, turn=turn, **kind.order)
            if not command.met():
                return play.ended(command)
            row["moments"].append(f"{moment} {turn}")
        play.faults += 1
        play.keep()
        kind.act(play, command)
        return True


def refusals(text: str) -> list[str]:
    """Return the lines in which a command said why it ended."""
    return [line[:300] for line in text.splitlines() if line.startswith("nocturne: ")]


def differences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Return in which parts two ends differ, and how."""
    return [
        f"{part}: expected {expected[part]!r}, found {found[part]!r}"[:1200]
        for part in expected
        if expected[part] != found[part]
    ]
