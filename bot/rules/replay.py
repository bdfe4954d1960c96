"""A rule asked again about the runs on a ledger: its verdicts, up to the first one that differs. Pure.

Each run and each verdict is looked at in the order in which it was recorded. If the rule says otherwise than the
ledger, the campaign would have gone another way: nothing after that can be told from these runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bot.rules.campaign import Campaign
from bot.rules.decision import NeedRun
from bot.rules.events import ExperimentDecided, Recorded, RunFinished
from bot.rules.experiment import Experiment
from bot.rules.judging import Settings, judge

RuleAt = Callable[[Campaign, Experiment], Settings]
"""What the verdict on an experiment depends on besides the campaign, as it stands then."""


@dataclass(frozen=True)
class Difference:
    """Where the two part: what the ledger says of an `experiment` after `runs` of its candidate, and what the rule
    does."""

    experiment: int
    title: str
    runs: int
    ledger: str
    rule: str
    why: str


@dataclass
class Replayed:
    """`same` counts verdicts alike by what they are; `earlier`, the runs that the rule would not have made for them.
    `others`: verdicts that no rule on scores gave (crashes, reviews, humans). `of` is how many the ledger holds."""

    same: dict[str, int] = field(default_factory=dict)
    earlier: int = 0
    others: int = 0
    of: int = 0
    difference: Difference | None = None


def replay(recorded: Iterable[Recorded], rule_at: RuleAt) -> Replayed:
    """Return the rule's verdicts on the runs of a ledger beside those that it holds."""
    campaign, found = Campaign(), Replayed()
    early: dict[tuple[int, int], tuple[ExperimentDecided, int]] = {}
    for item in recorded:
        event = item.event
        if isinstance(event, ExperimentDecided):
            found.of += 1
            if found.difference is None:
                _compare(campaign, event, rule_at, early, found)
        campaign.apply(item)
        if isinstance(event, RunFinished) and found.difference is None:
            _look(campaign, event, rule_at, early)
    return found


def _look(
    campaign: Campaign,
    run: RunFinished,
    rule_at: RuleAt,
    early: dict[tuple[int, int], tuple[ExperimentDecided, int]],
) -> None:
    """Note what the rule decides after a run of a candidate or its incumbent, if that is a verdict."""
    for experiment in campaign.open_experiments():
        candidate = experiment.candidate
        ours = candidate is not None and run.commit in (candidate.commit, candidate.parent)
        key = experiment.number, experiment.round
        if not ours or key in early or not _is_judged(campaign, experiment):
            continue
        said = judge(campaign, experiment.number, rule_at(campaign, experiment))
        if isinstance(said, ExperimentDecided):
            early[key] = said, len(campaign.runs)


def _compare(
    campaign: Campaign,
    held: ExperimentDecided,
    rule_at: RuleAt,
    early: dict[tuple[int, int], tuple[ExperimentDecided, int]],
    found: Replayed,
) -> None:
    """Compare a verdict on the ledger with what the rule says of the runs before it."""
    experiment = campaign.experiments[held.experiment]
    if held.verdict in ("crashed", "rejected", "lost") or not _is_judged(campaign, experiment):
        found.others += 1
        return
    first = early.get((held.experiment, held.round))
    said = first[0] if first else judge(campaign, held.experiment, rule_at(campaign, experiment))
    if isinstance(said, ExperimentDecided) and (said.verdict, said.land) == (held.verdict, held.land):
        found.same[held.verdict] = found.same.get(held.verdict, 0) + 1
        found.earlier += _made_since(campaign, experiment, first[1]) if first else 0
        return
    candidate = experiment.candidate
    assert candidate is not None
    found.difference = Difference(
        experiment=held.experiment,
        title=experiment.title,
        runs=len([run for run in campaign.tries_of(candidate.commit) if run.score is not None]),
        ledger=held.verdict,
        rule=_words(said),
        why=said.why if isinstance(said, NeedRun) else said.reason,
    )


def _is_judged(campaign: Campaign, experiment: Experiment) -> bool:
    """Whether scores decide on it: it ran, and no human or review ended it."""
    candidate, review = experiment.candidate, experiment.review
    if candidate is None or experiment.number in campaign.refused or experiment.drawn:
        return False
    return (review is None or review.approved) and bool(campaign.tries_of(candidate.commit))


def _made_since(campaign: Campaign, experiment: Experiment, place: int) -> int:
    """Return how many runs were made for an experiment, or of its incumbent, since so many were recorded."""
    candidate = experiment.candidate
    assert candidate is not None
    runs = [*campaign.tries_of(candidate.commit), *campaign.tries_of(candidate.parent)]
    return sum(campaign.run_places[run.run] >= place and not run.beside for run in runs)


def _words(said: ExperimentDecided | NeedRun) -> str:
    if isinstance(said, ExperimentDecided):
        return said.verdict
    return f"no verdict yet, but one more run of the {said.of}"
