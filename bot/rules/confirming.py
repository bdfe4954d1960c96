"""Head beside baseline: the measurement that tells people what a campaign gained.

Winners are picked by their runs, so these flatter them. Therefore head and baseline are run side by side, near in time
and with the same new seeds, and nothing is decided between single experiments by it. Only what holds here is called
confirmed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice, takewhile
from statistics import fmean, median

from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.lost_runs import AGAIN, is_lost
from bot.rules.statistics import EACH_END, Noise, t_quantile
from bot.rules.stopping import Limits

CONFIDENCE = 0.90  # one-sided, of the bound that must be above zero if a gain is to hold
LEAST = 2  # pairs of runs
MOST = 10
SEEDS = 900  # the first of these runs has the next one: no verdict's run gets as far
_SHARE = 20  # runs of verdicts that pay for a pair: a tenth of all
_SHORTEST = 20  # runs of verdicts in a night that is worth its own measurement
FAILURES = 2
_RECENT = 5
_SPARE = 1.2  # of the time that the runs should take


@dataclass(frozen=True)
class Beside:
    """A run to make: `commit` beside the commit `beside`, with this seed."""

    commit: str
    beside: str
    seed: int


@dataclass(frozen=True)
class Confirmation:
    """What head and baseline showed side by side: `pairs` of scores, baseline first, one for each seed.

    `gain` is positive if the head is better, in score units, with its standard `error`, the half width of the interval
    that people are told, and how large it is at least (one-sided, at `CONFIDENCE`).
    """

    baseline: str
    head: str
    pairs: tuple[tuple[float, float], ...]
    gain: float
    error: float
    half_width: float
    least: float

    @property
    def holds(self) -> bool:
        """Whether the head is better beyond the noise."""
        return self.least > 0

    @property
    def is_whole(self) -> bool:
        """Whether it has as many pairs as are needed to say so."""
        return len(self.pairs) >= LEAST


def baseline_of(campaign: Campaign) -> str:
    """Return the commit that the head is measured beside: the last incumbent that the base branch is known to hold, or
    that brought what others did there."""
    merged = {promotion.head for promotion in campaign.promotions if promotion.state == "merged"}
    held = merged | campaign.absorbed
    places = [place for place, commit in enumerate(campaign.incumbents) if commit in held]
    return campaign.incumbents[max([0, *places, *campaign.taken_in])]


@dataclass(frozen=True)
class Sides:
    """The scores of the baseline (`before`) and of the present head (`after`) beside each other, by seed; `seeds` are
    those of which there is a pair."""

    baseline: str
    head: str
    before: dict[int, float]
    after: dict[int, float]

    @property
    def seeds(self) -> list[int]:
        return [seed for seed in self.before if seed in self.after]


def sides_of(campaign: Campaign, scale: tuple[str, str | None]) -> Sides:
    """Return what baseline and head scored beside each other on one kind of runner and one fingerprint."""
    baseline, head = baseline_of(campaign), campaign.incumbent
    before = scores_beside(campaign, baseline, head, scale)
    return Sides(baseline, head, before, scores_beside(campaign, head, baseline, scale))


def confirmation_of(campaign: Campaign, scale: tuple[str, str | None], noise: Noise) -> Confirmation | None:
    """Return what the side-by-side runs of the present head show on one kind of runner and one fingerprint; None
    before there is a pair. `noise` is that of a run."""
    if not campaign.incumbents:
        return None
    sides = sides_of(campaign, scale)
    pairs = tuple((sides.before[seed], sides.after[seed]) for seed in sides.seeds)
    if not pairs:
        return None
    sign = 1.0 if campaign.direction == "minimize" else -1.0
    gain = sign * fmean(one - other for one, other in pairs)
    error = noise.sigma * (2 / len(pairs)) ** 0.5
    half_width, below = (
        t_quantile(level, max(1.0, noise.degrees)) * error for level in (EACH_END, CONFIDENCE)
    )
    return Confirmation(sides.baseline, sides.head, pairs, gain, error, half_width, gain - below)


def next_run(campaign: Campaign, scale: tuple[str, str | None], pairs: int, seed: int) -> Beside | None:
    """Return the run that is lacking to `pairs` pairs of the present head; None if there are as many, or if too many of
    them failed. Every other pair begins with the head, so that a steady drift favours neither. `seed` is the
    campaign's."""
    sides = sides_of(campaign, scale)
    baseline, head = sides.baseline, sides.head
    if len(sides.seeds) >= pairs or baseline == head or not campaign.landed_as:
        return None
    if _fails(campaign, baseline, head, scale):
        return None
    half = next((seed for seed in (*sides.before, *sides.after) if seed not in sides.seeds), None)
    if half is not None:
        lacking = (baseline, head) if half in sides.after else (head, baseline)
        return Beside(*lacking, half)
    used = len({run.seed for run in campaign.side_by_side})
    order = (baseline, head) if len(sides.seeds) % 2 == 0 else (head, baseline)
    return Beside(*order, _seed(seed, used + 1))


