"""What the configuration says, as rules and evaluator want it: limits, noise, settings of a run."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.config import Config
from bot.loop.commits import require_commit
from bot.loop.context import Context
from bot.rules import shares
from bot.rules.audits import LEAST_EFFECT, USUAL, factor
from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.rules.guards import Guard, parse_guard
from bot.rules.judging import Settings
from bot.rules.noise import campaign_noise
from bot.rules.rung_record import paying
from bot.rules.self_reported import self_reported
from bot.rules.statistics import Noise
from bot.rules.stopping import Limits

_MOST_PAIRED = 8  # runs; more would lessen the error of a comparison by a thirtieth
BOTS_OWN = {"guards", "rungs"}
"""Keys of `evaluator` that the evaluator never hears of."""
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
    *("warmup_seconds", "memory_mb", "scratch_mb", "processes", "cuts"),
)


def rule_of(config: Config, campaign: Campaign) -> Rule:
    """Return the rule by which the campaign's verdicts are reached."""
    verdict = config.verdict
    rule = Rule(verdict.aim, verdict.min_effect or 0.0)
    least = verdict.min_runs or rule.min_runs
    return replace(rule, min_runs=least, max_runs=max(least, verdict.max_runs or rule.max_runs))


def decision_keys(config: Config) -> dict[str, str]:
    """Return what verdicts are reached by, as the ledger records it: the keys that decide, and their values."""
    keys = {f"verdict.{name}": value for name, value in config.verdict.model_dump(mode="json").items()}
    keys |= {f"evaluator.{name}": getattr(config.evaluator, name) for name in sorted(BOTS_OWN)}
    del keys["verdict.confidence"]  # is read as an aim
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in keys.items()}


def least_effect(config: Config, campaign: Campaign) -> float:
    """Return the smallest gain that audits must tell from none, in score units: as configured, else as it was when the
    campaign began."""
    if config.verdict.min_effect is not None:
        return config.verdict.min_effect
    return default_effect(config) if campaign.started is None else campaign.started.min_effect


def default_effect(config: Config) -> float:
    """Return the smallest gain that counts if nobody says: for scores in bits per byte that of `bot.rules.audits`."""
    measured = config.evaluator.kind == "train" and config.evaluator.metric.name == "val_bpb"
    return LEAST_EFFECT if measured else 0.0


def audits_are_made(config: Config) -> bool:
    """Whether runs are audited: those that train a model are."""
    return config.evaluator.kind == "train"


def audit_settings(
    context: Context, campaign: Campaign, commit: str, experiment: int | None
) -> dict[str, int]:
    """Return what the evaluator is told of the audit of the next run of `commit`, nothing if it is as usual."""
    times = factor(campaign, commit, experiment) if audits_are_made(context.config) else USUAL
    return {"audit_factor": times} if times != USUAL else {}


def guards_of(config: Config) -> list[Guard]:
    """Return what a candidate must keep besides a better score."""
    return [parse_guard(text) for text in config.evaluator.guards]


def rungs_of(context: Context, campaign: Campaign) -> tuple[float, ...]:
    """Return the shares of the budget with which a candidate runs before it runs in full, rising; none if it does at
    once. `auto` takes those that are worth it on this kind of runner, and pay in this campaign."""
    known = known_rungs(context.config, campaign)
    if isinstance(context.config.evaluator.rungs, list):
        return known
    found = shares.worthwhile(campaign, context.runner, known)
    if not found or not can_take_part(context, campaign.incumbent):
        return ()
    return paying(campaign, found)


def known_rungs(config: Config, campaign: Campaign) -> tuple[float, ...]:
    """Return the shares of the budget that any machine may give a run of this campaign: what is configured counts, else
    a campaign that began without rungs goes on without."""
    chosen = config.evaluator.rungs
    if isinstance(chosen, list):
        return tuple(chosen)
    began = campaign.started is None or campaign.started.rungs
    return () if chosen == "off" or (chosen is None and not began) else shares.TRIED


