"""`nocturne init` proposes a wall if the locked script imports what experiments may change."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import parse
from bot.rules.self_reported import self_reported
from bot.rules.wall import Wall, found_among, wanted
from tests.bot.repositories import git, nocturne

BENCH = "from solution import solve\nprint(f'METRIC seconds={solve(3)}')\n"


def repository(folder: Path, **files: str) -> Path:
    folder.mkdir()
    git(folder, "init", "--quiet")
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"bench.py": BENCH, "solution.py": ""}, Wall("bench.py", "solution.py", "seconds")),
        ({"bench.py": BENCH.replace("from solution import solve", "import solution"), "solution.py": ""},
         Wall("bench.py", "solution.py", "seconds")),
        ({"bench.py": BENCH, "solution.py": "", "other.py": BENCH}, None),  # which?
        ({"bench.py": BENCH.replace("METRIC", "it is"), "solution.py": ""}, None),
        ({"bench.py": "def (", "solution.py": ""}, None),
        ({"solution.py": ""}, None),
    ],
)  # fmt: skip
def test_the_task_of_a_repository_is_told_by_its_files(files: dict[str, str], found: Wall | None) -> None:
    assert found_among(sorted(files), files.get) == found


def test_a_command_that_imports_an_editable_file_lacks_a_wall() -> None:
    files = {"bench.py": BENCH, "solution.py": ""}
    command = ["python", "bench.py"]
    assert wanted(command, [], ["solution.py"], files.get) == Wall("bench.py", "solution.py")
    assert wanted(command, ["solution.py"], ["solution.py"], files.get) is None
    assert wanted(command, [], ["other.py"], files.get) is None


def test_init_writes_it_into_a_new_configuration(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", bench=BENCH, solution="def solve(n):\n    return n\n")
    said = nocturne(folder, "init").stdout
    assert said.count("bench.py imports solution.py") == 1 and "`evaluator.call`" in said
    _, config = parse((folder / ".github" / "nocturne.yml").read_text())
    task = config.evaluator
    assert (task.call, task.command, task.metric.name) == (["solution.py"], ["python", "bench.py"], "seconds")
    assert config.editable == ["solution.py"]
    assert self_reported(task.kind, task.command, [], config.editable, lambda path: BENCH, task.call) is None


def test_init_proposes_it_beside_a_configuration_that_lacks_it(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", bench=BENCH, solution="")
    (folder / ".github").mkdir()
    given = "editable: [solution.py]\nevaluator: {kind: command, command: [python, bench.py]%s}\n"
    config = folder / ".github" / "nocturne.yml"
    config.write_text(given % "")
    said = nocturne(folder, "init").stdout
    assert 'call: ["solution.py"]' in said and "left as it is" in said
    assert config.read_text() == given % ""
    config.write_text(given % ", call: [solution.py]")
    assert "evaluator.call" not in nocturne(folder, "init").stdout
