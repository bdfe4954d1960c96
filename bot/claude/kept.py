"""Where transcripts lie in a clone, for those who only read them."""

from __future__ import annotations

from pathlib import Path


def folder_of(common_dir: Path, campaign: str) -> Path:
    """Return the folder of a campaign's transcripts in the clone whose git folder is `common_dir`."""
    return common_dir / "nocturne" / campaign / "conversations"


def conversations_of(common_dir: Path, campaign: str, experiment: int) -> list[str]:
    """Return the transcripts of an experiment that this clone has, oldest first."""
    found = folder_of(common_dir, campaign).glob(f"{experiment:06d}-*.md")
    paths = sorted(found, key=lambda path: path.stat().st_mtime_ns)
    return [path.read_text(encoding="utf-8", errors="replace") for path in paths]
