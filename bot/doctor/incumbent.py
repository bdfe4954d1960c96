"""Two runs of the incumbent with different seeds: those that the ledger has, or new ones."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from statistics import fmean

from bot.loop.commits import require_commit
from bot.loop.context import Context
from bot.loop.evaluation import RunOrder
from bot.loop.files import base_commit, check_tree
from bot.loop.measure import measure
from bot.loop.plan import budget_of
from bot.loop.settings import cuts_of, evaluator_settings
from bot.rules.campaign import Campaign
from bot.rules.schedule import run_id, seed_of, subject_of
from bot.tell.sentences import what_is_scored

NEEDED = 2


@dataclass(frozen=True)
class Draw:
    """One run: its seed, its score or why there is none, how long it took, what its score is made of, and which metrics
    it has `reported`."""

    seed: int
    score: float | None
    failure: str
    seconds: float
    fresh: bool = False
    tokens: str = ""
    reported: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Draws:
    """The newest runs of one commit on one kind of machine; `fresh` of them were made just now."""

    commit: str
    runner: str
    runs: tuple[Draw, ...]
    fresh: int
    too_long: float | None = None
    """Seconds that a run takes at least, if it was not made for that."""

    @property
    def scores(self) -> list[float]:
        return [run.score for run in self.runs if run.score is not None]

    @property
    def seconds(self) -> float | None:
        """Mean time of a run, None if there is none."""
        taken = [run.seconds for run in self.runs if run.seconds > 0]
        return fmean(taken) if taken else None


def draws(context: Context, campaign: Campaign, *, patience: float) -> Draws:
    """Return the newest two runs of the incumbent, and make those that are missing if that takes less than `patience`
    seconds: what is known to take longer is not begun, and what turns out to is given up, before a campaign has begun.

    In a campaign that has begun, a new run goes to the ledger under its lease, as the loop's own do. Before
    that nothing is written anywhere but into this clone, and the loop takes the runs up when it begins. So
    no run is paid for twice. Raises `UserError` if a run can't be made at all.
    """
    begun = campaign.started is not None
    commit = campaign.incumbent if begun else base_commit(context)
    runner, known = _recorded(campaign, commit, context.runner)
    if len(known) >= NEEDED or patience <= 0:
        return Draws(commit, runner, tuple(known[-NEEDED:]), 0)
    _, known = _recorded(campaign, commit, context.runner, only=context.runner)
    require_commit(context, commit)
    check_tree(context, commit)
    expected = _expected(context, campaign, commit)
    if expected is not None and expected * (NEEDED - len(known)) > patience:
        return Draws(commit, runner, tuple(known[-NEEDED:]), 0, too_long=expected)
    made: list[Draw] = []
    until = time.monotonic() + patience
    while len(known) + len(made) < NEEDED:
        try:
            run = (
                _recorded_run(context, commit) if begun else _kept_run(context, commit, len(made) + 1, until)
            )
        except _TooLong:
            return Draws(commit, context.runner, (*known, *made), len(made), too_long=patience)
        if run is None:
            break
        made.append(run)
        if run.score is None:
            break
    return Draws(commit, context.runner, (*known, *made)[-NEEDED:], sum(run.fresh for run in made))


class _TooLong(Exception):
    """A run takes longer than somebody waits for it."""


def _expected(context: Context, campaign: Campaign, commit: str) -> float | None:
    """Return how many seconds a run takes at least: by the ledger, else by its budget; None if neither tells."""
    taken = [run.seconds for run in campaign.runs.values() if run.score is not None]
    return fmean(taken) if taken else budget_of(context, commit)


def _recorded(
    campaign: Campaign, commit: str, mine: str, *, only: str | None = None
) -> tuple[str, list[Draw]]:
    """Return the kind of machine with most scores of `commit`, and these runs of one fingerprint; `mine` wins ties."""
    groups: dict[tuple[str, str | None], list[Draw]] = {}
    for run in campaign.runs_of(commit, runner=only):
        if run.score is not None:
            found = groups.setdefault((run.runner, run.fingerprint), [])
            found.append(Draw(run.seed, run.score, "", run.seconds, tokens=what_is_scored(run.metrics)))
    if not groups:
        return mine, []
    best = max(groups, key=lambda key: (len(groups[key]), key[0] == mine))
    return best[0], groups[best]


def _recorded_run(context: Context, commit: str) -> Draw | None:
    """Make a run as the loop makes it; None if another loop makes it at this moment."""
    run = measure(context, commit, experiment=None, title="incumbent: for the doctor")
    if run is None:
        return None
    reason = (run.failure or {}).get("reason", "")
    tokens = what_is_scored(run.metrics)
    return Draw(run.seed, run.score, reason or "failed", run.seconds, fresh=True, tokens=tokens)


def _kept_run(context: Context, commit: str, replicate: int, until: float) -> Draw:
    """Make the run that the loop would make first, and leave its result where the loop looks for it.

    A failure is not left there: it may be this machine's, and fixed before the loop begins. Raises _TooLong if the
    monotonic clock passes `until`.
    """
    seed = seed_of(context.config.seed, subject_of(Campaign(), commit), replicate)
    heard: list[object] = []  # nothing if the result of an earlier examination is picked up

    def hear(event: object) -> None:
        heard.append(event)
        if time.monotonic() > until:
            raise _TooLong

    with context.runs.scratch() as scratch:
        context.git.export(commit, scratch.tree)
        settings, cuts = evaluator_settings(context), cuts_of(context, Campaign())
        if cuts is not None:
            cuts["--against"] = tuple(run_id(commit, number) for number in range(1, replicate))
        order = RunOrder(run_id(commit, replicate), scratch, seed, settings, cuts=cuts)
        outcome = context.runs.evaluate(order, hear)
    if outcome.score is None:
        shutil.rmtree(context.runs.folder / order.run, ignore_errors=True)
    reason = (outcome.failure or {}).get("reason", "")
    tokens = what_is_scored(outcome.metrics)
    return Draw(
        seed,
        outcome.score,
        reason or "failed",
        outcome.seconds,
        fresh=bool(heard),
        tokens=tokens,
        reported=frozenset(outcome.metrics),
    )
