"""What runs with a share of the budget (rungs) allow: to end an experiment early, or to go on. They win it nothing.

Of candidates that ran with a quarter of the budget only the best go on (successive halving as new ones come in, ASHA:
Li et al. 2020, https://arxiv.org/abs/1810.05934): those that gain more on their incumbent there than most of the newest
ones did. A few of the others, drawn by number, run in full all the same and tell how many winners there may have been
among them. Both sides are measured with the same share of the budget.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean

from bot.rules import shares
from bot.rules.campaign import Campaign
from bot.rules.decision import NeedRun, decision_of
from bot.rules.events import ExperimentDecided, RunFinished
from bot.rules.experiment import Experiment
from bot.rules.lost_runs import is_lost
from bot.rules.shares import Scale, scale_of

PASSING = 0.1
"""Share of the candidates that go on: about the one with which most is found in the same time, by simulation
(`make bench-truth`). With several rungs each has its part."""
SURELY = 2.0
"""So many standard errors above its incumbent a candidate goes on, whatever the others did: on a task that is badly
tuned every second change is a good one."""
COMPARED = 60
"""So many of the newest candidates each one is compared with."""
FEW = 6
"""Before so many are known, what is better than its incumbent goes on."""
AUDITED = 0.02
"""Share of those given up that run in full all the same."""
INCUMBENT_RUNS = 2
"""What a candidate is compared with at a rung: so many short runs of its incumbent."""
REMEASURED = 60
"""After so many short runs of candidates the incumbent's are made anew: machines drift."""
_REACH = 100  # newest experiments, in which the noise is looked up
TRIES = 2
"""Short runs of an incumbent that may fail before candidates run in full at once."""


@dataclass(frozen=True)
class Standing:
    """A short run beside its incumbent's: `gain` is positive if it is better, `bar` what it is given up below; both in
    score units. `others` is how many candidates' short runs set the bar, 0 if there were too few."""

    score: float
    against: float
    gain: float
    bar: float
    others: int


def next_run(
    campaign: Campaign, number: int, rungs: Sequence[float], *, runner: str
) -> NeedRun | ExperimentDecided | None:
    """Say what the short runs of an experiment ask for: another short run, or its end. None if it is to run in full.

    `rungs` are shares of the budget, rising; `runner` is the kind of machine that asks. What a human asked for runs in
    full at once.
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
        found = Scales(campaign).standing(experiment, scored[-1], PASSING ** (1 / len(rungs)))
        if found is not None and found.gain < found.bar and not is_audited(campaign, number):
            return _given_up(campaign, experiment, share, found)
    return None


class Scales:
    """A campaign's short runs beside those of their incumbents."""

    def __init__(self, campaign: Campaign) -> None:
        self._campaign = campaign
        self._sign = -1.0 if campaign.direction == "minimize" else 1.0
        self._levels: dict[tuple[Scale, str], float | None] = {}

    def standing(self, experiment: Experiment, run: RunFinished, share: float) -> Standing | None:
        """Return how a short run stands beside those of its incumbent, if this share of the candidates goes on; None if
        there are none on its scale.

        What removes lines need not be better than most, for it counts at an equal score too.
        """
        scale = scale_of(run)
        level = self._level(scale, experiment.parent)
        if run.score is None or level is None:
            return None
        gain, others = self._sign * (run.score - level), self._before(run, scale)
        bar = 0.0
        if len(others) >= FEW:
            ranked = sorted([gain, *others], reverse=True)
            bar = min(ranked[int(share * len(ranked))], self._sure_gain(scale, experiment.parent))
        else:
            others = []
        candidate = experiment.candidate
        if candidate is not None and candidate.removed > candidate.added:
            bar = min(bar, 0.0)
        return Standing(run.score, level, gain, bar, len(others))

    def _sure_gain(self, scale: Scale, incumbent: str) -> float:
        """Return the gain on an incumbent that is no chance any more, by the noise that the newest verdict rests on;
        infinite before there is one, and if the metric has no noise."""
        finished = (self._campaign.experiments[number].decision for number in reversed(self._campaign.order))
        sigmas = (each.sigma for each in islice(finished, _REACH) if each is not None and each.sigma)
        runs = len(self._campaign.short.scores[scale][incumbent][-2 * INCUMBENT_RUNS :])
        sigma = next(sigmas, None)
        return math.inf if sigma is None else SURELY * sigma * math.sqrt(1 + 1 / runs)

    def _before(self, run: RunFinished, scale: Scale) -> list[float]:
        """Return what the newest other candidates before a run gained on their incumbents on its scale."""
        places, tried = self._campaign.run_places, self._campaign.short.tried.get(scale, [])
        end = bisect_left(tried, places[run.run], key=lambda each: places[each.run])
        others = (
            each for each in reversed(tried[max(0, end - 2 * COMPARED) : end]) if each.commit != run.commit
        )
        return list(
            islice((gain for each in others if (gain := self._gain(each, scale)) is not None), COMPARED)
        )

    def _gain(self, run: RunFinished, scale: Scale) -> float | None:
        assert run.experiment is not None and run.score is not None
        level = self._level(scale, self._campaign.experiments[run.experiment].parent)
        return None if level is None else self._sign * (run.score - level)

    def _level(self, scale: Scale, incumbent: str) -> float | None:
        """Return the mean of an incumbent's newest short runs on a scale; None if there are none."""
        if (scale, incumbent) not in self._levels:
            scores = self._campaign.short.scores.get(scale, {}).get(incumbent, [])
            scores = scores[-2 * INCUMBENT_RUNS :]
            self._levels[scale, incumbent] = fmean(scores) if scores else None
        return self._levels[scale, incumbent]


