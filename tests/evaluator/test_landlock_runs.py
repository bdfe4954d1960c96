"""Whole runs under Landlock: they score as under bubblewrap, say what they ran in, and are held to their bounds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.evaluator.jail.world import ROOT, as_user, interpreter, skip_unless_possible
from tests.evaluator.runs import STEPS, Outcome, score, starter

BENCH = """\
import pathlib, os
from nocturne_candidate import Candidate, metric
solution = Candidate("solution.py", limit=20)
print(solution.call("square", 12), pathlib.Path("answers.json").read_text())
again = solution.fresh()
metric(right=float(solution.call("square", 12) == again.call("square", 12) == 144))
"""
CALLED = {
    "kind": "command",
    "call": ["solution.py"],
    "editable": ["solution.py"],
    "command": ["python", "bench.py"],
    "metric": {"name": "right", "direction": "maximize"},
    "data": ["answers.json"],
    "timeout_seconds": 60,
}
PRODUCED = {
    "kind": "command",
    "produce": ["python", "produce.py"],
    "editable": ["produce.py"],
    "command": ["python", "measure.py"],
    "metric": {"name": "length"},
    "data": ["answers.json"],
    "timeout_seconds": 60,
}
PRODUCE = """\
import os, pathlib, subprocess, sys, tempfile
subprocess.run([sys.executable, "-c", "print('a child')"], check=True)
with tempfile.NamedTemporaryFile() as file:
    file.write(b"x")
pathlib.Path("kept").mkdir()
pathlib.Path("kept/note").write_text("in the working folder")
seen = os.path.isdir("answers.json") or os.access("answers.json", os.R_OK)
pathlib.Path(os.environ["NOCTURNE_OUT"], "out.txt").write_text("12345" if not seen else "saw it")
"""
MEASURE = """\
import os, pathlib
print(pathlib.Path("answers.json").read_text())
print("METRIC length=%d" % len(pathlib.Path(os.environ["NOCTURNE_OUT"], "out.txt").read_text()))
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    skip_unless_possible(jail="landlock")
    files = {
        "bench.py": BENCH,
        "solution.py": "def square(number):\n    return number * number\n",
        "produce.py": PRODUCE,
        "measure.py": MEASURE,
        "answers.json": "{}",
    }
    folder = tmp_path / "repo"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def under(jail: str, repo: Path, settings: dict[str, Any], **more: Any) -> Outcome:
    skip_unless_possible(jail=jail)
    return score(repo, {**settings, "jail": jail, **more})


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(CALLED, 1.0, id="call", marks=pytest.mark.long),
        pytest.param(PRODUCED, 5.0, id="produce", marks=pytest.mark.slow),  # as a plain user's run, below
    ],
)
def test_a_command_scores_the_same_and_says_what_was_open(
    repo: Path, temporary: Path, settings: dict[str, Any], expected: float
) -> None:
    before = sorted(path.name for path in repo.rglob("*"))
    by_bubblewrap, by_landlock = (under(jail, repo, settings).last for jail in ("bubblewrap", "landlock"))
    for last in (by_bubblewrap, by_landlock):
        assert (last["event"], last.get("score")) == ("score", expected), last
    assert (by_bubblewrap["jail"], by_landlock["jail"]) == ("bubblewrap", "landlock")
    further = [each for each in by_landlock["gaps"] if each not in by_bubblewrap["gaps"]]
    assert len(further) == 3 and further[0].startswith("Landlock in the place of bubblewrap: names")
    assert list(temporary.iterdir()) == [] and sorted(path.name for path in repo.rglob("*")) == before


@pytest.mark.long
def test_a_training_scores_the_same_to_the_last_digit(tmp_path: Path, temporary: Path) -> None:
    skip_unless_possible(jail="landlock")
    found = [under(jail, starter(tmp_path / jail), STEPS).last for jail in ("bubblewrap", "landlock")]
    assert found[0]["score"] == found[1]["score"] and found[1]["jail"] == "landlock"
    assert list(temporary.iterdir()) == []


