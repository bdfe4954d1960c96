"""What every stage has at hand: repository, remote, ledger, forge, configuration, and who works."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.agents.protocol import Proposer, Researcher, Reviewer
from bot.base.workflow import workflow_run
from bot.config import CONFIG_PATH, Config, parse
from bot.errors import UserError
from bot.forge import Forge
from bot.forge.choose import open_forge
from bot.git import Git
from bot.git.remote import Remote, choose_remote
from bot.git.user_state import default_branch
from bot.ledger import Ledger
from bot.ledger.holder import holder_name
from bot.ledger.store import LedgerStore
from bot.loop.device import Meanwhile
from bot.loop.evaluation import RunFolder
from bot.loop.machine import runner_kind
from bot.notify.notifier import Notifier
from bot.notify.ways import open_notifier
from bot.rules.campaign import Campaign
from bot.rules.events import Event
from bot.tell.display import Display


@dataclass(frozen=True)
class Context:
    """Everything a stage needs besides the campaign's state."""

    git: Git
    remote: Remote
    name: str
    config: Config
    base: str
    ledger: Ledger
    forge: Forge
    proposer: Proposer
    runs: RunFolder
    runner: str
    holder: str
    display: Display
    notifier: Notifier | None = None
    reviewer: Reviewer | None = None
    """Who checks after the rules have; None: the rules alone."""
    researcher: Researcher | None = None
    """Who writes mechanisms for the outer loop; None: nobody."""
    may_run: bool = False
    """Whether candidates are run here: a job that only proposes never runs one."""
    where: str = ""
    """The address of the workflow run that this is part of; empty outside of one."""
    meanwhile: Meanwhile | None = None
    """What else is done while a run trains; None: nothing."""

    @property
    def branch(self) -> str:
        """The campaign's branch, whose head is the incumbent."""
        return f"nocturne/{self.name}"

    def experiment_branch(self, number: int) -> str:
        return f"nocturne/exp/{self.name}/{number}"


@dataclass(frozen=True)
class Done:
    """What a stage has done: `events` for the ledger, with `files` beside them.

    `anew` is asked instead of `events` if what is to be written depends on what others wrote meanwhile.
    """

    events: Sequence[Event] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    anew: Callable[[Campaign], Sequence[Event]] | None = None


def read_config(git: Git, campaign: str | None) -> tuple[str, Config, str]:
    """Return the campaign's name, its configuration and base branch, as committed on the base branch.

    Never read from the working tree: what counts is what a human committed.
    """
    base = default_branch(git)
    commit = git.resolve(base)
    if commit is None:
        raise UserError(f"{git.top}: branch {base!r} has no commit yet: run `git add -A && git commit` first")
    name, config = parse(_text(git, commit, CONFIG_PATH), campaign=campaign)
    if config.base is not None and config.base != base:
        if git.resolve(config.base) is None:
            raise UserError(f"{CONFIG_PATH}: base: there is no branch {config.base!r} in this repository")
        base = config.base
        name, config = parse(_text(git, base, CONFIG_PATH), campaign=campaign)
    return name, config, base


# Where people put the file who have not looked where it belongs.
_MISPLACED = (".github/nocturne.yaml", "nocturne.yml", "nocturne.yaml", ".nocturne.yml", ".nocturne.yaml")


def _text(git: Git, commit: str, path: str) -> str:
    content = git.read_blob(commit, path)
    if content is None and (git.top / path).exists():
        raise UserError(f"{path} is not committed: run `git add {path} && git commit`")
    misplaced = next((each for each in _MISPLACED if content is None and git.read_blob(commit, each)), None)
    if misplaced is not None:
        raise UserError(
            f"{misplaced} is not read: `mkdir -p .github && git mv {misplaced} {path}`, and commit"
        )
    try:
        return (content or b"").decode()
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text: save it as UTF-8") from None


def open_context(
    path: Path, campaign: str | None, display: Display, environ: Mapping[str, str], proposer: Proposer
) -> Context:
    """Set up for the repository that holds `path`. Raises UserError if something is missing."""
    git = Git.open(path)
    name, config, base = read_config(git, campaign)
    remote = choose_remote(git, config.remote, environ)
    if remote.note:
        display.note(remote.note)
    git, forge = open_forge(git, remote, environ, display.note)
    holder = holder_name()
    store = LedgerStore(git, remote.name_or_url, name)
    return Context(
        git=git,
        remote=remote,
        name=name,
        config=config,
        base=base,
        ledger=Ledger(store, holder, display.note, cache=git.common_dir / "nocturne" / name / "folded"),
        forge=forge,
        proposer=proposer,
        runs=RunFolder(git.common_dir / "nocturne" / name / "runs"),
        runner=config.runner or runner_kind(),
        holder=holder,
        display=display,
        notifier=open_notifier(config.slack, environ),
        where=workflow_run(environ),
    )
