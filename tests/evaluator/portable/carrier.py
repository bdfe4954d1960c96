"""Packs the models of a zoo in one process, or asks them in another one that has never seen the zoo's script.

    python carrier.py pack FOLDER TREE      runs TREE/zoo.py as a candidate's script, packs each model that it made
    python carrier.py ask FOLDER TREE       rebuilds each, and tells in FOLDER/told.json whether it says the same

There is no jail: what is tried is what goes from one process to the other.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

INSIDE = Path(__file__).parents[3] / "evaluator" / "inside"
NAME = "nocturne_inside"


def inside(name: str) -> Any:
    """Import one of our modules by the name that it has inside a jail."""
    if NAME not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            NAME, INSIDE / "__init__.py", submodule_search_locations=[str(INSIDE)]
        )
        assert spec is not None
        sys.modules[NAME] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"{NAME}.{name}")


def begin(tree: Path) -> None:
    sys.path[0] = str(tree)
    inside("elsewhere").began(tree)


def pack(folder: Path, tree: Path) -> None:
    begin(tree)
    inside("operators").watch()
    path = tree / "zoo.py"
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=str(path), __builtins__=__builtins__)
    sys.modules["__main__"] = main
    exec(compile(path.read_bytes(), str(path), "exec"), vars(main))
    import torch

    told = {}
    for name, model in main.__dict__["ZOO"].items():
        try:
            with torch.no_grad():
                said = model(torch.arange(6).reshape(2, 3))
            with (folder / f"{name}.model").open("wb") as file:
                inside("shipping").pack(model, file)
            torch.save(said, folder / f"{name}.said")
            told[name] = "packed"
        except Exception as error:
            told[name] = f"{type(error).__name__}: {error}"
            (folder / f"{name}.model").unlink(missing_ok=True)
    (folder / "packed.json").write_text(json.dumps(told))


def ask(folder: Path, tree: Path) -> None:
    begin(tree)
    import torch

    told = {}
    for place in sorted(folder.glob("*.model")):
        try:
            with place.open("rb") as file:
                model = inside("shipping").unpack(file)
            with torch.no_grad():
                found = model(torch.arange(6).reshape(2, 3))
            same = torch.equal(found, torch.load(place.with_suffix(".said")))
            told[place.stem] = "the same" if same else "something else"
        except Exception as error:
            told[place.stem] = f"{type(error).__name__}: {error}"
    (folder / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    {"pack": pack, "ask": ask}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
