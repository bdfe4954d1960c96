"""What a campaign's ledger, or another tool's log that it took over, tells of proposals and of runs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median

from bot.rules import shares
from bot.rules.campaign import Campaign
from bot.rules.claims import gain_of
from bot.rules.experiment import Experiment
from bot.rules.noise import PRIOR_SHARE
from bot.rules.rung_record import gain_pairs
from bot.rules.short_runs import INCUMBENT_RUNS, PASSING, Scales
from bot.rules.tracking import track

LEAST = 5
"""With fewer experiments nothing is fitted."""
LUCK = 0.7  # of the noise: what the best score of a "keep if lower" owes to it
_BEST_OF = 1.2  # of the noise: the error of a gain on such a best score
_UNKNOWN = 1.0  # spread of the logarithm: how far the noise may be off if only a log is known
_MOST = 250  # newest experiments
_CRASHED, _CRASHES = 0.12, 8  # usual share of crashes, and how many experiments that counts for
_SHORTER, _SHORTERS = 0.05, 8


@dataclass(frozen=True)
class Seen:
    """What one proposal gained on its incumbent in its first runs, in score units, positive if better; `error` is the
    deviation of that in deviations of a run. `place` counts proposals from 0."""

    place: int
    gain: float
    error: float


@dataclass(frozen=True)
class Known:
    """What simulated campaigns are fitted to.

    `experiments` counts all of them, `seen` has those with a score. `sigma` is the deviation of one run, `spread` how
    uncertain its logarithm is, `drift` what a run's time adds to the level's variance, in sigma squared. `luck`: by how
    much what was beaten was too good, in sigma. `pairs`: gains in short and in whole runs of the same candidates.
    Costs are in whole runs; `whole` is what one takes, in seconds, None if nobody knows.
    """

    experiments: int
    seen: tuple[Seen, ...]
    first: float
    sigma: float
    spread: float
    crashes: float
    shorter: float
    maximize: bool
    drift: float = 0.0
    luck: float = 0.0
    pairs: tuple[tuple[float, float], ...] = ()
    short_cost: float = 0.25
    crash_cost: float = 0.3
    whole: float | None = None


def of_ledger(campaign: Campaign, prior_sigma: float | None = None) -> Known | None:
    """Return what a campaign's own experiments tell; None before `LEAST` of them have a score, or if the incumbent has
    none. `prior_sigma` is the noise to assume before replicates tell."""
    scale = campaign.scale
    if scale is None:
        return None
    tracked = track(campaign, campaign.incumbent, *scale, prior_sigma)
    done = [e for e in campaign.finished() if e.proposal is not None and not e.asked_for and e.candidate]
    tried = [each for each in done if each.verdict != "lost" and campaign.tries_of(_commit(each))][-_MOST:]
    scales, seen = Scales(campaign), []
    for place, each in enumerate(tried):
        found = _seen(campaign, each, place, scales)
        if found is not None:
            seen.append(found)
    if tracked is None or len(seen) < LEAST:
        return None
    crashed = sum(each.verdict in ("crashed", "rejected") for each in tried)
    shorter = sum(each.candidate.removed > each.candidate.added for each in tried if each.candidate)
    runner, share = scale[0], _share(campaign)
    whole = [r.seconds for r in campaign.full_runs() if r.runner == runner and r.score is not None]
    failed = [r.seconds for r in campaign.full_runs() if r.runner == runner and r.score is None]
    usual = median(whole) or 1.0
    return Known(
        experiments=len(tried),
        seen=tuple(seen),
        first=_first(campaign),
        sigma=tracked.sigma,
        spread=1 / math.sqrt(2 * max(tracked.degrees, 1.0)),
        crashes=_shrunken(crashed, len(tried), _CRASHED, _CRASHES),
        shorter=_shrunken(shorter, len(tried), _SHORTER, _SHORTERS),
        maximize=campaign.direction == "maximize",
        drift=tracked.drift,
        pairs=tuple(gain_pairs(campaign, share)) if share else (),
        short_cost=min(shares.relative_cost(campaign, runner, share) or share, 1.0) if share else 0.25,
        crash_cost=min(median(failed) / usual, 1.0) if failed else 0.3,
        whole=usual,
    )


def of_log(campaign: Campaign) -> Known | None:
    """Return what a log says that the campaign took over from another tool (`nocturne import`); None if it holds too
    little. Its tool kept what was lower once, and nobody knows its noise."""
    claims = list(campaign.claims.known.values())[-_MOST:]
    scores = [claim.score for claim in claims if claim.score is not None]
    seen = tuple(
        Seen(place, gain_of(claim, campaign.direction), _BEST_OF)
        for place, claim in enumerate(claims)
        if claim.score is not None and claim.against is not None
    )
    if len(seen) < LEAST:
        return None
    crashed = sum(claim.status == "crashed" for claim in claims)
    return Known(
        experiments=len(claims),
        seen=seen,
        first=scores[0],
        sigma=PRIOR_SHARE * (abs(scores[0]) or 1.0),
        spread=_UNKNOWN,
        crashes=_shrunken(crashed, len(claims), _CRASHED, _CRASHES),
        shorter=_SHORTER,
        maximize=campaign.direction == "maximize",
        luck=LUCK,
    )


def _seen(campaign: Campaign, experiment: Experiment, place: int, scales: Scales) -> Seen | None:
    """Return what an experiment's first kind of run shows: the short one if it had one, for all had that whatever
    they showed; else the whole ones. None without a score."""
    short = [r for r in campaign.tries_of(_commit(experiment)) if not r.is_full and r.score is not None]
    if short:
        found = scales.standing(experiment, short[0], PASSING)
        return None if found is None else Seen(place, found.gain, math.sqrt(1 + 1 / INCUMBENT_RUNS))
    decision = experiment.decision
    if decision is None or decision.effect is None or not decision.candidate_runs:
        return None
    gain = -decision.effect if campaign.direction == "minimize" else decision.effect
    error = math.sqrt(1 / decision.candidate_runs + 1 / max(decision.incumbent_runs, 1))
    return Seen(place, gain, error)


def _commit(experiment: Experiment) -> str:
    assert experiment.candidate is not None
    return experiment.candidate.commit


def _share(campaign: Campaign) -> float | None:
    """Return the shortest share of the budget that candidates ran with; None if all had the whole one."""
    tried = {run.share for run in campaign.runs.values() if not run.is_full and run.experiment is not None}
    return min(tried, default=None)


def _first(campaign: Campaign) -> float:
    scored = (run.score for run in campaign.full_runs() if run.score is not None)
    return next(scored, 1.0)


def _shrunken(found: int, among: int, usual: float, weight: int) -> float:
    return (found + usual * weight) / (among + weight)
