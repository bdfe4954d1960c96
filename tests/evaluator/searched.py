"""Keeps between sessions what a search of this machine for held-out text found: it takes half a minute of CPU.

Each file says where was looked, for which text, and how that place looked then; the evaluator looks again if that has
changed. What was found by other code is not taken.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from pathlib import Path

import pytest

from evaluator import heldout

_FOUND = re.compile(r"[0-9a-f]{32}\.json")


def kept(config: pytest.Config) -> Path | None:
    """Return the folder for what the present code found; None if pytest keeps nothing (`-p no:cacheprovider`)."""
    if not hasattr(config, "cache"):
        return None
    code = hashlib.sha256()
    for path in sorted(Path(heldout.__file__).parent.glob("*.py")):
        code.update(path.read_bytes())
    return Path(config.cache.mkdir(f"held-out-{code.hexdigest()[:16]}"))


def take(source: Path, into: Path) -> None:
    """Copy what was found from one folder into another, each file at once; what is newer there stays."""
    into.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir() if source.is_dir() else ():
        place = into / path.name
        if not _FOUND.fullmatch(path.name) or (place.exists() and _written(place) >= _written(path)):
            continue
        with tempfile.TemporaryDirectory(prefix=".taking-", dir=into) as scratch:
            shutil.copy2(path, scratch)
            (Path(scratch) / path.name).replace(place)


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns
