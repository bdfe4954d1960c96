"""The repository's own prepare.py, loaded inside a jail under another name."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

NAME = "repository_prepare"


def load_prepare(tree: Path, name: str = NAME) -> Any:
    """Import the tree's prepare.py as the module `name`."""
    spec = importlib.util.spec_from_file_location(name, tree / "prepare.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def stand_in(original: Any, **replaced: Any) -> types.ModuleType:
    """Return a module `prepare` with all that the repository's has, except what is `replaced`."""
    module = types.ModuleType("prepare", original.__doc__)
    module.__dict__.update({k: v for k, v in vars(original).items() if not k.startswith("__")})
    module.__file__ = original.__file__
    module.__dict__.update(replaced)
    return module
