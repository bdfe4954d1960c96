"""On macOS and Windows: what trains says in one line that it needs Linux, and the rest works.

No such machine is at hand. What is missing there is taken away before our code is imported: the name of the system,
and on Windows the modules that only Unix has.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bot.repositories import make_repository
from tests.families import few

ROOT = Path(__file__).parents[2]
UNIX = ("fcntl", "resource", "pwd", "grp", "termios", "pty", "tty")
# Libraries of others ask for the system while they are imported: they do so before.
ELSEWHERE = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import importlib
if sys.argv[2] == "bot" and sys.argv[3] not in ("run", "demo", "iterate", "train", "doctor"):
    import anthropic, asyncio, ctypes, github, httpx2, multiprocessing, PIL.Image, pydantic, requests
    import rich.console, rich.live, rich.table, slack_sdk, subprocess, yaml, zoneinfo
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in {UNIX!r}:
            raise ModuleNotFoundError(name)
system, package = sys.argv[1:3]
if system == "win32":
    sys.meta_path.insert(0, Missing())
    for name in {UNIX!r}:
        sys.modules.pop(name, None)
sys.platform = system
place = "evaluator.cli" if package == "evaluator" else "bot.commands.cli"
sys.exit(importlib.import_module(place).main(sys.argv[3:]))
"""
SYSTEMS = ("darwin", "win32")


def there(system: str, package: str, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ELSEWHERE, system, package, *words], cwd=folder, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("words", [("run",), ("demo",), ("iterate",), ("train",), ("doctor", "--quick")])
def test_what_trains_needs_linux(tmp_path: Path, system: str, words: tuple[str, ...]) -> None:
    done = there(system, "bot", *words, folder=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"nocturne: {words[0]} needs Linux") and done.stderr.count("\n") == 1
    assert "WSL2" in done.stderr and "init, status, show and report work here" in done.stderr


@pytest.mark.parametrize("system", few(("win32", "darwin"), 0, in_ci=1))
def test_what_is_only_read_or_written_works(tmp_path: Path, system: str) -> None:
    top = make_repository(tmp_path / "repo")
    for words in (("init",), ("report",)):
        done = there(system, "bot", *words, folder=top)
        assert done.returncode == 0, (words, done.stderr)
    done = there(system, "bot", "show", "1", folder=top)
    assert done.returncode == 2 and "there is no experiment 1" in done.stderr


@pytest.mark.parametrize("system", few(SYSTEMS, 1))
def test_the_evaluator_says_so_too(tmp_path: Path, system: str) -> None:
    for words in (("score", "."), ("prepare", "."), ("python", "."), ("jail",)):
        done = there(system, "evaluator", *words, folder=tmp_path)
        assert done.returncode == 2 and "scoring needs Linux" in done.stderr and done.stderr.count("\n") == 1
    assert there(system, "evaluator", "starter", "task", folder=tmp_path).returncode == 0
    assert (tmp_path / "task" / "train.py").is_file()
