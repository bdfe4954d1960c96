"""Nothing that a jail can read holds held-out text: looked for from inside, by our search and by grep."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

import evaluator
from evaluator import starter_files
from evaluator.heldout.windows import WINDOW, WindowIndex
from evaluator.jail import choose
from evaluator.jail.file_system import FileSystem
from evaluator.jail.limits import ProcessLimits
from evaluator.settings import Settings
from evaluator.starter import prepare
from evaluator.training import concealed, export
from evaluator.workspace import Source, private_copy
from tests.evaluator.jail.world import skip_unless_possible
from tests.evaluator.pythons import running, running_task
from tests.evaluator.runs import EVAL_TOKENS, prepared

OURS = Path(evaluator.__file__).parent
SEARCH = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from evaluator.heldout.search import search
from evaluator.heldout.windows import WindowIndex
places = [each for each in Path("/").iterdir() if each.name not in ("proc", "sys", "dev")]
for path in search(places, WindowIndex.load(Path(sys.argv[2]))):
    if str(path) != sys.argv[2]:
        print(path)
"""


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


def inside(jail_name: str, file_system: FileSystem, *command: str) -> list[str]:
    """Return the lines that a command prints in a jail with this file system."""
    jail = choose(jail_name)
    launch = jail.launch(
        command, env={"PATH": "/usr/bin:/bin", "TMPDIR": str(file_system.scratch)}, folder=Path("/"),
        file_system=file_system, limits=ProcessLimits(),
    )  # fmt: skip
    try:
        done = subprocess.run(
            launch.argv, env=dict(launch.env), pass_fds=launch.fds, preexec_fn=launch.in_new_process,
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
    finally:
        launch.close()
    assert done.returncode in (0, 1, 2), done.stderr[-2000:]
    return done.stdout.splitlines()


@pytest.fixture
def exported() -> export.Exported:
    prepared()
    return export.load_or_make(
        starter_files.FOLDER,
        Settings(eval_tokens=EVAL_TOKENS),
        choose("auto"),
        running_task(starter_files.FOLDER),
    )


@pytest.fixture
def file_system(tmp_path: Path, exported: export.Exported) -> Iterator[FileSystem]:
    tree = tmp_path / "tree"
    tree.mkdir()
    with private_copy(Source(tree, tree)) as space:
        settings = Settings(scratch_mb=64)
        seen = concealed.seen(space, settings, choose("auto"), running_task(tree), exported)
        yield concealed.conceal(seen, space, exported, running())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_readable_holds_a_window_of_held_out_text(
    file_system: FileSystem, exported: export.Exported
) -> None:
    skip_unless_possible()
    index = exported.folder / "windows.npz"
    more = dataclasses.replace(file_system, read_only=(*file_system.read_only, OURS, index))
    assert (
        inside("bubblewrap", more, sys.executable, "-s", "-B", "-c", SEARCH, str(OURS.parent), str(index))
        == []
    )


@pytest.mark.long
@pytest.mark.timeout(900)
def test_grep_finds_no_line_of_it_either(
    tmp_path: Path, file_system: FileSystem, exported: export.Exported
) -> None:
    """Another searcher than ours, and quicker: on lines that training data lacks, which it finds in a file that is
    shown. Held-out text is of the standard library, so it looks there; the slow test above looks everywhere."""
    index = WindowIndex.load(exported.folder / "windows.npz")
    splits = prepare.read_splits()
    lines = [
        line
        for _, text in splits["val"] + splits["vault"]
        for line in text.splitlines()
        if len(line.encode()) == len(line) >= WINDOW and index.finds(line.encode()) == [(0, len(line))]
    ]
    assert len(lines) > 300
    patterns = tmp_path / "patterns"
    patterns.write_text("\n".join(line for line in random.Random(1).sample(lines, 300)))
    planted = tmp_path / "planted"
    planted.write_text(f"x = 1\n{patterns.read_text().splitlines()[7]}\n")
    more = dataclasses.replace(file_system, read_only=(*file_system.read_only, patterns, planted))
    places = (sysconfig.get_path("stdlib"), "/etc", str(planted))
    found = inside("auto", more, "/usr/bin/grep", "-rlaF", "-f", str(patterns), *places)
    assert found == [str(planted)]


@pytest.mark.long
def test_what_training_needs_is_still_there(tmp_path: Path, file_system: FileSystem) -> None:
    imports = (
        "import torch, torch.optim, torch._dynamo, numpy, cloudpickle; print(torch.ones(2) @ torch.ones(2))"
    )
    assert inside("auto", file_system, sys.executable, "-s", "-B", "-c", imports) == ["tensor(2.)"]
    held_out = "import smtplib; print(hasattr(smtplib, 'SMTP'))"
    assert inside("auto", file_system, sys.executable, "-s", "-B", "-c", held_out) == ["False"]


@pytest.mark.slow  # that a training finds what it needs is shown above, and by each run
def test_no_file_of_this_machine_that_a_run_needs_is_hidden(
    tmp_path: Path, file_system: FileSystem, exported: export.Exported
) -> None:
    files, hidden = needed(tmp_path / "repo"), {path.resolve() for path in file_system.hidden}
    assert len(hidden) > 50
    assert not [file for file in files if file in hidden or hidden & set(file.parents)]
    index = WindowIndex.load(exported.folder / "windows.npz")
    assert not any(index.holds(copy.read_bytes()) for _, copy in file_system.replaced)
