"""`nocturne iterate`: one experiment, all stages in one process; the job of the quick-start action."""

from __future__ import annotations

from pathlib import Path

from bot.commands import run as run_command


def run(*, repo: Path, campaign: str | None) -> int:
    return run_command.run(repo=repo, campaign=campaign, experiments=1, until=None)
