"""Audits added up: over the runs of one candidate, and over the lineage of merges that the head is made of. Pure.

One audit asks at few positions and refuses what it sees there (`evaluator.training.audit`). Who peeks at one position
in a thousand passes many of them, but not all: a peek that was merged is in every later head, and each of their audits
asks anew. Two kinds of evidence are added up, over all audits, those of refused runs among them: who only counts what
passed has thrown the evidence away.

- The mean gain, each audit weighted by its probes: by its own error it would count most if it saw nothing. Its limits
  hold however often one looks: the k-th look may err with a part 1/(k(k+1)) of the whole (a union bound; these parts
  add up to one).
- Probes that lie far apart, `evaluator.training.audit.FAR_NATS` and more, which no rounding does: how many times as
  likely their number is if somebody peeks at one position in 100, 1,000 or 10,000 as if an honest model errs so at one
  in 100,000. Such a ratio reaches 1/x ever with a probability below x (Ville 1939), however often one looks.

An honest lineage is refused in fewer than one of 10,000 campaigns: half of that each. A peek may have come with any of
the merges, so the audits since each of them are added up by themselves: those since the k-th with a part 1/(k(k+1)).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.experiment import Experiment

DEFENCE = "audit"
"""The defence's name, in the evaluator's word."""
LEAST_EFFECT = 0.0005
"""Smallest gain in bits per byte that counts if the user says nothing: twice what one audit lets a peek gain everywhere
(a quarter of 0.001), and what the audits before two promotions, each of 10,240 probes, find in three of four cases if
it is gained at as few positions as possible (`make bench-audits`)."""
USUAL, APPEAL, BEFORE_PROMOTION = 1, 4, 10
"""How many times the usual number of positions is asked: in a run, if somebody appeals, before a promotion."""
ERROR = 1e-4
HONEST_FAR = 1e-5
PEEKS = (1e-4, 1e-3, 1e-2)
PART = 0.1
"""Of the claimed effect: a gain below it is let be, whatever its significance, for answers are rounded."""
_LIKELY = 0.05


@dataclass(frozen=True)
class Audit:
    """What one audit found: `gain` and its standard `error` in bits per byte; `far` of the probes far apart."""

    probes: int
    factor: int
    gain: float
    error: float
    far: int

    @property
    def upper(self) -> float:
        """The gain's one-sided 99 % limit, as the audit itself takes it (`evaluator.training.audit.CONFIDENCE_Z`)."""
        return self.gain + 2.33 * self.error


@dataclass(frozen=True)
class Pooled:
    """What several audits say together, in bits per byte. `odds` is how many times as likely the far probes are if
    somebody peeks; `error` how often an honest model may be refused by this, ever."""

    audits: int
    probes: int
    gain: float
    lower: float
    upper: float
    far: int
    odds: float
    error: float = ERROR

    def shows_more_than(self, allowed: float) -> bool:
        """Whether the gain is surely none of an honest model's, and more than `allowed` bits per byte."""
        return self.gain > allowed and (self.lower > 0 or self.odds >= 2 / self.error)


def audit_of(run: RunFinished) -> Audit | None:
    """Return what a run's audit found; None for one without, as earlier versions left them."""
    found: Mapping[str, float] | None = run.audit
    if found is None:
        return None
    return Audit(
        int(found["probes"]), int(found["factor"]), found["gain_bpb"], found["error_bpb"], int(found["far"])
    )


def audits_of(runs: Iterable[RunFinished]) -> list[Audit]:
    """Return the audits of `runs`, of those that were refused too."""
    return [found for run in runs if (found := audit_of(run)) is not None]


def pool(audits: Iterable[Audit], error: float = ERROR) -> Pooled | None:
    """Return what audits say together, with limits that err with a probability `error` however often they are looked
    at; None if there are none."""
    return _together([_Sum.of(each) for each in audits]).pooled(error)


