"""Kind command: any locked script that prints its metrics, with nothing installed but Python."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import yaml

import evaluator
from evaluator import settings
from evaluator.command.locked import fingerprint
from evaluator.command.metrics import Reader, medians
from evaluator.jail.unjailed import Unjailed
from evaluator.job import Job
from tests.evaluator.pythons import running_task
from tests.evaluator.runs import Outcome, score, starter
from tests.families import few

SETTINGS = {
    "kind": "command",
    "command": ["python", "bench.py"],
    "metric": {"name": "accuracy", "direction": "maximize"},
    "timeout_seconds": 20,
}


def bench(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "bench.py").write_text(text)
    (folder / "train.py").write_text("VALUE = 0.75\n")
    return folder


def test_metric_lines_and_json_lines_are_read(tmp_path: Path) -> None:
    text = (
        "import json, os, train\n"
        "print('METRIC accuracy=0.5')\n"
        "print('step 1 | loss: 2.5')\n"
        "print('METRIC accuracy =', train.VALUE)\n"
        "print(json.dumps({'latency_ms': 12, 'name': 'x', 'seed': int(os.environ['NOCTURNE_SEED'])}))\n"
    )
    outcome = score(bench(tmp_path / "repo", text), SETTINGS, "--seed", "9", "--out", str(tmp_path / "out"))
    assert outcome.returncode == 0, outcome.last
    last = outcome.last
    assert (last["metric"], last["score"], last["direction"]) == ("accuracy", 0.75, "maximize")
    assert last["metrics"]["latency_ms"] == 12
    assert last["metrics"]["seed"] == last["seed"] == 9
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == last


@pytest.mark.xfail(
    strict=True, reason="a metric counts whoever prints it: the file that is tried is imported beside it"
)
def test_a_metric_that_the_tried_file_prints_itself_is_no_score(tmp_path: Path) -> None:
    repo = bench(tmp_path / "repo", "import train\nprint('METRIC accuracy =', train.VALUE)\n")
    (repo / "train.py").write_text("import os\nprint('METRIC accuracy=0.99', flush=True)\nos._exit(0)\n")
    assert score(repo, SETTINGS).last["event"] == "failed"


def test_only_finite_numbers_are_metrics_and_the_last_word_counts() -> None:
    lines = [
        "METRIC a=1",
        "METRIC a=2e3",
        "METRIC b=nan",
        '{"c": Infinity, "d": true, "e": -1}',
        "{[",
        "METRIC f",
    ]
    reader = Reader(settings.Metric(name=""))
    for line in [*lines, "[" * 100_000, '{"e": 1e999, "a/b": 3}']:
        reader.line(line)
    reader.close()
    assert reader.found == {
        "a": 2000.0,
        "e": -1.0,
        "a/b": 3.0,
    }


def test_the_median_of_each_metric_counts_and_one_must_be_there_every_time() -> None:
    assert medians([{"a": 1.0, "b": 5.0}, {"a": 9.0}, {"a": 2.0, "b": 5.0}]) == {"a": 2.0}
    assert medians([{"a": 1.0}, {"a": 2.0}]) == {"a": 1.5}


REPEATED = """\
import os, pathlib, random
home = pathlib.Path(os.environ["HOME"])
assert list(home.iterdir()) == [], "somebody was here before"
(home / "mark").touch()
print(f"METRIC accuracy={random.random():.9f}")
print("METRIC always=2", end="")
"""


def test_a_repeated_measurement_is_fresh_every_time_and_its_median_counts(tmp_path: Path) -> None:
    repo = bench(tmp_path / "repo", REPEATED)
    outcome = score(repo, {**SETTINGS, "repeats": 3}, "--out", str(tmp_path / "out"))
    assert outcome.returncode == 0, outcome.last
    log = (tmp_path / "out" / "log.txt").read_text()
    said = [float(text) for text in re.findall(r"METRIC accuracy=([\d.]+)", log)]
    assert len(set(said)) == 3 and re.findall(r"command, run \d of 3", log) == [
        f"command, run {turn} of 3" for turn in (1, 2, 3)
    ]
    assert outcome.last["score"] == sorted(said)[1]
    assert outcome.last["metrics"]["always"] == 2


def test_a_measurement_that_fails_once_fails_the_run(tmp_path: Path) -> None:
    text = "import os\nif not os.environ['HOME'].endswith('1'): raise ValueError('bad')\nprint('METRIC accuracy=1')\n"
    outcome = score(bench(tmp_path / "repo", text), {**SETTINGS, "repeats": 2})
    assert (outcome.last["event"], outcome.last["reason"]) == ("failed", "ValueError: bad")


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    few(
        [
            ("print('METRIC other=1')\n", "no_metric", "no finite metric 'accuracy'"),
            ("print('METRIC accuracy=nan')\n", "nan", "'accuracy' is not a finite number"),
            ("print('{\"accuracy\": -Infinity}')\n", "nan", "'accuracy' is not a finite number"),
            (
                "print('METRIC accuracy=-1e155')\n",
                "nan",
                "the accuracy of -1e+155 is beyond 1e+30 in magnitude",
            ),
            ("print('{\"accuracy\": 1' + '0' * 300 + '}')\n", "nan", "is beyond 1e+30 in magnitude"),
            ("print('METRIC accuracy=1')\nraise ValueError('bad')\n", "error", "ValueError: bad"),
            (
                "import time\nprint('METRIC accuracy=1', flush=True)\ntime.sleep(60)\n",
                "timeout",
                "still running after 1",
            ),
        ],
        2,
        in_ci=4,
    ),
)
def test_a_command_that_fails_has_no_score(tmp_path: Path, text: str, kind: str, reason: str) -> None:
    seconds = 1 if kind == "timeout" else 60
    outcome = score(bench(tmp_path / "repo", text), {**SETTINGS, "timeout_seconds": seconds})
    assert outcome.returncode == 1
    assert (outcome.last["event"], outcome.last["class"]) == ("failed", kind)
    assert reason in outcome.last["reason"]


def test_the_fingerprint_changes_with_what_measures_and_not_with_what_is_measured(tmp_path: Path) -> None:
    def mark(repo: Path, command: list[str]) -> str:
        return str(score(repo, {**SETTINGS, "command": command}).events[0]["fingerprint"])

    repo = bench(tmp_path / "repo", "print('METRIC accuracy=1')\n")
    command = ["python", "bench.py", "train.py"]
    first = mark(repo, command)
    (repo / "train.py").write_text("VALUE = 1\n")
    assert mark(repo, command) == first
    assert mark(repo, [*command, "-v"]) != first
    (repo / "bench.py").write_text("print('METRIC accuracy=2')\n")
    assert mark(repo, command) != first


def test_the_fingerprint_covers_folders_that_are_named_what_produces_and_how_often(tmp_path: Path) -> None:
    def mark(**more: object) -> str:
        chosen = settings.parse({**SETTINGS, **more}, "settings")
        return fingerprint(Job(repo, chosen, seed=0, began=0.0, jail=Unjailed(), python=running_task(repo)))

    repo = bench(tmp_path / "repo", "print('METRIC accuracy=1')\n")
    (repo / "exam").mkdir()
    (repo / "exam" / "labels.txt").write_text("a\n")
    produce = ["python", "-c", "pass"]
    seen = [mark(), mark(repeats=2), mark(produce=produce), mark(command=["python", "bench.py", "exam"])]
    assert mark(data=["exam"]) == seen[0]  # every locked file counts, named or not
    (repo / "exam" / "labels.txt").write_text("b\n")
    seen += [mark(data=["exam"]), mark(command=["python", "bench.py", "exam"])]
    assert len(set(seen)) == len(seen)
    now = mark()
    assert now not in seen[:4]
    (repo / "notes.md").write_text("not named\n")
    assert mark() == now


@pytest.mark.parametrize("checkout", [False, True])
def test_the_fingerprint_covers_every_locked_file_that_can_measure(tmp_path: Path, checkout: bool) -> None:
    """What a script imports, and what `sh -c`, `make` or `python -m` find, is named nowhere."""

    def mark() -> str:
        chosen = settings.parse({**SETTINGS, "command": ["sh", "-c", "python bench.py"]}, "settings")
        return fingerprint(Job(repo, chosen, seed=0, began=0.0, jail=Unjailed(), python=running_task(repo)))

    repo = bench(tmp_path / "repo", "import helper\n")
    (repo / "lib").mkdir()
    if checkout:
        subprocess.run(["git", "init", "-q", str(repo)], check=True)
        (repo / ".gitignore").write_text("cache/\n")
    seen = [mark()]
    for path in ("helper.py", "bench.py", "lib/data.json", "Makefile"):
        (repo / path).write_text(f"{path}\n")
        seen.append(mark())
    assert len(set(seen)) == len(seen)
    (repo / ".github").mkdir()
    (repo / "__pycache__").mkdir()
    (repo / "cache").mkdir()
    silent = [
        "train.py",
        "README.md",
        "lib/notes.md",
        "LICENSE",
        ".github/nocturne.yml",
        "__pycache__/helper.pyc",
    ]
    for path in (*silent, *(["cache/rows.bin"] if checkout else [])):
        (repo / path).write_text("other\n")
        assert mark() == seen[-1], path
    (repo / "gone").symlink_to("nowhere")
    assert mark() != seen[-1]


@pytest.mark.parametrize(
    ("data", "said"),
    [("answers", "data: answers: no such file or folder"), ("..", "data: ..: holds the whole repository")],
)
def test_data_that_would_stay_in_sight_is_refused(tmp_path: Path, data: str, said: str) -> None:
    repo = bench(tmp_path / "repo", "print('METRIC accuracy=1')\n")
    outcome = score(repo, {**SETTINGS, "data": [data]})
    assert outcome.returncode == 2 and said in outcome.stderr and outcome.stderr.count("\n") == 1


def test_a_command_that_can_not_be_started_is_the_users_to_mend(tmp_path: Path) -> None:
    repo = bench(tmp_path / "repo", "")
    outcome = score(repo, {**SETTINGS, "command": ["nocturne-has-no-such-program"]})
    assert outcome.returncode == 2
    assert (
        outcome.stderr.count("\n") == 1 and "nocturne-has-no-such-program: can't be started" in outcome.stderr
    )


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python that has the evaluator and PyYAML, and neither torch nor numpy."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    libraries = folder / "libraries"
    libraries.mkdir()
    for name in ("evaluator", "nocturne_candidate"):
        (libraries / name).symlink_to(Path(evaluator.__file__).parents[1] / name)
    (libraries / "yaml").symlink_to(Path(yaml.__file__).parent)
    site = next((folder / "venv" / "lib").glob("python*/site-packages"))
    (site / "evaluator.pth").write_text(f"{libraries}\n")
    return str(folder / "venv" / "bin" / "python")


def run_bare(python: str, repo: Path, chosen: object) -> Outcome:
    probe = subprocess.run(
        [python, "-I", "-c", "import evaluator, yaml, importlib.util as u; print(u.find_spec('torch'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert probe.stdout == "None\n"
    return score(repo, chosen, python=python, prepare=False)  # type: ignore[arg-type]


def test_without_numpy_a_command_is_still_scored(tmp_path: Path, bare_python: str) -> None:
    repo = bench(tmp_path / "repo", "print('METRIC accuracy=0.25')\n")
    assert run_bare(bare_python, repo, SETTINGS).last["score"] == 0.25


def test_without_torch_a_training_says_how_to_get_it(tmp_path: Path, bare_python: str) -> None:
    # numpy is a dependency of the package, so only torch may be missing: lend it the one we have.
    import numpy

    libraries = Path(bare_python).parents[2] / "libraries"
    for name in ("numpy", "numpy.libs"):
        if (Path(numpy.__file__).parents[1] / name).exists():
            (libraries / name).symlink_to(Path(numpy.__file__).parents[1] / name)
    outcome = run_bare(bare_python, starter(tmp_path / "repo"), {})
    assert outcome.returncode == 2
    assert outcome.stderr.startswith("error: python: none was found with torch and numpy, to train: ")
    assert outcome.stderr.count("\n") == 1
    assert (
        f"{bare_python} (the Python that runs Nocturne) has no torch: {bare_python} -m pip install torch"
        in (outcome.stderr)
    )


@pytest.mark.long
def test_a_command_costs_little_more_than_two_starts_of_python(tmp_path: Path) -> None:
    """Against the same interpreter doing nothing, so that a slow machine changes both, and by CPU time, for
    time by the clock is twice as long beside a busy neighbour."""
    repo = bench(tmp_path / "repo", "print('METRIC accuracy=1')\n")

    def cpu_seconds() -> float:
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        return spent.ru_utime + spent.ru_stime

    def usual(command: list[str]) -> float:
        """CPU seconds of a run, with those of the processes that it starts; the middle one of five."""
        spent = []
        for _ in range(5):
            before = cpu_seconds()
            subprocess.run(command, input=json.dumps(SETTINGS), text=True, capture_output=True, check=True)
            spent.append(cpu_seconds() - before)
        return sorted(spent)[2]

    start = usual([sys.executable, "-I", "-c", "import argparse, subprocess, json"])
    whole = usual([sys.executable, "-I", "-m", "evaluator", "score", str(repo), "--settings", "-"])
    assert whole < 14 * start