def can_take_part(context: Context, commit: str) -> bool:
    """Whether a run can be given a share of its budget: a training always, a command if a word of it, or a locked file
    that it names, mentions the share."""
    task = context.config.evaluator
    if task.kind == "train":
        return True
    words = [*task.produce, *task.command]
    paths = [word.removeprefix("./") for word in words if word not in context.config.editable]
    blobs = context.git.read_blobs(
        commit, [path for path in paths if path and not path.startswith(("-", "/"))]
    )
    texts = [os.fsencode(word) for word in words] + [blob for blob in blobs.values() if blob is not None]
    return any(shares.VARIABLE.encode() in text for text in texts)


def judging_settings(context: Context, campaign: Campaign) -> Settings:
    """Return what a verdict depends on besides the campaign."""
    config = context.config
    return Settings(
        rule_of(config, campaign),
        prior_sigma=config.verdict.prior_sigma,
        guards=tuple(guards_of(config)),
        runner=context.runner,
        least_effect=least_effect(config, campaign),
        rungs=rungs_of(context, campaign),
    )


def evaluator_settings(context: Context) -> dict[str, Any]:
    """Return the evaluator's settings as it wants them: plain JSON. Guards are our business alone."""
    config = context.config
    settings = {
        "version": 1,
        **config.evaluator.model_dump(mode="json", exclude=BOTS_OWN),
        "editable": config.editable,
        "repository": str(context.git.top),
    }
    if config.evaluator.call:
        settings["reference"] = _reference_texts(context)
    least = config.verdict.min_effect
    return settings | {"min_effect": least} if least else settings


def _reference_texts(context: Context) -> dict[str, str]:
    """Return the editable files of the last commit that a human wrote: what candidates' calls are timed against."""
    known = context.ledger.known().reference
    if known:
        require_commit(context, known)
    commit = known or context.git.resolve(context.base)
    blobs = context.git.read_blobs(commit, context.config.editable) if commit else {}
    return {path: blob.decode(errors="replace") for path, blob in blobs.items() if blob is not None}


def reference_settings(context: Context) -> str:
    """Return a digest of the settings that a reference's measures hold for; empty if no time is counted."""
    evaluator = context.config.evaluator
    if evaluator.kind != "train" or evaluator.budget.kind == "steps":
        return ""
    kept = {name: value for name, value in evaluator_settings(context).items() if name not in _TIMELESS}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]


def can_have_cuts(config: Config) -> bool:
    """Whether targets can be kept from all runs: there is validation text, a jail, and cuts are wanted."""
    return config.evaluator.kind == "train" and config.evaluator.jail != "none" and config.evaluator.cuts != 0


def cuts_of(context: Context, campaign: Campaign) -> dict[str, tuple[str, ...]] | None:
    """Return the runs with which a run's gain is paired at the cuts, by the evaluator's option: the incumbent's, and
    those of the last commit that a human wrote. None if no cuts are asked.

    Without a jail there is no secret, and a job on GitHub may have none.
    """
    if not can_have_cuts(context.config) or not context.runs.cuts.are_asked():
        return None

    def scored(commit: str) -> tuple[str, ...]:
        runs = campaign.runs_of(commit, runner=context.runner)
        return tuple(run.run for run in runs if run.score is not None)[-_MOST_PAIRED:]

    if not campaign.incumbents:
        return {}
    since = campaign.reference if campaign.reference != campaign.incumbent else ""
    return {"--against": scored(campaign.incumbent), "--since": scored(since)}


def why_self_reported(context: Context, commit: str) -> str | None:
    """Return why what `commit` scores is self-reported, None if it is measured behind a wall."""

    def read(path: str) -> str | None:
        content = context.git.read_blob(commit, path)
        return None if content is None else content.decode(errors="replace")

    task = context.config.evaluator
    return self_reported(task.kind, task.command, task.produce, context.config.editable, read, task.call)


def noise_of(campaign: Campaign, config: Config, runner: str, fingerprint: str | None) -> Noise:
    """Return the run-to-run noise on one scale (kind of runner and fingerprint)."""
    return campaign_noise(campaign, config.verdict.prior_sigma, runner, fingerprint)


def limits(config: Config, *, until: datetime | None = None) -> Limits:
    """Return the stop conditions of `config`, with an earlier deadline where one is given."""
    stop = Limits(
        **vars(config.stop),
        unread=config.most_unread,
        pauses=config.when_unreviewed == "pause",
    )
    if until is None or (stop.end is not None and stop.end <= until):
        return stop
    return replace(stop, deadline=until.isoformat())
