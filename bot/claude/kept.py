"""Where transcripts lie in a clone, for those who only read them."""

from __future__ import annotations

import re
from pathlib import Path


def folder_of(common_dir: Path, campaign: str) -> Path:
    """Return the folder of a campaign's transcripts in the clone whose git folder is `common_dir`."""
    return common_dir / "nocturne" / campaign / "conversations"


def conversations_of(common_dir: Path, campaign: str, experiment: int) -> list[str]:
    """Return the transcripts of an experiment that this clone has, oldest first."""
    found = folder_of(common_dir, campaign).glob(f"{experiment:06d}-*.md")
    paths = sorted(found, key=lambda path: path.stat().st_mtime_ns)
    return [path.read_text(encoding="utf-8", errors="replace") for path in paths]


def transcripts_of(common_dir: Path, campaign: str) -> dict[int, list[str]]:
    """Return all transcripts that this clone has by experiment, each one's oldest first."""
    found = folder_of(common_dir, campaign).glob("*.md")
    numbers = {int(path.name[:6]) for path in found if re.match(r"\d{6}-", path.name)}
    return {number: conversations_of(common_dir, campaign, number) for number in sorted(numbers)}
