"""`nocturne doctor`: whether a loop would earn its cost here; green, amber and red, with the fix for each."""

from __future__ import annotations

import json
import math
import os
import sys
from dataclasses import asdict
from pathlib import Path

from bot.agents.proposers.offline import OfflineProposer
from bot.doctor.examination import examination
from bot.doctor.finding import Colour, Finding
from bot.errors import UserError
from bot.github.files import harmless
from bot.loop.context import open_context
from bot.tell.display import PlainDisplay
from bot.tell.writers.terminal import escape

MARKS: dict[Colour, tuple[str, str]] = {
    "green": ("✓", "green"),
    "amber": ("!", "yellow"),
    "red": ("✗", "bold red"),
}


PATIENCE = 120.0  # seconds that the incumbent's runs may take unless they are asked for


def run(*, repo: Path, campaign: str | None, quick: bool, train: bool, as_json: bool) -> int:
    display = PlainDisplay(sys.stderr)
    if quick and train:
        raise UserError(
            "--quick and --run: the one trains nothing, the other whatever it takes: leave one out"
        )
    patience = 0.0 if quick else math.inf if train else PATIENCE
    if not quick:
        how = (
            "" if train else " if that takes under two minutes (`--run`: in any case; `--quick`: not at all)"
        )
        display.note(f"looking around; if the incumbent lacks runs, it is trained twice{how}")
    findings = examination(
        lambda: open_context(repo.absolute(), campaign, display, os.environ, OfflineProposer()),
        os.environ,
        patience=patience,
    )
    ill = any(finding.colour == "red" for finding in findings)
    if as_json:
        print(
            json.dumps({"healthy": not ill, "findings": [asdict(finding) for finding in findings]}, indent=2)
        )
    elif sys.stdout.isatty():
        _show(findings)
    else:
        for finding in findings:
            print(harmless(f"{finding.colour:<5}  {_line(finding)}"))
    return 1 if ill else 0


def _line(finding: Finding) -> str:
    fix = f" -> {finding.mend}" if finding.mend else ""
    return escape(f"{finding.condition}: {finding.measured}{fix}")


def _show(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for finding in findings:
        mark, style = MARKS[finding.colour]
        console.print(Text.assemble((mark, style), f" {_line(finding)}"), soft_wrap=True)
