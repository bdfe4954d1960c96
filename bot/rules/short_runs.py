"""What runs with a share of the budget (rungs) allow: to end an experiment early, or to go on. They win it nothing.

A candidate that is clearly worse than its incumbent with a quarter of the budget is given up there (successive
halving: Li et al. 2020, https://arxiv.org/abs/1810.05934); a tenth of those, drawn by number, runs in full all the same
and tells how many winners the others may have been. Both sides are measured with the same share of the budget.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from bot.rules import shares
from bot.rules.campaign import Campaign
from bot.rules.decision import NeedRun, decision_of
from bot.rules.events import ExperimentDecided, RunFinished
from bot.rules.experiment import Experiment
from bot.rules.lost_runs import is_lost
from bot.rules.noise import PRIOR_DEGREES, PRIOR_SHARE, campaign_noise
from bot.rules.statistics import pooled_noise

CLEARLY = 2.0
"""So many deviations of the difference a candidate must be worse by to be given up: of a winner whose short run stands
where its incumbent's does, one in 44 is lost."""
AUDITED = 0.1
"""Share of those below the bar that run in full all the same."""
INCUMBENT_RUNS = 2
"""What a candidate is compared with at a rung: so many short runs of its incumbent."""
REMEASURED = 10
"""After so many short runs of candidates the incumbent's are made anew: machines drift."""
Scale = tuple[str, str | None, float]  # kind of runner, fingerprint, share
TRIES = 2
"""Short runs of an incumbent that may fail before candidates run in full at once."""


@dataclass(frozen=True)
class Standing:
    """A short run beside its incumbent's: `gain` is positive if it is better, `bar` what it is given up below; both in
    score units."""

    score: float
    against: float
    gain: float
    bar: float
    sigma: float


def next_run(
    campaign: Campaign, number: int, rungs: Sequence[float], *, prior: float | None, runner: str
) -> NeedRun | ExperimentDecided | None:
    """Say what the short runs of an experiment ask for: another short run, or its end. None if it is to run in full.

    `rungs` are shares of the budget, rising; `prior` is the noise to assume, None for the usual share of the score;
    `runner` is the kind of machine that asks. What a human asked for runs in full at once.
    """
    experiment = campaign.experiments[number]
    candidate = experiment.candidate
    assert candidate is not None
    if experiment.asked_for or campaign.runs_of(candidate.commit):
        return None
    for share in rungs:
        mine = [run for run in campaign.tries_of(candidate.commit) if run.share == share and not is_lost(run)]
        if not mine:
            return NeedRun("candidate", "a short run tells whether it is promising", share)
        scored = [run for run in mine if run.score is not None]
        if not scored or _fails_short(campaign, candidate.parent, scored[-1]):
            return None
        wanted = _incumbent_lacks(campaign, candidate.parent, scored[-1])
        if wanted and scored[-1].runner != runner:
            return None
        if wanted:
            return NeedRun("incumbent", wanted, share)
        found = Scales(campaign, prior).standing(experiment, scored[-1])
        if found is not None and found.gain < found.bar and not is_audited(campaign, number):
            return _given_up(campaign, experiment, share, found)
    return None


class Scales:
    """The scores of a campaign's short runs by their scale, looked through once. `prior` is as for `next_run`."""

    def __init__(self, campaign: Campaign, prior: float | None) -> None:
        self._campaign, self._prior = campaign, prior
        self._scores: dict[Scale, dict[str, list[float]]] = {}
        self._noise: dict[Scale, float] = {}
        for run in campaign.runs.values():
            if run.score is not None and not run.is_full:
                self._scores.setdefault(_scale(run), {}).setdefault(run.commit, []).append(run.score)

    def standing(self, experiment: Experiment, run: RunFinished) -> Standing | None:
        """Return how a short run stands beside those of its incumbent; None if there are none on its scale."""
        scale = _scale(run)
        theirs = self._scores.get(scale, {}).get(experiment.parent, [])[-2 * INCUMBENT_RUNS :]
        if run.score is None or not theirs:
            return None
        sign = -1.0 if self._campaign.direction == "minimize" else 1.0
        against, sigma = fmean(theirs), self._sigma(scale, run.score)
        bar = -CLEARLY * sigma * math.sqrt(1 + 1 / len(theirs))
        return Standing(run.score, against, sign * (run.score - against), bar, sigma)

    def _sigma(self, scale: Scale, score: float) -> float:
        """Return the deviation of short runs on a scale: as replicates tell, and no smaller than that of whole runs."""
        if scale not in self._noise:
            assumed = abs(score) * PRIOR_SHARE or PRIOR_SHARE
            sigma = pooled_noise(
                self._scores[scale].values(),
                prior_sigma=assumed if self._prior is None else self._prior,
                prior_degrees=PRIOR_DEGREES,
            ).sigma
            whole = self._campaign.scale
            known = 0.0 if whole is None else campaign_noise(self._campaign, self._prior, *whole).sigma
            self._noise[scale] = max(sigma, known)
        return self._noise[scale]


def is_audited(campaign: Campaign, number: int) -> bool:
    """Whether an experiment runs in full though its short run is below the bar: the same answer every time."""
    started = campaign.started
    of = f"{started.campaign}/{started.seed}" if started is not None else ""
    digest = hashlib.sha256(f"rung/{of}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < AUDITED * 2**64


def _scale(run: RunFinished) -> Scale:
    return run.runner, run.fingerprint, run.share


def _short_runs(campaign: Campaign, commit: str, like: RunFinished) -> list[float]:
    """Return the scores of a commit's runs on the scale of a short run, first to last."""
    runs = campaign.tries_of(commit)
    return [run.score for run in runs if run.score is not None and _scale(run) == _scale(like)]


def _fails_short(campaign: Campaign, commit: str, like: RunFinished) -> bool:
    """Whether an incumbent can't be measured with a share of the budget."""
    runs = [run for run in campaign.tries_of(commit, runner=like.runner) if run.share == like.share]
    failed = [run for run in runs if run.score is None or run.fingerprint != like.fingerprint]
    return len(failed) >= TRIES and not _short_runs(campaign, commit, like)


def _incumbent_lacks(campaign: Campaign, commit: str, like: RunFinished) -> str:
    """Return why an incumbent needs another short run; "" if it does not."""
    if len(_short_runs(campaign, commit, like)) < INCUMBENT_RUNS:
        return "measured with the same share of the budget"
    newest = max(campaign.run_places[r.run] for r in campaign.tries_of(commit) if _scale(r) == _scale(like))
    since = [run for run in list(campaign.runs.values())[newest + 1 :] if _scale(run) == _scale(like)]
    return f"{len(since)} short runs since its last one" if len(since) > REMEASURED else ""


def _given_up(campaign: Campaign, experiment: Experiment, share: float, found: Standing) -> ExperimentDecided:
    """End an experiment by its short run. Its score stands on another scale: the verdict states no effect."""
    said = (
        f"a {shares.run_words(share)} stands at {found.score:.6g} {campaign.metric}, its incumbent's at"
        f" {found.against:.6g}: worse by {-found.gain:.2g}, clearly more than the noise of {found.sigma:.2g}"
    )
    return decision_of(experiment, "discarded", reason=said, lesson="")
