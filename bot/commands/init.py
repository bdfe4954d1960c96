"""`nocturne init`: write the configuration into a repository, and with `--starter` a task."""

from __future__ import annotations

from pathlib import Path

from bot.config import CONFIG_PATH, parse
from bot.config_docs import commented_example
from bot.errors import UserError
from bot.evaluation import call_evaluator
from bot.git import Git
from bot.machine import gpu_names

# The starter where there is no GPU. Seconds on the wall would mean little beside whatever else a CPU does.
_ON_A_CPU = """
# The starter on a CPU: CPU seconds on one thread, so that what else the machine does changes little.
evaluator:
  budget: {kind: cpu}
  threads: 1
"""


def run(*, directory: Path, starter: bool) -> int:
    directory = directory.absolute()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{directory}: can't make this folder ({error.strerror}): choose another") from None
    git = Git.open(directory)
    if starter:
        write_starter(git.top)
    wrote = write_config(git.top, more=_ON_A_CPU if starter and not gpu_names() else "")
    for path in wrote:
        print(f"wrote {path}")
    if not wrote:
        print(f"{CONFIG_PATH} is there already: left as it is")
    for needed in ("train.py", "prepare.py", "program.md"):
        if not (git.top / needed).exists():
            print(f"{needed} is missing: add yours, or use `nocturne init --starter`")
    print("next: git add -A && git commit -m 'Add Nocturne' && nocturne run")
    return 0


def write_config(top: Path, *, more: str = "") -> list[str]:
    """Write the commented configuration, and `more` below it, where there is none; check one that is there."""
    path = top / CONFIG_PATH
    if path.exists():
        parse(path.read_text(errors="replace"), campaign=None)
        return []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(commented_example() + more)
    except OSError as error:
        raise UserError(f"{path}: can't write ({error.strerror}): mend the folder's rights") from None
    return [CONFIG_PATH]


def write_starter(top: Path) -> None:
    """Let the evaluator write the bundled task. Raises UserError where other files stand in the way."""
    print(call_evaluator("starter", str(top), timeout=120), end="")
