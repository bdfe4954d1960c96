"""The tools that say whether a workflow is valid and safe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def said(name: str, *words: str) -> str:
    """What one of them printed about files in which it found nothing wrong; plain text wherever it runs."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name(name)), *words], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def check_schema(schema: str, *paths: Path) -> None:
    said("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, paths))


def audit(*paths: Path) -> str:
    return said(
        "zizmor", "--offline", "--persona", "auditor", "--no-progress", "--color", "never", *map(str, paths)
    )
