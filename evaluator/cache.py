"""Where we keep what can be made again: the user's cache folder."""

from __future__ import annotations

import os
from pathlib import Path


def cache_home() -> Path:
    """Return the user's cache folder, as the XDG specification finds it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
