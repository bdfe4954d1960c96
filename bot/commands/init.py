"""What is put into a repository."""

from __future__ import annotations

import os
from pathlib import Path

from bot.commands.setup.ask import ask, ask_for
from bot.commands.setup.first_look import first_look
from bot.commands.setup.next_steps import next_steps
from bot.commands.setup.proposal import may_claude, propose
from bot.commands.uninstall import note_written
from bot.config import CONFIG_PATH, campaigns, parse
from bot.config.docs import commented_example
from bot.errors import UserError
from bot.git import Git
from bot.git.command import blot
from bot.git.remote import choose_remote
from bot.github.source import own_action
from bot.github.workflows import (
    COMMANDS_PATH,
    MORNING_PATH,
    Form,
    caller,
    commands_caller,
    morning_caller,
    path_of,
    pinned,
)
from bot.loop.evaluation import call_evaluator

# USD for proposals that were made while another trained, and dropped: so no GPU waits for Claude.
_AHEAD = 2.0


def init(
    *, directory: Path, starter: bool, github: Form | None, action: str | None, runs_on: str, remote: str | None,
    no_remote: bool, claude: bool, runners: int = 1,
) -> int:  # fmt: skip
    """Write the configuration into a repository, and with `--starter` a task."""
    if runners > 1 and github is None:
        raise UserError(
            f"--runners {runners}: it says for how many runners workflows are written: add --github"
        )
    if runners > 1 and github == "three":
        raise UserError(
            f"--runners {runners}: a training job that can't write can't keep an experiment to itself, so several"
            " chains need --github one"
        )
    directory = directory.absolute()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{directory}: can't make this folder ({error.strerror}): choose another") from None
    git = Git.open(directory)
    shared = _shared(git, remote, no_remote=no_remote, github=github is not None)
    source = _action(action) if github is not None else ""
    if starter:
        print(write_starter(git.top), end="")
    wrote = _configure(git, shared, starter=starter, claude=claude)
    text = (git.top / CONFIG_PATH).read_text(errors="replace")
    labels = runs_on.split(",")
    if github is not None:
        wrote += write_workflows(git.top, text, form=github, action=source, labels=labels, runners=runners)
    note_written(git, wrote)
    for path in wrote:
        print(f"wrote {path}")
    if CONFIG_PATH not in wrote:
        print(f"{CONFIG_PATH} is there already: left as it is")
    for line in first_look(git, text):
        print(line)
    for line in next_steps(git.top, text, changed=bool(wrote) or starter, labels=labels if github else None):
        print(line)
    return 0


def _action(given: str | None) -> str:
    """Return OWNER/NAME@COMMIT of the action: what was said, else where this installation comes from, else asked."""
    if given is not None:
        return pinned(given)
    known, why = own_action(os.environ)
    if known is not None:
        return known
    said = f"--action: this Nocturne does not know from which commit on GitHub it comes ({why})"
    answer = ask_for(f"{said}. Where is it, as OWNER/NAME@COMMIT?")
    if not answer:
        raise UserError(f"{said}: add --action OWNER/NAME@COMMIT")
    return pinned(answer)


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


def _configure(git: Git, remote: str | None, *, starter: bool, claude: bool) -> list[str]:
    """Write a configuration that fits what is there, if there is none, and say what it says; check one that is."""
    path = git.top / CONFIG_PATH
    if path.exists():
        if claude:
            raise UserError(f"--claude: {CONFIG_PATH} is there already: write `proposer: claude` into it")
        campaigns(path.read_text(errors="replace"))
        return []
    more = propose(git, starter=starter)
    given: dict[str, str | float] = {} if remote is None else {"remote": remote}
    if claude and may_claude(more):
        given |= {"proposer": "claude", "ahead": _AHEAD}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(commented_example(given) + more)
    except OSError as error:
        raise UserError(f"{path}: can't write ({error.strerror}): fix the folder's rights") from None
    return [CONFIG_PATH]


def write_workflows(
    top: Path, config: str, *, form: Form, action: str, labels: list[str], runners: int = 1
) -> list[str]:
    """Write the workflows that run the loop on GitHub, one for each of so many `runners`, and answer comments; one that
    is there stays as it is.

    `config` is the text of the configuration, `action` OWNER/NAME@COMMIT. Raises UserError if the configuration keeps
    the campaign elsewhere.
    """
    names = campaigns(config)
    _, first = parse(config, campaign=names[0])
    if first.remote not in (None, "origin"):
        raise UserError(
            f"{CONFIG_PATH}: remote: {first.remote}: workflows keep the campaign on GitHub: write `remote: origin`"
        )
    texts = {
        path_of(chain): caller(
            form=form, action=action, campaign=names[0], labels=labels, config=CONFIG_PATH, chain=chain
        )
        for chain in range(1, runners + 1)
    } | {
        COMMANDS_PATH: commands_caller(action),
        MORNING_PATH: morning_caller(action),
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


def write_starter(top: Path) -> str:
    """Let the evaluator write the bundled task; return what it says it wrote. Raises UserError if other files stand in
    the way."""
    return call_evaluator("starter", str(top), timeout=120)
