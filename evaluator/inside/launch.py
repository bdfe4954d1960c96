"""Starts one of our programs inside a jail: python -s -B launch.py PROGRAM ARGUMENT...

This package goes by the name `nocturne_inside` there: a repository may have modules that are named as ours
are, and the working directory comes first for everything else.
"""

import importlib.util
import sys
from pathlib import Path

NAME = "nocturne_inside"


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
    program, arguments = sys.argv[1], sys.argv[2:]
    sys.argv = [program]
    importlib.import_module(f"{NAME}.{program}").main(*arguments)


if __name__ == "__main__":
    main()
