"""What every stage has at hand: repository, remote, ledger, forge, configuration, and who works."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bot import machine
from bot.agents.protocol import Proposer, Reviewer
from bot.config import CONFIG_PATH, Config, parse
from bot.display import Display
from bot.errors import UserError
from bot.evaluation import RunFolder
from bot.forge import Forge
from bot.forge.choose import open_forge
from bot.git import Git
from bot.git.remote import Remote, choose_remote
from bot.ledger import Ledger
from bot.ledger.store import LedgerStore
from bot.notify.notifier import Notifier, open_notifier
from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.rules.guards import Guard, parse_guard
from bot.rules.self_reported import self_reported
from bot.rules.statistics import Noise, pooled_noise
from bot.rules.stopping import Limits
from bot.rules.variation import Known

PRIOR_DEGREES = 3.0
PRIOR_SHARE = 0.001
# Settings that change nothing of what a run takes.
_TIMELESS = (
    *(
        "version",
        "metric",
        "editable",
        "min_effect",
        "evaluation_seconds",
        "timeout_seconds",
        "startup_seconds",
    ),
    *("warmup_seconds", "memory_mb", "scratch_mb", "processes"),
)


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
    may_run: bool = False
    """Whether candidates are run here: a job that only proposes never runs one."""

    @property
    def branch(self) -> str:
        """The campaign's branch, whose head is the incumbent."""
        return f"nocturne/{self.name}"

    def experiment_branch(self, number: int) -> str:
        return f"nocturne/exp/{self.name}/{number}"

    def rule(self) -> Rule:
        verdict = self.config.verdict
        return Rule(verdict.confidence, verdict.min_effect, verdict.min_runs, verdict.max_runs)

    def evaluator_settings(self) -> dict[str, Any]:
        """Return the evaluator's settings as it wants them: plain JSON. Guards are our business alone."""
        settings = {
            "version": 1,
            **self.config.evaluator.model_dump(mode="json", exclude={"guards"}),
            "editable": self.config.editable,
            "repository": str(self.git.top),
        }
        least = self.config.verdict.min_effect
        return settings | {"min_effect": least} if least > 0 else settings

    def reference_settings(self) -> str:
        """Return a digest of the settings that a reference's measures hold for; empty where no time is counted."""
        evaluator = self.config.evaluator
        if evaluator.kind != "train" or evaluator.budget.kind == "steps":
            return ""
        kept = {name: value for name, value in self.evaluator_settings().items() if name not in _TIMELESS}
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]

    def self_reported(self, commit: str) -> str | None:
        """Return why what `commit` scores is self-reported, None if it is measured behind a wall."""

        def read(path: str) -> str | None:
            content = self.git.read_blob(commit, path)
            return None if content is None else content.decode(errors="replace")

        task = self.config.evaluator
        return self_reported(task.kind, task.command, task.produce, self.config.editable, read)

    def guards(self) -> list[Guard]:
        """Return what a candidate must keep besides a better score."""
        return [parse_guard(text) for text in self.config.evaluator.guards]


def campaign_noise(campaign: Campaign, config: Config, runner: str, fingerprint: str | None) -> Noise:
    """Return the run-to-run noise on one scale (kind of runner and fingerprint), from its replicates and the prior."""
    return pooled_noise(
        campaign.score_groups(runner, fingerprint),
        prior_sigma=prior_sigma(campaign, config, fingerprint),
        prior_degrees=PRIOR_DEGREES,
    )


def known_variation(
    campaign: Campaign, config: Config, runner: str, fingerprint: str | None, *, without: Collection[str]
) -> Known:
    """Return what the replicates of commits other than those `without` tell of how runs vary on one scale."""
    groups = campaign.scored(runner, fingerprint)
    return Known(
        tuple(tuple(runs) for commit, runs in groups.items() if commit not in without),
        prior_sigma(campaign, config, fingerprint),
        PRIOR_DEGREES,
    )


def prior_sigma(campaign: Campaign, config: Config, fingerprint: str | None) -> float:
    """Return the noise to assume before replicates tell: as configured, else 0.1 % of the first incumbent's score with
    this fingerprint."""
    if config.verdict.prior_sigma is not None:
        return config.verdict.prior_sigma
    for commit in dict.fromkeys(campaign.incumbents):
        for score in campaign.scores_of(commit, fingerprint=fingerprint):
            if score:
                return abs(score) * PRIOR_SHARE
    return PRIOR_SHARE


def limits(config: Config, *, until: datetime | None = None) -> Limits:
    """Return the stop conditions of `config`, with an earlier deadline where one is given."""
    stop = config.stop
    deadline = datetime.fromisoformat(stop.deadline).astimezone() if stop.deadline else None
    if until is not None and (deadline is None or until < deadline):
        deadline = until
    return Limits(
        goal=stop.goal,
        experiments=stop.experiments,
        deadline=deadline,
        gpu_hours=stop.gpu_hours,
        cost_usd=stop.cost_usd,
        crashes_in_row=stop.crashes_in_row,
        plateau=stop.plateau,
        unread=config.max_unreviewed_merges or None,
        pauses=config.when_unreviewed == "pause",
    )


def on_own_base(context: Context, campaign: Campaign) -> Context:
    """Return the context with the campaign's base branch: as configured, else the one that it began on, whatever
    is checked out now."""
    if context.config.base is not None or campaign.started is None:
        return context
    return replace(context, base=campaign.started.base_branch)


def lease_until(config: Config, moment: datetime) -> datetime:
    return moment + timedelta(minutes=config.lease_minutes)


def read_config(git: Git, campaign: str | None) -> tuple[str, Config, str]:
    """Return the campaign's name, its configuration and base branch, as committed on the base branch.

    Never read from the working tree: what counts is what a human committed.
    """
    base = git.default_branch()
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


def _text(git: Git, commit: str, path: str) -> str:
    content = git.read_blob(commit, path)
    if content is None and (git.top / path).exists():
        raise UserError(f"{path} is not committed: run `git add {path} && git commit`")
    try:
        return (content or b"").decode()
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text: save it as UTF-8") from None


def open_context(
    path: Path, campaign: str | None, display: Display, environ: Mapping[str, str], proposer: Proposer
) -> Context:
    """Set up for the repository that holds `path`. Raises UserError where something is missing."""
    git = Git.open(path)
    name, config, base = read_config(git, campaign)
    remote = choose_remote(git, config.remote, environ)
    if remote.note:
        display.note(remote.note)
    git, forge = open_forge(git, remote, environ, display.note)
    holder = machine.holder_name()
    store = LedgerStore(git, remote.name_or_url, name)
    return Context(
        git=git,
        remote=remote,
        name=name,
        config=config,
        base=base,
        ledger=Ledger(store, holder, display.note),
        forge=forge,
        proposer=proposer,
        runs=RunFolder(git.common_dir / "nocturne" / name / "runs"),
        runner=config.runner or machine.runner_kind(),
        holder=holder,
        display=display,
        notifier=open_notifier(config.slack, environ),
    )
