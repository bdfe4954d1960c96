"""What is put into a repository."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from bot.commands.ask import ask
from bot.commands.uninstall import note_written
from bot.config import CONFIG_PATH, campaigns, parse
from bot.config.docs import commented_example
from bot.errors import UserError
from bot.git import Git
from bot.git.command import blot
from bot.git.remote import choose_remote
from bot.github.workflows import (
    COMMANDS_PATH,
    MORNING_PATH,
    WORKFLOW_PATH,
    Form,
    caller,
    commands_caller,
    morning_caller,
    own_action,
)
from bot.loop.evaluation import call_evaluator
from bot.loop.machine import gpu_names
from bot.rules.wall import Wall, found_among, wanted

# The starter if there is no GPU. Seconds on the wall would mean little beside whatever else a CPU does.
_ON_A_CPU = """
# The starter on a CPU: CPU seconds on one thread, so that what else the machine does changes little.
evaluator:
  budget: {kind: cpu}
  threads: 1
"""

_REMAINS = """\
next: git add -A && git commit -m 'Add Nocturne' && git push
On GitHub there remains to do:
  Settings, Actions, General: allow GitHub Actions to create and approve pull requests
  Settings, Actions, Runners: a self-hosted runner with the labels {labels}, with bubblewrap, git and python3-venv
  then Actions, Nocturne, Run workflow; secrets are not needed
For messages in Slack: the secret SLACK_BOT_TOKEN and the key slack.channel, or the secret SLACK_WEBHOOK_URL\
"""


def init(
    *, directory: Path, starter: bool, github: Form | None, action: str | None, runs_on: str, remote: str | None,
    no_remote: bool,
) -> int:  # fmt: skip
    """Write the configuration into a repository, and with `--starter` a task."""
    directory = directory.absolute()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{directory}: can't make this folder ({error.strerror}): choose another") from None
    git = Git.open(directory)
    shared = _shared(git, remote, no_remote=no_remote, github=github is not None)
    if starter:
        write_starter(git.top)
    more = _ON_A_CPU if starter and not gpu_names() else ""
    wall = _wall(git.top)
    wrote = write_config(
        git.top, remote=shared, more=more or (wall.config if wall is not None and wall.metric else "")
    )
    if github is not None:
        wrote += write_workflows(git.top, form=github, action=action, labels=runs_on.split(","))
    note_written(git, wrote)
    for path in wrote:
        print(f"wrote {path}")
    if not wrote:
        print(f"{CONFIG_PATH} is there already: left as it is")
    if wall is not None:
        print(wall.words)
    for needed in _missing(git.top):
        print(f"{needed} is missing: add yours, or use `nocturne init --starter`")
    if github is None:
        print("next: git add -A && git commit -m 'Add Nocturne' && nocturne run")
    else:
        print(_REMAINS.format(labels=runs_on, path=WORKFLOW_PATH))
    return 0


def _shared(git: Git, remote: str | None, *, no_remote: bool, github: bool) -> str | None:
    """Return the remote that the configuration is to name: what was said, else asked; None keeps all in the clone."""
    if remote is not None and no_remote:
        raise UserError("--remote, --no-remote: they contradict each other: leave one out")
    if github and no_remote:
        raise UserError("--no-remote: with --github the campaign is on GitHub: leave one of them out")
    if (git.top / CONFIG_PATH).exists():
        if remote is not None:
            raise UserError(f"--remote: {CONFIG_PATH} is there already: write `remote: {remote}` into it")
        return None
    if remote is not None:
        if remote != "embedded":
            choose_remote(git, remote, os.environ)
        return remote
    if github:
        return "origin"
    names = git.run(["remote"]).decode(errors="replace").split()
    if no_remote or not names:
        return None
    name = "origin" if "origin" in names else names[0]
    there = f"{name} ({blot(git.remote_url(name) or name)})"
    answer = ask(
        f"Shall the campaign's branches, ledger and pull requests go to {there}? Whoever may read that repository"
        " sees them. Without a yes everything stays in this clone."
    )
    if answer is None:
        print(
            f"everything stays in this clone, and nothing goes to {there}: --remote {name} would change that"
        )
    return name if answer else None


def _wall(top: Path) -> Wall | None:
    """Return the wall that the task lacks, by its configuration or, if there is none and no train.py, by its files."""

    def read(path: str) -> str | None:
        try:
            return (top / path).read_text(errors="replace")
        except (OSError, ValueError):
            return None

    text = read(CONFIG_PATH)
    if text is None:
        paths = sorted(path.name for path in top.glob("*.py"))
        return None if "train.py" in paths else found_among(paths, read)
    _, config = parse(text, campaign=campaigns(text)[0])
    task = config.evaluator
    return wanted(task.command, (*task.call, *task.produce), config.editable, read)


def _missing(top: Path) -> list[str]:
    """Return which of the files that the configuration asks for are not there."""
    text = (top / CONFIG_PATH).read_text(errors="replace")
    _, config = parse(text, campaign=campaigns(text)[0])
    needed = [*config.editable, config.program]
    if config.script is not None:
        folders = PurePosixPath(config.script).parents
        places = [str(folder / "prepare.py") for folder in folders]
        found = next((path for path in places if (top / path).exists()), places[0])
        needed = [config.script, found, *needed]
    return [path for path in dict.fromkeys(needed) if not (top / path).exists()]


def write_config(top: Path, *, remote: str | None = None, more: str = "") -> list[str]:
    """Write the commented configuration, which names `remote`, and `more` below it, if there is none; check one that
    is there."""
    path = top / CONFIG_PATH
    if path.exists():
        parse(path.read_text(errors="replace"), campaign=None)
        return []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(commented_example({} if remote is None else {"remote": remote}) + more)
    except OSError as error:
        raise UserError(f"{path}: can't write ({error.strerror}): fix the folder's rights") from None
    return [CONFIG_PATH]


def write_workflows(top: Path, *, form: Form, action: str | None, labels: list[str]) -> list[str]:
    """Write the workflows that run the loop on GitHub and answer comments; one that is there stays as it is."""
    known = action or own_action()
    if known is None:
        raise UserError(
            "--action: this Nocturne does not know from which commit on GitHub it comes: add"
            " --action OWNER/NAME@COMMIT"
        )
    names = campaigns((top / CONFIG_PATH).read_text(errors="replace"))
    loop = caller(form=form, action=known, campaign=names[0], labels=labels, config=CONFIG_PATH)
    texts = {
        WORKFLOW_PATH: loop,
        COMMANDS_PATH: commands_caller(known),
        MORNING_PATH: morning_caller(known),
    }
    return [name for name, text in texts.items() if _write_workflow(top, name, text)]


def _write_workflow(top: Path, name: str, text: str) -> bool:
    path = top / name
    if path.exists():
        if path.read_text(errors="replace") != text:
            print(f"{name} is there already: left as it is; delete it to have it written anew")
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise UserError(f"{path}: can't write ({error.strerror}): fix the folder's rights") from None
    return True


def write_starter(top: Path) -> None:
    """Let the evaluator write the bundled task. Raises UserError if other files stand in the way."""
    print(call_evaluator("starter", str(top), timeout=120), end="")