def is_audited(campaign: Campaign, number: int) -> bool:
    """Whether an experiment runs in full though its short run is below the bar: the same answer every time."""
    started = campaign.started
    of = f"{started.campaign}/{started.seed}" if started is not None else ""
    digest = hashlib.sha256(f"rung/{of}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < AUDITED * 2**64


def _short_runs(campaign: Campaign, commit: str, like: RunFinished) -> list[float]:
    """Return the scores of a commit's runs on the scale of a short run, first to last."""
    return campaign.short.scores.get(scale_of(like), {}).get(commit, [])


def _fails_short(campaign: Campaign, commit: str, like: RunFinished) -> bool:
    """Whether an incumbent can't be measured with a share of the budget."""
    runs = [run for run in campaign.tries_of(commit, runner=like.runner) if run.share == like.share]
    failed = [run for run in runs if run.score is None or run.fingerprint != like.fingerprint]
    return len(failed) >= TRIES and not _short_runs(campaign, commit, like)


def _incumbent_lacks(campaign: Campaign, commit: str, like: RunFinished) -> str:
    """Return why an incumbent needs another short run; "" if it does not."""
    if len(_short_runs(campaign, commit, like)) < INCUMBENT_RUNS:
        return "measured with the same share of the budget"
    scale = scale_of(like)
    newest = max(campaign.run_places[r.run] for r in campaign.tries_of(commit) if scale_of(r) == scale)
    places = campaign.short.places[scale]
    since = len(places) - bisect_right(places, newest)
    return f"{since} short runs since its last one" if since > REMEASURED else ""


def _given_up(campaign: Campaign, experiment: Experiment, share: float, found: Standing) -> ExperimentDecided:
    """End an experiment by its short run. Its score stands on another scale: the verdict states no effect."""
    sign = -1.0 if campaign.direction == "minimize" else 1.0
    said = (
        f"a {shares.run_words(share)} stands at {found.score:.6g} {campaign.metric}, its incumbent's at"
        f" {found.against:.6g}: {sign * found.gain:+.2g}, "
    )
    if found.others:
        said += f"and the best of the {found.others} before it gain {found.bar:.2g} or more"
    else:
        said += "no better"
    return decision_of(experiment, "discarded", reason=said, lesson="")
