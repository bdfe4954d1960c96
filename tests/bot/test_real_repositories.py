"""The shapes are thirty different repositories, and six of them reach a first verdict here."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from bot.config import parse
from tests.benchmarks.repositories import __main__ as command
from tests.benchmarks.repositories.catalogue import SHAPES, Shape
from tests.benchmarks.repositories.trial import HERE, MEASURED, attempt, build, do, lacks, verdict

# With autoresearch's own, below, these have most of the habits: devices and an odd loader; an environment of its own
# and a src layout; torchrun; ignored data, a configurator and a pattern; shell, make, C and an exact metric.
TRIED = ("macos", "src_layout", "torchrun", "nanogpt", "c_program")
IN_CI = ("c_program",)
BY_NAME = {shape.name: shape for shape in SHAPES}
_DATA = {".yaml", ".toml", ".md", ".txt"}


def _scripts(shape: Shape) -> dict[str, str]:
    """Return the files of a shape but prepare.py and what holds no code, by what is in them."""
    folder = HERE / "shapes" / shape.name
    return {
        hashlib.sha256(path.read_bytes()).hexdigest(): path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.suffix not in _DATA
        and path.name not in ("prepare.py", "gitignore")
        and path.stat().st_size
    }


def test_there_are_at_least_24_and_each_folder_is_one() -> None:
    assert len(SHAPES) >= 24
    assert len(BY_NAME) == len(SHAPES)
    folders = {path.name for path in (HERE / "shapes").iterdir() if path.is_dir()}
    assert folders == set(BY_NAME)


def test_no_two_share_a_script() -> None:
    seen: dict[str, str] = {}
    for shape in SHAPES:
        for digest, name in _scripts(shape).items():
            assert digest not in seen, f"{shape.name}/{name} is {seen.get(digest)}"
            seen[digest] = f"{shape.name}/{name}"


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_what_the_user_wrote_is_a_valid_configuration(shape: Shape) -> None:
    _, config = parse(shape.told)
    for name in config.editable:
        assert (HERE / "shapes" / shape.name / name).is_file(), name


def test_those_that_keep_the_contract_were_told_nothing_but_where_and_how_to_start() -> None:
    for shape in SHAPES:
        if "kind: command" not in shape.told:
            assert shape.name in ("monorepo", "torchrun") or not shape.told, shape.name


def test_it_lists_names_and_refuses_unknown_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(BY_NAME)
    with pytest.raises(SystemExit):
        command.main(["--only", "no_such_shape"])


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_shape_without_a_verdict_is_told_and_ends_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = BY_NAME["sklearn_like"]
    wrong = Shape(shape.name, shape.habit, shape.told.replace("rmse", "no_such"), alone=shape.alone)
    monkeypatch.setattr(command, "SHAPES", (wrong,))
    assert command.main(["--keep", str(tmp_path / "kept")]) == 1
    said = capsys.readouterr().out
    assert "NO VERDICT" in said
    assert "no_such" in said.split("NO VERDICT")[1].split("─")[0]
    assert "$ nocturne " in (tmp_path / "kept" / shape.name / "log.txt").read_text()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.alone, pytest.mark.long] if name in IN_CI else pytest.mark.slow)
        for name in TRIED
    ],
)
def test_from_init_to_a_verdict(name: str, tmp_path: Path) -> None:
    shape = BY_NAME[name]
    absent = lacks(shape)
    if absent is not None:
        pytest.skip(absent)
    outcome = attempt(shape, tmp_path / "shape")
    log = (tmp_path / "shape" / "log.txt").read_text()
    assert outcome.verdict in MEASURED, f"{outcome.said}\n{log[-4000:]}"


@pytest.mark.alone
@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_three_lines_for_users_of_autoresearch_reach_a_verdict(tmp_path: Path) -> None:
    """What docs/repositories.md says, line by line, on the shape of autoresearch, with a shorter night."""
    page = (HERE.parents[2] / "docs/repositories.md").read_text()
    block = re.search(r"## From autoresearch in three lines\n.*?```sh\n(.*?)```", page, re.S)
    assert block is not None
    lines = [line for line in block[1].splitlines() if not line.startswith("pip install")]
    assert len(lines) == 2
    shape = BY_NAME["autoresearch"]
    absent = lacks(shape)
    if absent is not None:
        pytest.skip(absent)
    folder = tmp_path / "shape"
    build(shape, folder)
    ran = ""
    for line in lines:
        ran = do(folder, ["bash", "-ec", line.replace("--until 07:00", "-n 1")])
    assert verdict(folder, ran) in MEASURED, ran
