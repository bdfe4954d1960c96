"""What came of a campaign's short runs: how they agree with whole ones, and how many winners they may have cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import comb
from statistics import fmean

from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.experiment import Experiment
from bot.rules.shares import Ends, relative_cost
from bot.rules.short_runs import PASSING, Scales, is_audited

CONFIDENCE = 0.9
LEAST_PAIRS = 5
"""With fewer a rank agreement says nothing."""
TRIAL = 12
"""After so many experiments a rung must pay."""
_WINNERS, _WINNING = 2, 0.2  # of one category below the bar, for its short runs to mislead


@dataclass(frozen=True)
class RungRecord:
    """The short runs with one `share` of the budget.

    `tried` experiments had one; `given_up` ended by it; `audited` ran in full though they were below the bar, and
    `winners` of them were merged. `agreement` is Spearman's between the gains over the incumbent in short and in whole
    runs, of the `pairs` that had both; None if these are too few. Short runs mislead for the categories `distrusted`.
    The rung `pays` if it ends a larger part of the experiments than it costs of a whole run, or too few have told.
    """

    share: float
    tried: int
    given_up: int
    audited: int
    winners: int
    pairs: int
    agreement: float | None
    distrusted: tuple[str, ...] = ()
    pays: bool = True

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


def rung_records(campaign: Campaign) -> tuple[RungRecord, ...]:
    """Return what came of the short runs with each share of the budget, rising; none if there were none."""
    tried = sorted(campaign.short.experiments)
    scales = Scales(campaign)
    return tuple(_record(campaign, share, scales, len(tried)) for share in tried)


def misleads(campaign: Campaign, category: str) -> bool:
    """Whether short runs of this category of changes mislead in this campaign: of those below the bar that ran in full
    all the same, `_WINNERS` won, and `_WINNING` of all. Such changes run in full at once."""

    def audited_of(numbers: Iterable[int]) -> list[Experiment]:
        found = (campaign.experiments[number] for number in numbers)
        found = (each for each in found if each.proposal is not None and each.proposal.category == category)
        return [each for each in found if is_audited(campaign, each.number)]

    if len(audited_of(campaign.won)) < _WINNERS:
        return False
    audited = audited_of(campaign.order)
    tried = sorted({run.share for each in audited for run in _tries(campaign, each) if not run.is_full})
    scales = Scales(campaign)
    return any(
        _mislead([fate for each in audited if (fate := _fate(campaign, each, share, scales, len(tried)))])
        for share in tried
    )


@dataclass(frozen=True)
class _Fate:
    """What came of one experiment with a short run; `pair` is its gain in short and in whole runs."""

    category: str
    given_up: bool
    audited: bool
    won: bool
    pair: tuple[float, float] | None


def _record(campaign: Campaign, share: float, scales: Scales, rungs: int) -> RungRecord:
    seen = [
        found
        for number in campaign.short.experiments.get(share, ())
        if (found := _fate(campaign, campaign.experiments[number], share, scales, rungs))
    ]
    pairs = [fate.pair for fate in seen if fate.pair is not None]
    by_category: dict[str, list[_Fate]] = {}
    for fate in seen:
        by_category.setdefault(fate.category, []).append(fate)
    return RungRecord(
        share,
        tried=len(seen),
        given_up=sum(fate.given_up for fate in seen),
        audited=sum(fate.audited for fate in seen),
        winners=sum(fate.audited and fate.won for fate in seen),
        pairs=len(pairs),
        agreement=spearman(pairs) if len(pairs) >= LEAST_PAIRS else None,
        distrusted=tuple(name for name, fates in sorted(by_category.items()) if _mislead(fates)),
        pays=_pays(campaign, share),
    )


def gain_pairs(campaign: Campaign, share: float) -> list[tuple[float, float]]:
    """Return the gains over the incumbent in a short run with this share of the budget and in whole runs, of the
    experiments that had both; positive is better."""
    scales = Scales(campaign)
    tried = (campaign.experiments[number] for number in campaign.short.experiments.get(share, ()))
    fates = (_fate(campaign, each, share, scales, 1) for each in tried)
    return [fate.pair for fate in fates if fate is not None and fate.pair is not None]


def paying(campaign: Campaign, rungs: Sequence[float]) -> tuple[float, ...]:
    """Return those of the `rungs` that pay in this campaign, or may."""
    return tuple(share for share in rungs if _pays(campaign, share))


def _pays(campaign: Campaign, share: float) -> bool:
    ends, scale = campaign.short.ends.get(share, Ends()), campaign.scale
    if ends.tried < TRIAL or scale is None:
        return True
    cost = relative_cost(campaign, scale[0], share)
    return cost is None or ends.given_up / ends.tried > cost


@dataclass(frozen=True)
class _ShortRun:
    """An experiment's newest scored run of one share, and whether it had a longer one."""

    run: RunFinished
    longer: bool

    def ended(self, experiment: Experiment) -> bool:
        """Whether the experiment was given up by it."""
        return not self.longer and experiment.verdict == "discarded"


def _short_run(campaign: Campaign, experiment: Experiment, share: float) -> _ShortRun | None:
    """Return what an experiment ran with this share of the budget, None if nothing has a score."""
    tries = _tries(campaign, experiment)
    own = [run for run in tries if run.share == share and run.score is not None]
    return _ShortRun(own[-1], any(run.share > share for run in tries)) if own else None


def _mislead(fates: Sequence[_Fate]) -> bool:
    audited = [fate for fate in fates if fate.audited]
    won = sum(fate.won for fate in audited)
    return won >= max(_WINNERS, _WINNING * len(audited))


def _fate(
    campaign: Campaign, experiment: Experiment, share: float, scales: Scales, rungs: int
) -> _Fate | None:
    """Return what came of an experiment with a scored run of this share; None if it had none."""
    short = _short_run(campaign, experiment, share)
    if short is None:
        return None
    found = scales.standing(experiment, short.run, PASSING ** (1 / rungs))
    below = found is not None and found.gain < found.bar
    gain = _whole_gain(campaign, experiment) if short.longer else None
    return _Fate(
        category=experiment.proposal.category if experiment.proposal is not None else "",
        given_up=short.ended(experiment),
        audited=short.longer and below and is_audited(campaign, experiment.number),
        won=experiment.verdict == "improved",
        pair=(found.gain, gain) if found is not None and gain is not None else None,
    )


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
