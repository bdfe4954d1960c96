"""The walls between the rooms: who may import whom, and what a command may load."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLIENTS = {
    "torch",
    "github",
    "anthropic",
    "slack_sdk",
    "requests",
    "numpy",
    "pydantic",
    "yaml",
    "rich",
}


IMPORT = re.compile(r"(?m)(?:^|[;:])[ \t]*(?:from[ \t]+([\w.]+)[ \t\\\n]+import\b|import[ \t]+([\w., \t]+))")


def imported(path: Path, wrong: Callable[[str], bool]) -> set[str]:
    """Return the top names of the modules that a file imports, anywhere in it, and that are `wrong`."""
    # To parse all files takes ten times as long as to look which of them may have such a line.
    alike = {
        place for found in IMPORT.findall(path.read_text()) for place in f"{found[0]},{found[1]}".split(",")
    }
    if not any(wrong(place.split()[0].split(".")[0]) for place in alike if place.split()):
        return set()
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return set(filter(wrong, names))


@pytest.mark.parametrize(("room", "forbidden"), [("bot", {"torch", "evaluator"}), ("evaluator", {"bot"})])
def test_rooms_do_not_import_each_other(room: str, forbidden: set[str]) -> None:
    files = list((ROOT / room).rglob("*.py"))
    assert len(files) > 20
    found = {str(path): imported(path, forbidden.__contains__) for path in files}
    assert {path: names for path, names in found.items() if names} == {}


def test_only_one_room_talks_to_claude() -> None:
    files = [path for path in (ROOT / "bot").rglob("*.py") if "claude" not in path.parts]
    found = {str(path): imported(path, {"anthropic", "httpx2"}.__contains__) for path in files}
    assert {path: names for path, names in found.items() if names} == {}


def test_an_import_is_seen_wherever_it_stands(tmp_path: Path) -> None:
    for text in (
        "import a, torch.nn as t",
        "if x: import torch",
        "def f():\n    from torch.x import (\n  y)",
        "x; import torch",
    ):
        (tmp_path / "a.py").write_text(f"{text}\n")
        assert imported(tmp_path / "a.py", {"torch"}.__contains__) == {"torch"}, text
    (tmp_path / "a.py").write_text('"""\nimport torch\n"""\nfrom .torch import x\n')
    assert imported(tmp_path / "a.py", {"torch"}.__contains__) == set()


def test_rules_import_nothing_but_python() -> None:
    known = sys.stdlib_module_names | {"bot"}
    for path in (ROOT / "bot/rules").rglob("*.py"):
        assert not imported(path, lambda name: name not in known), path
        text = path.read_text()
        assert "from bot.rules" in text or "from bot" not in text, path


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["--version"]])
def test_help_loads_no_client_library(words: list[str]) -> None:
    code = f"import sys; sys.argv[1:] = {words!r}\nfrom bot.commands.cli import main\n"
    code += "try: main()\nexcept SystemExit: pass\n"
    code += "print('LOADED', *sorted(name for name in sys.modules if '.' not in name))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split("LOADED")[1].split())
    assert loaded & CLIENTS == set()


def test_status_loads_no_large_library(tmp_path: Path) -> None:
    code = "import sys\nimport bot.commands.look\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert {"torch", "numpy", "anthropic", "evaluator"} & set(done.stdout.split()) == set()


def test_every_verb_of_the_command_line_has_its_function() -> None:
    from bot.commands.cli import GROUPS

    functions = [verb.at.partition(":")[::2] for members in GROUPS.values() for verb in members]
    modules = {path.stem for path in (ROOT / "bot/commands").glob("*.py")} - {"__init__", "session"}
    assert {module for module, _ in functions} == modules
    for module, function in functions:
        assert callable(getattr(importlib.import_module(f"bot.commands.{module}"), function))
