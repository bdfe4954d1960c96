"""The inputs of action and workflows: text that Python checks and no shell ever evaluates."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tests.actions.runner import called_by_others

PROJECT = Path(__file__).parents[2]
EVIL = (
    "words[$(touch reached)]", "$(touch reached)", "`touch reached`", "a[$(touch reached)0]", "0;touch reached",
    "0\ntouch reached", "-1", "0x10", "1e3", "08", "9" * 40, " 1", "1 ", "--help", "-h", "::error::x", "a'",
    "\u0661", "x" * 5_000, "../x", "%0A::stop-commands::x",
)  # fmt: skip
KEYS = {
    "NOCTURNE_ATTEMPT": ("next", "attempt"), "NOCTURNE_TRAINED": ("next", "trained"),
    "NOCTURNE_EXPERIMENT": ("train", "experiment"), "NOCTURNE_CAMPAIGN": ("iterate", "campaign"),
    "NOCTURNE_COMMAND": ("", "command"), "NOCTURNE_DATE": ("morning", "date"),
}  # fmt: skip


def step(folder: Path, given: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the step as the workflow does, with a `nocturne` that only says its words."""
    (folder / "bin").mkdir(exist_ok=True)
    program = folder / "bin" / "nocturne"
    program.write_text('#!/bin/sh\nfor word in "$@"; do echo "word:$word"; done\n')
    program.chmod(0o755)
    environ = {"PATH": os.environ["PATH"], "NOCTURNE_BIN": str(folder / "bin"), "RUNNER_TEMP": str(folder)}
    return subprocess.run(
        ["bash", str(PROJECT / ".github/action/run.sh")], cwd=folder, env={**environ, **given}, capture_output=True,
        text=True, check=False, timeout=60,
    )  # fmt: skip


def words(folder: Path, **given: str) -> list[str]:
    done = step(folder, {f"NOCTURNE_{name.upper()}": value for name, value in given.items()})
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.removeprefix("word:") for line in done.stdout.splitlines()]


def reader() -> ModuleType:
    spec = importlib.util.spec_from_file_location("action_run", PROJECT / ".github/action/run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("variable", KEYS)
def test_a_bad_input_is_named_in_one_line(variable: str, tmp_path: Path) -> None:
    run = reader()
    command, key = KEYS[variable]
    good = {
        "NOCTURNE_ATTEMPT": ("08",),
        "NOCTURNE_EXPERIMENT": ("08",),
        "NOCTURNE_CAMPAIGN": ("08", "0x10", "1e3"),
    }
    for text in EVIL:
        given = {
            "NOCTURNE_COMMAND": command,
            "NOCTURNE_EXPERIMENT": "1",
            "RUNNER_TEMP": str(tmp_path),
            variable: text,
        }
        if text in good.get(variable, ()):
            assert run.command(given)
            continue
        if variable == "NOCTURNE_CAMPAIGN" and text == "9" * 40:
            continue  # a name like any other
        with pytest.raises(run.BadInput) as refused:
            run.command(given)
        said = str(refused.value)
        assert said.startswith(f"{key}: ") and len(said) < 300 and said.isascii() and "\n" not in said


@pytest.mark.parametrize("variable", ["NOCTURNE_ATTEMPT", "NOCTURNE_COMMAND"])
def test_no_input_is_evaluated(variable: str, tmp_path: Path) -> None:
    command, key = KEYS[variable]
    done = step(tmp_path, {"NOCTURNE_COMMAND": command, "NOCTURNE_TRAINED": "false", variable: EVIL[0]})
    (line,) = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (2, "") and line.startswith(f"::error title=Nocturne::{key}: ")
    assert not (tmp_path / "reached").exists()


def test_good_inputs_become_words(tmp_path: Path) -> None:
    assert words(tmp_path, command="propose", campaign="night-2") == [
        "propose",
        "--finish-first",
        "--campaign",
        "night-2",
    ]
    handover = str(tmp_path / "nocturne-handover.json")
    assert words(tmp_path, command="train", experiment="12") == ["train", "12", "--handover", handover]
    assert words(tmp_path, command="next", attempt="2", trained="false") == ["next", "--attempt", "3"]
    assert words(tmp_path, command="next", attempt="08", trained="false") == ["next", "--attempt", "9"]
    assert words(tmp_path, command="morning", date="2026-11-30") == ["morning", "--date", "2026-11-30"]


def test_the_handover_is_a_file_or_none(tmp_path: Path) -> None:
    path = tmp_path / "nocturne-handover.json"
    text = '{"a": "$(touch reached) `x` \\u00e9 é"}\n'
    assert words(tmp_path, command="decide", experiment="1", handover=text)[0] == "decide"
    assert path.read_text() == text
    words(tmp_path, command="decide", experiment="1", handover="")
    assert not path.exists() and not (tmp_path / "reached").exists()


@pytest.mark.parametrize("text", ["-c", "$(touch reached)", "python3;x", "x\ny"])
def test_the_runners_python_is_a_program_and_nothing_else(text: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", str(PROJECT / ".github/action/setup.sh")], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "NOCTURNE_PYTHON": text, "NOCTURNE_ACTION": str(PROJECT)}, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2, done
    (line,) = done.stdout.splitlines()
    assert line.startswith("::error title=Nocturne::python: ")
    assert not list(tmp_path.iterdir())


def test_no_script_of_ours_looks_at_an_input() -> None:
    for path in [PROJECT / "action.yml", *called_by_others()]:
        text = path.read_text()
        for script in re.findall(r"(?m)^ +(?:- )?run: *(.*)$", text):
            assert re.fullmatch(r'bash "?[\w./$]+/(?:run|setup)\.sh"?', script.strip()), (path.name, script)
        assert yaml.safe_load(text)
    for name in ("run.sh", "setup.sh"):
        script = (PROJECT / ".github/action" / name).read_text()
        assert "((" not in script and not re.search(r"\beval\b|NOCTURNE_(?!BIN|ACTION|PYTHON)", script)
