"""What the search says of this Python: its held-out files, and no others."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from evaluator.heldout.concealing import conceal
from evaluator.heldout.search import byte_code, search
from tests.evaluator.heldout.material import starter_index, starter_splits

LIBRARY = Path(sysconfig.get_paths()["stdlib"]).resolve()


@pytest.mark.long
def test_the_standard_library_loses_the_held_out_files_and_no_others(tmp_path: Path) -> None:
    index = starter_index()
    roots = [
        each for each in LIBRARY.iterdir() if each.name not in ("site-packages", "dist-packages", "test")
    ]
    found = search(roots, index)
    concealed = conceal(found, index, tmp_path / "copies")
    splits = starter_splits()
    held_out = {LIBRARY / name for name, _ in splits["val"] + splits["vault"]}
    for path in held_out:
        assert {path, *byte_code(path)} <= set(concealed.hidden)
    assert not {LIBRARY / name for name, _ in splits["train"]} & set(concealed.hidden)
    assert not any(index.holds(copy.read_bytes()) for copy in concealed.replaced.values())
