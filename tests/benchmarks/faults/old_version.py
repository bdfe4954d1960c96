"""One experiment by an older Nocturne, in a process of its own."""

from __future__ import annotations

import functools
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.benchmarks.faults.world import Play

OLD = "c3d6f15"
"""The code of the day before the outer loop, rungs and cuts came: its ledgers and ours have the same schema."""
_PROJECT = Path(__file__).parents[3]
_RUN = """
import sys
sys.path.insert(0, sys.argv[1])
from tests.bot import trainer
from bot.commands.cli import main
with trainer.installed():
    sys.exit(main(["run", "-n", "1"]))
"""


@functools.cache
def _code() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="nocturne-old-")
    packed = subprocess.run(
        ["git", "-C", str(_PROJECT), "archive", OLD, "bot", "evaluator", "tests"],
        capture_output=True, check=True,
    )  # fmt: skip
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder.name, filter="data")
    return folder


def run_old(play: Play) -> None:
    """Let the old version work on the campaign until it has finished one experiment, or says why it can't."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", _RUN, _code().name], cwd=play.top, env=play.env() | {"PATH": os.environ["PATH"]},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    (play.place / f"old-{play.faults}.log").write_text(said)
    assert done.returncode in (0, 2) and "Traceback" not in said, said[-1500:]