@pytest.mark.long
def test_where_no_namespace_is_to_be_had_a_run_is_scored_all_the_same(repo: Path) -> None:
    container = [sys.executable, "-B", "-m", "tests.evaluator.jail.container"]
    done = subprocess.run(
        [*container, sys.executable, "-I", "-m", "evaluator", "score", str(repo), "--json", "--settings", "-"],
        input=json.dumps(CALLED), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["event"], last["jail"], last.get("score")) == ("score", "landlock", 1.0), (last, done.stderr)
    assert "Landlock makes one, which leaves more open" in done.stderr


@pytest.mark.long
def test_a_plain_user_s_run_is_scored(repo: Path) -> None:
    python, user = interpreter("plain"), as_user("plain")
    with tempfile.TemporaryDirectory(
        prefix="nocturne-plain-", dir="/tmp"
    ) as place:  # nobody else enters ours
        shutil.copytree(repo, Path(place, "repo"))
        Path(place, "home").mkdir()
        for folder in (place, f"{place}/home", f"{place}/repo"):
            Path(folder).chmod(0o777)
        user["env"] |= {"PYTHONPATH": f"{ROOT}:{sysconfig.get_paths()['purelib']}"}
        user["env"] |= {"HOME": f"{place}/home", "TMPDIR": f"{place}/home", "PATH": "/usr/bin:/bin"}
        if subprocess.run(
            [python, "-c", "import evaluator.score, numpy"], **user, capture_output=True
        ).returncode:
            pytest.skip("a plain user reaches no Python that has what the evaluator needs")
        done = subprocess.run(
            [python, "-B", "-m", "evaluator", "score", f"{place}/repo", "--json", "--settings", "-"],
            **user, input=json.dumps({**PRODUCED, "jail": "landlock"}), capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["event"], last.get("score")) == ("score", 5.0), (last, done.stderr)
    assert last["jail"] == "landlock"


FLOODS = {
    "one file": "f = open('f', 'wb')\nwhile True: f.write(bytes(1 << 20)); f.flush()",
    "many files": "i = 0\nwhile True:\n    open(f'{i}', 'wb').write(bytes(1 << 20)); i += 1",
    "names": "import os\ni = 0\nwhile True:\n    os.mkdir(f'{os.environ[\"TMPDIR\"]}/{i}'); i += 1",
    "threads": "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(9,)).start()",
    "processes": "import os, time\nfor _ in range(500): os.fork() or time.sleep(99)",
    "memory in descriptors": (
        "import os, time\nfor _ in range(99):\n    f = os.memfd_create('x')\n    os.write(f, bytes(20 << 20))\n"
        "    time.sleep(0.05)"
    ),
    "sockets": (
        "import socket, time\nkept = []\nfor _ in range(1500):\n    a, b = socket.socketpair(); a.setblocking(False)\n"
        "    a.send(bytes(150_000)); kept += [a, b]\ntime.sleep(30)"
    ),
}


IN_CI = (
    "many files",
    "processes",
    "sockets",
)  # the others are counted as in any jail, which `test_floods` shows


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param(name, id=name, marks=pytest.mark.long if name in IN_CI else pytest.mark.slow)
        for name in FLOODS
    ],
)
def test_floods_end_within_their_bounds(repo: Path, temporary: Path, flood: str) -> None:
    (repo / "bench.py").write_text(f"{FLOODS[flood]}\n")
    # The kernel of some disks takes a minute to remove 10,000 folders.
    bounds = {
        "scratch_mb": 4 if flood == "names" else 40,
        "memory_mb": 200,
        "processes": 32,
        "timeout_seconds": 60,
    }
    last = under("landlock", repo, {**CALLED, "call": [], **bounds}).last
    assert last["event"] == "failed" and last["class"] != "timeout", last
    assert last["defence"] == "limits" or "File too large" in last["reason"], last
    assert list(temporary.iterdir()) == []
    assert os.statvfs(repo).f_bavail > 0
