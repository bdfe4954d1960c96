"""What came of a campaign's short runs: how they agree with whole ones, and how many winners they may have cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import comb
from statistics import fmean

from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.experiment import Experiment
from bot.rules.short_runs import Scales, is_audited

CONFIDENCE = 0.9
LEAST_PAIRS = 5
"""With fewer a rank agreement says nothing."""


@dataclass(frozen=True)
class RungRecord:
    """The short runs with one `share` of the budget.

    `tried` experiments had one; `given_up` ended by it; `audited` ran in full though they were below the bar, and
    `winners` of them were merged. `agreement` is Spearman's between the gains over the incumbent in short and in whole
    runs, of the `pairs` that had both; None if these are too few.
    """

    share: float
    tried: int
    given_up: int
    audited: int
    winners: int
    pairs: int
    agreement: float | None

    @property
    def lost(self) -> float | None:
        """Winners among the given up, as the audited ones let expect; None if none was audited."""
        return self.given_up * self.winners / self.audited if self.audited else None

    @property
    def lost_at_most(self) -> float:
        """Winners among the given up, with 90 % confidence (Clopper and Pearson, one-sided)."""
        return self.given_up * upper_share(self.winners, self.audited, CONFIDENCE)

    def to_json(self) -> dict[str, float | int | None]:
        """Return it for scripts."""
        return {**asdict(self), "lost": self.lost, "lost_at_most": self.lost_at_most}


def rung_records(campaign: Campaign, prior: float | None) -> tuple[RungRecord, ...]:
    """Return what came of the short runs with each share of the budget, rising; none if there were none. `prior` is as
    for `bot.rules.short_runs.next_run`."""
    tried = sorted({run.share for run in campaign.runs.values() if not run.is_full and run.experiment})
    scales = Scales(campaign, prior)
    return tuple(_record(campaign, share, scales) for share in tried)


def _record(campaign: Campaign, share: float, scales: Scales) -> RungRecord:
    tried = given_up = audited = winners = 0
    pairs: list[tuple[float, float]] = []
    for experiment in campaign.experiments.values():
        own = [run for run in _tries(campaign, experiment) if run.share == share and run.score is not None]
        if not own:
            continue
        tried += 1
        longer = any(run.share > share for run in _tries(campaign, experiment))
        found = scales.standing(experiment, own[-1])
        if not longer and experiment.verdict == "discarded":
            given_up += 1
        elif longer and found is not None:
            if found.gain < found.bar and is_audited(campaign, experiment.number):
                audited += 1
                winners += experiment.verdict == "improved"
            gain = _whole_gain(campaign, experiment)
            pairs += [] if gain is None else [(found.gain, gain)]
    agreement = spearman(pairs) if len(pairs) >= LEAST_PAIRS else None
    return RungRecord(share, tried, given_up, audited, winners, len(pairs), agreement)


def _tries(campaign: Campaign, experiment: Experiment) -> Sequence[RunFinished]:
    return campaign.tries_of(experiment.candidate.commit) if experiment.candidate is not None else ()


def _whole_gain(campaign: Campaign, experiment: Experiment) -> float | None:
    """Return the gain of an experiment's whole runs over its incumbent's on their scale, positive if better."""
    assert experiment.candidate is not None
    scale = campaign.scale_of(experiment.candidate.commit)
    if scale is None:
        return None
    runner, print_ = scale
    mine = campaign.scores_of(experiment.candidate.commit, runner=runner, fingerprint=print_)
    theirs = campaign.scores_of(experiment.parent, runner=runner, fingerprint=print_)
    if not mine or not theirs:
        return None
    sign = -1.0 if campaign.direction == "minimize" else 1.0
    return sign * (fmean(mine) - fmean(theirs))


def spearman(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Return the rank correlation of pairs, ties shared; None if one side does not vary."""
    if len(pairs) < 2:
        return None
    left, right = (_ranks([pair[side] for pair in pairs]) for side in (0, 1))
    middle = (len(pairs) + 1) / 2
    across = sum((a - middle) * (b - middle) for a, b in zip(left, right, strict=True))
    spread = [sum((rank - middle) ** 2 for rank in ranks) for ranks in (left, right)]
    return across / (spread[0] * spread[1]) ** 0.5 if spread[0] and spread[1] else None


def _ranks(values: Sequence[float]) -> list[float]:
    ranks: dict[float, float] = {}
    done = 0
    for value, times in sorted(Counter(values).items()):
        ranks[value] = done + (times + 1) / 2
        done += times
    return [ranks[value] for value in values]


def upper_share(found: int, among: int, confidence: float) -> float:
    """Return the largest share that is not too improbable if `found` of `among` have it (Clopper and Pearson, 1934)."""
    if found >= among:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(40):
        share = (low + high) / 2
        as_few = sum(comb(among, k) * share**k * (1 - share) ** (among - k) for k in range(found + 1))
        low, high = (share, high) if as_few > 1 - confidence else (low, share)
    return high