class _Sum(NamedTuple):
    """What is added up: `gain` and `square` (of the error) are multiplied by the probes, and by their square."""

    audits: int = 0
    probes: int = 0
    gain: float = 0.0
    square: float = 0.0
    far: int = 0

    @classmethod
    def of(cls, audit: Audit) -> _Sum:
        return cls(1, audit.probes, audit.gain * audit.probes, (audit.error * audit.probes) ** 2, audit.far)

    def pooled(self, error: float) -> Pooled | None:
        if not self.audits:
            return None
        gain, half = self.gain / self.probes, math.sqrt(self.square) / self.probes
        half *= NormalDist().inv_cdf(1 - error / 2 / (self.audits * (self.audits + 1)))
        odds = _odds(self.far, self.probes)
        return Pooled(self.audits, self.probes, gain, gain - half, gain + half, self.far, odds, error)


def _together(sums: Iterable[_Sum]) -> _Sum:
    found = list(sums)
    return _Sum(*(sum(column) for column in zip(*found, strict=True))) if found else _Sum()


def _odds(far: int, probes: int) -> float:
    """Return how many times as likely `far` of `probes` are if somebody peeks, each size of a peek alike."""
    return sum(math.exp(min(_evidence(peek, far, probes), 600.0)) for peek in PEEKS) / len(PEEKS)


def _evidence(peek: float, far: int, probes: int) -> float:
    near = math.log((1 - peek) / (1 - HONEST_FAR))
    return far * math.log(peek / HONEST_FAR) + (probes - far) * near


def allowed_gain(least: float, claimed: float = 0.0) -> float:
    """Return the gain in bits per byte that audits let be: a part of the claimed effect, or of the smallest one that
    counts (`least`; `LEAST_EFFECT` if that is 0)."""
    return PART * max(abs(claimed), least or LEAST_EFFECT)


def said(found: Pooled) -> str:
    """Return what several audits together hold against a model, as evidence."""
    far = f"; at {found.far:,} of them its answer was quite another one" if found.far else ""
    made = f"{found.audits:,} audit{'' if found.audits == 1 else 's'}"
    gain, lower, upper = (
        f"{each:+.5f}".replace("-", "\u2212") for each in (found.gain, found.lower, found.upper)
    )
    return (
        f"asked again at {found.probes:,} positions in {made}, without the text that follows them, the model predicts"
        f" worse, by {gain} bits per byte (between {lower} and {upper}){far}"
    )


# How many positions a run is asked at


def was_refused(experiment: Experiment) -> bool:
    """Whether the audit refused it, in a run or by what its runs say together."""
    return experiment.decision is not None and experiment.decision.defence == DEFENCE


def is_appeal(campaign: Campaign, experiment: Experiment) -> bool:
    """Whether it tries one again that the audit refused, itself or by way of another such try."""
    seen: set[int] = set()
    while experiment.retries is not None and experiment.retries not in seen:
        seen.add(experiment.retries)
        experiment = campaign.experiments[experiment.retries]
        if was_refused(experiment):
            return True
    return False


def appeal_words(campaign: Campaign, number: int) -> str:
    """Return what a further try of an experiment has beside the first one, to follow a sentence; "" if nothing."""
    experiment = campaign.experiments[number]
    larger = was_refused(experiment) or is_appeal(campaign, experiment)
    return f", audited at {APPEAL} times as many positions" if larger else ""


def factor(campaign: Campaign, commit: str, experiment: int | None) -> int:
    """Return how many times the usual number of positions the next run of `commit` is asked at; `experiment` is what
    it is made for, None for an incumbent."""
    if experiment is not None:
        return APPEAL if is_appeal(campaign, campaign.experiments[experiment]) else USUAL
    return BEFORE_PROMOTION if commit == campaign.incumbent and lacks_head_audit(campaign) else USUAL


def lacks_head_audit(campaign: Campaign) -> bool:
    """Whether something was merged, and the head is not audited yet as before a promotion."""
    return bool(campaign.landed_as) and head_audit(campaign, campaign.incumbent) is None


