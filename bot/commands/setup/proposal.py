"""What `nocturne init` proposes to write, from what it sees; shown, and at a terminal asked, before it is written."""

from __future__ import annotations

from pathlib import Path

from bot.agents.claude.disclosure import disclosure
from bot.commands.setup.ask import ask
from bot.config import CONFIG_PATH, parse
from bot.git import Git
from bot.loop.machine import gpu_names
from bot.rules.found_task import find_task
from bot.rules.self_reported import Read

_MOST_FILES, _LARGEST = 5_000, 1 << 20
# The starter if there is no GPU. Seconds on the wall would mean little beside whatever else a CPU does.
_ON_A_CPU = """
# The starter on a CPU: CPU seconds on one thread, so that what else the machine does changes little.
evaluator:
  budget: {kind: cpu}
  threads: 1
"""


def reader(top: Path) -> Read:
    """Return what reads a file below `top` as text; it returns None for what is no file, or larger than 1 MiB."""

    def read(path: str) -> str | None:
        try:
            place = top / path
            return place.read_text(errors="replace") if place.stat().st_size <= _LARGEST else None
        except (OSError, ValueError):
            return None

    return read


def propose(git: Git, *, starter: bool) -> str:
    """Say what the repository seems to hold, and return the keys to write for it; none if it holds nothing known."""
    if starter:
        return "" if gpu_names() else _ON_A_CPU
    listed = git.run(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
    paths = sorted(path for path in listed.decode(errors="surrogateescape").split("\0") if path)
    task = find_task(paths[:_MOST_FILES], reader(git.top))
    if task is None:
        print(
            f"no script here clearly prints a held-out score: say in {CONFIG_PATH} which command runs, and how its"
            " score is printed (docs/repositories.md), if it is not train.py and prepare.py of autoresearch"
        )
        return ""
    print(f"{task.because}.")
    if not task.config:
        return ""
    shown = "".join(f"    {line}\n" for line in task.config.splitlines())
    print(f"So the configuration says:\n{shown}", end="")
    if task.wall is not None:
        print(task.wall.words)
    if ask("Is that right? Without a yes only defaults are written, commented out.") is False:
        return ""
    return f"\n# As `nocturne init` found it: {task.because}.\n{task.config}"


def may_claude(more: str) -> bool:
    """Say what Claude would see and cost with the keys `more`, and return whether it shall propose."""
    for sentence in disclosure(parse(f"{more}\nproposer: claude\n")[1]):
        print(sentence)
    print("the key is read from ANTHROPIC_API_KEY, by `nocturne run` and not before")
    return ask("Shall Claude propose? Without a yes the offline search does.") is not False
