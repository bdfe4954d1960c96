"""Starts one of our programs inside a jail: python -B launch.py BROUGHT PROGRAM ARGUMENT...

BROUGHT is a folder that holds the package of its name if the task's Python has none that will do, or "-".

This package goes by the name `nocturne_inside` there: a repository may have modules that are named as ours
are, and the working directory comes first for everything else.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

NAME = "nocturne_inside"


class Brought:
    """Finds one package in its folder, and nothing else that lies beside it there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Return the package, None for everything else: its modules are found in it."""
        if name != self.folder.name:
            return None
        return importlib.util.spec_from_file_location(
            name, self.folder / "__init__.py", submodule_search_locations=[str(self.folder)]
        )


def main() -> None:
    """Import the program by our own name, and hand over."""
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = package
    spec.loader.exec_module(package)
    sys.path[0] = str(Path.cwd())  # in place of the folder this file lies in
    brought, program, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
    if brought != "-":
        sys.meta_path.insert(0, Brought(Path(brought)))
    sys.argv = [program]
    importlib.import_module(f"{NAME}.{program}").main(*arguments)


if __name__ == "__main__":
    main()