def head_audit(campaign: Campaign, commit: str) -> RunFinished | None:
    """Return the newest run of `commit` that was audited as before a promotion; None before there is one."""
    found = ((run, audit_of(run)) for run in reversed(campaign.runs_of(commit)))
    return next((run for run, audit in found if audit is not None and audit.factor >= BEFORE_PROMOTION), None)


# The lineage that the head is made of


@dataclass(frozen=True)
class Lineage:
    """What the audits say of the head and of the merges it is made of.

    `pooled` adds up all audits of the incumbents since something was last taken out, or a human moved the branch; if
    they are refused, those since the merge that shows it. `head` is the run of the head with the audit before a
    promotion. `refused` says that they stop the promotion, and `doubted` which merges may have brought what they
    found; `from_start`: it may have been there before.
    """

    pooled: Pooled | None
    head: RunFinished | None
    refused: bool
    doubted: tuple[int, ...] = ()
    from_start: bool = False

    @property
    def state(self) -> str:
        """What is known, in a word that changes with it."""
        return f"{self.head.run if self.head else 'none'}{' refused' if self.refused else ''}"

    @property
    def head_refused(self) -> bool:
        """Whether the audit before the promotion refused the head by itself."""
        return self.head is not None and (self.head.failure or {}).get("defence") == DEFENCE


def lineage_of(campaign: Campaign, least: float) -> Lineage:
    """Return what the audits of the present lineage say; `least` is the smallest effect that counts."""
    commits = list(dict.fromkeys(campaign.incumbents[_begin(campaign) :]))
    each = [_together(_Sum.of(audit) for audit in audits_of(campaign.runs_of(commit))) for commit in commits]
    whole = _together(each).pooled(ERROR)
    known = Lineage(whole, head_audit(campaign, commits[-1]) if commits else None, refused=False)
    shown = next((pooled for pooled in _since(each) if pooled.shows_more_than(allowed_gain(least))), None)
    if shown is None and not known.head_refused:
        return known
    places = _in_doubt(each)
    numbers = [campaign.landed_as.get(commit) for place, commit in enumerate(commits) if place in places]
    merges = tuple(number for number in numbers if number is not None)
    return Lineage(shown or whole, known.head, True, merges, from_start=None in numbers)


def _since(each: Sequence[_Sum]) -> Iterator[Pooled]:
    """Yield what the audits since each of the incumbents say together, the last one's first."""
    later = _Sum()
    for place in range(len(each) - 1, -1, -1):
        later = _together((each[place], later))
        found = later.pooled(ERROR / ((place + 1) * (place + 2)))
        if found is not None:
            yield found


def _begin(campaign: Campaign) -> int:
    """Return the place of the incumbent since which nothing was taken out by anybody: what earlier ones did says
    nothing of the head."""
    for place in range(len(campaign.incumbents) - 1, 0, -1):
        number = campaign.landed_as.get(campaign.incumbents[place])
        by_human = number is None and place not in campaign.taken_in
        if by_human or (number is not None and campaign.experiments[number].reverts is not None):
            return place
    return 0


def _in_doubt(each: Sequence[_Sum]) -> set[int]:
    """Return the places of the incumbents that may have brought what the audits found: the first at which it shows,
    and those before it that were asked too little to have shown it."""
    found = [own.pooled(ERROR) for own in each]
    shows = [p is not None and (p.far > 0 or p.lower > 0) for p in found]
    if True not in shows:
        return set(range(len(each)))
    first = shows.index(True)
    after, before, places = _together(each[first:]).pooled(ERROR), _Sum(), {first}
    assert after is not None
    for place in range(first - 1, -1, -1):
        before = _together((each[place], before))
        if not _may_hide(before.pooled(ERROR), after):
            break
        places.add(place)
    return places


def _may_hide(clean: Pooled | None, after: Pooled) -> bool:
    """Whether what `after` shows may have been there before, and only not been met."""
    if clean is None:
        return True
    if after.far:
        return math.exp(-clean.probes * after.far / after.probes) >= _LIKELY
    return clean.upper >= after.gain
