"""What is shown of Python is enough to run it, and not more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from evaluator.interpreter.interpreter import ask
from evaluator.jail.mounts import in_system
from evaluator.jail.python import python_paths
from tests.evaluator.jail.world import ROOT, World, start
from tests.evaluator.pythons import running_paths

IMPORTS = "import ctypes, json, lzma, sqlite3, ssl, sys; sys.stdout.write(sys.prefix + ' ' + sys.base_prefix)"


def test_paths_are_narrow() -> None:
    paths = running_paths()
    assert len(set(paths)) == len(paths)
    for path in paths:
        assert path.exists()
        assert not in_system(path)
        assert path not in (Path.home(), *Path.home().parents, Path(sys.prefix), Path(sys.base_prefix), ROOT)
        assert not any(path.is_relative_to(other) for other in paths if other != path)


def test_site_packages_are_there_and_an_editable_tree_is_not(host: World) -> None:
    code = f"import numpy, os; print(os.path.exists({str(ROOT / 'evaluator')!r}))"
    process = start(host.order("PYTHON", "-I", "-c", code, open_files=4096), stdout=-1, text=True)
    assert process.communicate(timeout=60)[0].strip() == "False"


def _paths_of(python: str) -> tuple[str, ...]:
    """Ask another interpreter what it needs."""
    return tuple(str(path) for path in python_paths(ask(Path(python), folder=Path("/"))))


def _runs(host: World, python: str) -> str:
    order = host.order(python, "-I", "-c", IMPORTS, read_only=_paths_of(python))
    process = start(order, stdout=-1, text=True)
    said: str = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    return said


def test_a_virtual_environment_runs(host: World, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True, timeout=60)
    assert _runs(host, str(venv / "bin" / "python")).split()[0] == str(venv)
    assert not any(path == str(tmp_path) for path in _paths_of(str(venv / "bin" / "python")))


def test_an_interpreter_behind_links_runs(host: World, tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "python").symlink_to(tmp_path / "second")
    (tmp_path / "second").symlink_to(Path(sys.executable))
    assert _runs(host, str(tmp_path / "tools" / "python"))


def test_the_system_s_python_needs_nothing_more(host: World) -> None:
    python = "/usr/bin/python3"
    if not os.access(python, os.X_OK):
        pytest.skip("no Python of the system")
    if subprocess.run([python, "-c", "import sys; assert sys.version_info >= (3, 10)"]).returncode:
        pytest.skip("the system's Python is older than 3.10")
    assert _paths_of(python) == ()
    assert _runs(host, python) == "/usr /usr"