def pairs_due(campaign: Campaign, *, at_end: bool) -> int:
    """Return how many pairs the present head should have by now.

    A tenth of the runs goes into them: after 40 runs of verdicts two pairs are paid for. At the end of a night of 20
    they are made all the same; a shorter night says that its gain is not confirmed. A head is measured at once if what
    did not hold was taken out of it.
    """
    since, made = _verdict_runs(campaign), campaign.experiment_of(campaign.incumbent)
    repaired = made is not None and made.reverts in campaign.doubted
    least = LEAST if repaired or (at_end and since >= _SHORTEST) else 0
    paid = since // _SHARE
    return min(MOST, max(least, paid if paid >= LEAST else 0))


def is_side_by_side(campaign: Campaign, run: RunFinished, seed: int) -> bool:
    """Whether a run is one of head and baseline beside each other, or of a merge between them, as they are asked for;
    others may have merged since. `seed` is the campaign's."""
    ours = run.beside in campaign.incumbents and run.commit in campaign.incumbents
    seeds = range(_seed(seed, 1), _seed(seed, len(campaign.side_by_side) + MOST) + 1)
    return run.experiment is None and ours and run.commit != run.beside and run.seed in seeds


def is_closing(campaign: Campaign, limits: Limits, now: datetime) -> bool:
    """Whether what is left until the deadline or of the GPU-hours is about what the measurement takes."""
    left = [(limits.end - now).total_seconds()] if limits.end is not None else []
    left += [3600 * limits.gpu_hours - campaign.gpu_seconds()] if limits.gpu_hours is not None else []
    if not left:
        return False
    newest = (
        run.seconds for run in reversed(campaign.runs.values()) if run.is_full and run.score is not None
    )
    runs = list(islice(newest, _RECENT))
    if not runs:
        return False
    needed = _SPARE * 2 * max(LEAST, _verdict_runs(campaign) // _SHARE) * median(runs)
    return any(0 < each <= needed for each in left)


def _seed(campaign_seed: int, number: int) -> int:
    """Return the seed of the `number`-th pair of a campaign (1, 2, ...)."""
    return campaign_seed * 1000 + SEEDS + number


def scores_beside(
    campaign: Campaign, commit: str, beside: str, scale: tuple[str, str | None]
) -> dict[int, float]:
    """Return the scores of a commit's runs beside another, by their seed."""
    return {
        run.seed: run.score
        for run in campaign.side_by_side
        if (run.commit, run.beside, run.runner, run.fingerprint) == (commit, beside, *scale)
        and run.score is not None
    }


def _fails(campaign: Campaign, baseline: str, head: str, scale: tuple[str, str | None]) -> bool:
    """Whether so many of their runs beside each other failed on this kind of runner, or were lost by the machine, that
    no more are made."""
    ours = [run for run in campaign.side_by_side if {run.commit, run.beside} == {baseline, head}]
    failed = [run for run in ours if run.score is None and run.runner == scale[0]]
    return sum(not is_lost(run) for run in failed) >= FAILURES or len(failed) > FAILURES + AGAIN


def _verdict_runs(campaign: Campaign) -> int:
    """Return how many full runs were made for verdicts since another head was measured side by side, as far as it
    matters."""
    ours = {baseline_of(campaign), campaign.incumbent}
    newest = takewhile(
        lambda r: not r.beside or {r.commit, r.beside} == ours, reversed(campaign.runs.values())
    )
    return sum(1 for run in islice(newest, 2 * MOST * _SHARE) if run.is_full and not run.beside)
