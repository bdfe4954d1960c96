"""What the search says of this Python and of this machine: held-out files, and nothing that a run needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from evaluator import starter_files
from evaluator.heldout.concealing import Concealed, conceal
from evaluator.heldout.search import byte_code, search
from tests.evaluator.heldout.material import starter_index, starter_splits

LIBRARY = Path(sysconfig.get_paths()["stdlib"]).resolve()

# Imported after a training run, in the same process: what a usual train.py may want besides.
MORE = """
import json, runpy, sys
runpy.run_path("train.py", run_name="__main__")
import cloudpickle, numpy, torch._dynamo, torch._inductor.compile_fx, torch.distributed, torch.profiler
from torch.utils.data import DataLoader
assert sum(len(batch) for batch in DataLoader(list(range(8)), batch_size=2, num_workers=1)) == 8
files = [str(getattr(each, "__file__", None) or "") for each in list(sys.modules.values())]
open("modules.json", "w").write(json.dumps(files))
"""


def needed(folder: Path) -> set[Path]:
    """Run the starter for a step and return the files of all modules that are loaded then."""
    starter_files.write(folder, force=False)
    subprocess.run(
        [sys.executable, "-B", "-c", MORE],
        cwd=folder,
        env={
            **os.environ,
            "NOCTURNE_BUDGET": "steps",
            "NOCTURNE_TIME_BUDGET": "1",
            "OMP_NUM_THREADS": "1",
            "TMPDIR": "/tmp",  # the sockets of a DataLoader's worker have short names or none
        },
        capture_output=True,
        check=True,
        timeout=200,
    )
    files = {Path(name).resolve() for name in json.loads((folder / "modules.json").read_text()) if name}
    assert len(files) > 500
    return files


def leaves_nothing(concealed: Concealed) -> bool:
    return not any(starter_index().holds(copy.read_bytes()) for copy in concealed.replaced.values())


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
    assert leaves_nothing(concealed)


@pytest.mark.long
def test_no_file_of_this_machine_that_a_run_needs_is_hidden(tmp_path: Path) -> None:
    index = starter_index()
    roots = [Path(prefix, "lib") for prefix in (sys.prefix, sys.base_prefix)]
    found = search([*roots, *map(Path, ("/usr/bin", "/usr/include", "/usr/libexec"))], index)
    concealed = conceal(found, index, tmp_path / "copies")
    files = needed(tmp_path / "repo")
    hidden = set(concealed.hidden)
    assert not [file for file in files if file in hidden or hidden & set(file.parents)]
    assert leaves_nothing(concealed)
