"""A campaign as a fold over its events: what is known, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from statistics import fmean
from typing import TYPE_CHECKING, Any

from bot.rules.bills import Bills, Drafts
from bot.rules.claims import Claims
from bot.rules.experiment import Asked, Experiment, Lease, Promotion
from bot.rules.ideas import Ideas, Wishes
from bot.rules.messages import Messages
from bot.rules.outer.record import Record
from bot.rules.proposal import Change, PastExperiment
from bot.rules.shares import ShortRuns
from bot.rules.statistics import Scored, one_per_seed

if TYPE_CHECKING:
    from bot.rules import events as ev
    from bot.rules.rule_changes import RuleChange


@dataclass
class Campaign:
    """The state of one campaign. Only `apply` changes it; everybody else reads."""

    started: ev.CampaignStarted | None = None
    started_at: str = ""
    experiments: dict[int, Experiment] = field(default_factory=dict)
    runs: dict[str, ev.RunFinished] = field(default_factory=dict)
    run_times: dict[str, str] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    lease_turns: dict[str, int] = field(default_factory=dict)
    incumbents: list[str] = field(default_factory=list)
    reference: str = ""
    """The last commit that a human wrote: time is charged at its measure."""
    moves: int = 0
    taken_in: list[int] = field(default_factory=list)
    """Places among the incumbents of those that brought the base branch's commits."""
    absorbed: set[str] = field(default_factory=set)
    """Former incumbents that the base branch was found to hold by content."""
    left_out: ev.BaseLeftOut | None = None
    rule: dict[str, str] = field(default_factory=dict)
    """What verdicts are reached by now, by the configuration's keys; empty if nothing recorded it yet."""
    rule_turns: int = 0
    rule_changes: list[RuleChange] = field(default_factory=list)
    promotions: list[Promotion] = field(default_factory=list)
    commands: int = 0
    said: dict[str, ev.CommandGiven] = field(default_factory=dict)
    """Commands by the comment that gave them."""
    paused: bool = False
    stop_asked: bool = False
    resumed_after: int = 0
    resumed_at_runs: int = 0
    reverts_waiting: list[int] = field(default_factory=list)
    retries_waiting: list[int] = field(default_factory=list)
    doubted: dict[int, ev.MergeDoubted] = field(default_factory=dict)
    """Merges that did not hold when the head was measured side by side with its baseline."""
    read: set[int] = field(default_factory=set)
    """Experiments that a human has read: merged ones, and those that may be merged for that."""
    refused: dict[int, str] = field(default_factory=dict)
    """Experiments that a human rejected, and the reason given."""
    self_reported: bool = False
    """Whether the newest score is: candidates' code ran where it was measured."""
    stopped: ev.LoopStopped | None = None
    stops: list[tuple[ev.LoopStopped, str]] = field(default_factory=list)
    """Every stop and when it was recorded."""
    messages: Messages = field(default_factory=Messages)
    bills: Bills = field(default_factory=Bills)
    """What models used and cost."""
    drafts: Drafts = field(default_factory=Drafts)
    wishes: Wishes = field(default_factory=Wishes)
    mended: list[str] = field(default_factory=list)
    ideas: Ideas = field(default_factory=Ideas)
    claims: Claims = field(default_factory=Claims)
    """What other tools' logs say, which nobody has measured here."""
    outer: Record = field(default_factory=Record)
    asked: Asked | None = None
    """What a human is needed for now."""
    asks: int = 0
    event_count: int = 0
    last_at: str = ""
    order: list[int] = field(default_factory=list)
    """Numbers of finished experiments, in the order in which they ended."""

    # What is looked up often, by what it is looked up by.
    open: dict[int, None] = field(default_factory=dict)
    """Numbers of experiments that are not finished, in the order in which they began."""
    won: dict[int, None] = field(default_factory=dict)
    """Numbers of experiments whose verdict is "improved", in the order in which it was reached."""
    landed_as: dict[str, int] = field(default_factory=dict)
    """Experiments by the commit that landed."""
    candidates: set[str] = field(default_factory=set)
    """The newest candidate of each experiment."""
    runs_by_commit: dict[str, list[ev.RunFinished]] = field(default_factory=dict)
    """Runs with the whole budget by their commit."""
    tries_by_commit: dict[str, list[ev.RunFinished]] = field(default_factory=dict)
    """All runs by their commit, those with a share of the budget too."""
    runs_by_experiment: dict[int | None, list[ev.RunFinished]] = field(default_factory=dict)
    scored_runs: dict[tuple[str, str | None], list[ev.RunFinished]] = field(default_factory=dict)
    """Runs with a score by their scale: kind of runner and fingerprint."""
    run_places: dict[str, int] = field(default_factory=dict)
    """How many runs were there before each one."""
    runs_on: dict[str, list[ev.RunFinished]] = field(default_factory=dict)
    """All runs on each kind of runner."""
    fingerprints: dict[str, str] = field(default_factory=dict)
    """The newest fingerprint on each kind of runner."""
    short: ShortRuns = field(default_factory=ShortRuns)
    side_by_side: list[ev.RunFinished] = field(default_factory=list)
    """Runs of a head and its baseline that were made beside each other (`bot.rules.confirming`)."""
    run_seconds: float = 0.0
    """What all runs occupied the training device for."""
    proposals_usd: float = 0.0

    # -- what is known ---------------------------------------------------------------------------------

    @property
    def baseline(self) -> str:
        return self.incumbents[0]

    @property
    def incumbent(self) -> str:
        return self.incumbents[-1]

    @property
    def metric(self) -> str:
        return self.started.metric if self.started else "val_bpb"

    @property
    def direction(self) -> ev.Direction:
        return self.started.direction if self.started else "minimize"

    def runs_of(self, commit: str, *, runner: str | None = None) -> list[ev.RunFinished]:
        """Return the runs of `commit` with the whole budget, first to last; those of one kind of runner if it is
        named."""
        return [r for r in self.runs_by_commit.get(commit, ()) if runner is None or r.runner == runner]

    def tries_of(self, commit: str, *, runner: str | None = None) -> list[ev.RunFinished]:
        """Return all runs of `commit`, whatever share of the budget they had."""
        return [r for r in self.tries_by_commit.get(commit, ()) if runner is None or r.runner == runner]

    def full_runs(self) -> list[ev.RunFinished]:
        """Return the runs with the whole budget in the order in which they were recorded."""
        return [run for run in self.runs.values() if run.is_full]

    def runs_for(self, experiment: int) -> list[ev.RunFinished]:
        """Return the runs that were made for an experiment, those of its earlier rounds too, first to last."""
        return list(self.runs_by_experiment.get(experiment, ()))

    def scores_of(
        self, commit: str, *, runner: str | None = None, fingerprint: str | None = None
    ) -> list[float]:
        """Return the scores of `commit`, of one kind of runner and one fingerprint if they are named."""
        return [
            run.score
            for run in self.runs_of(commit, runner=runner)
            if run.score is not None and fingerprint in (None, run.fingerprint)
        ]

    def score_groups(self, runner: str, fingerprint: str | None) -> list[list[float]]:
        """Return the scores of one scale, that is kind of runner and fingerprint: a group for each commit, in it one
        score for each seed."""
        return [
            [run.score for run in one_per_seed(runs)] for runs in self.scored(runner, fingerprint).values()
        ]

    def scored(self, runner: str, fingerprint: str | None) -> dict[str, list[Scored]]:
        """Return the finished runs of one scale by their commit, first to last.

        Their time is when they ended, in seconds: when they were recorded, or, if several were recorded at once,
        as long before the next one's end as that one took.
        """
        groups: dict[str, list[Scored]] = {}
        end = math.inf
        for run in reversed(self.scored_runs.get((runner, fingerprint), ())):
            assert run.score is not None
            at = min(_seconds(self.run_times.get(run.run, "")), end)
            end = at - max(run.seconds, 1e-3)
            groups.setdefault(run.commit, []).append(Scored(run.score, run.seed, at))
        return {commit: runs[::-1] for commit, runs in reversed(groups.items())}

    @property
    def scale(self) -> tuple[str, str | None] | None:
        """Kind of runner and fingerprint that the newest measured incumbent was measured with, None before any was."""
        return next((scale for c in reversed(self.incumbents) if (scale := self.scale_of(c))), None)

    def scale_of(self, commit: str) -> tuple[str, str | None] | None:
        """Return kind of runner and fingerprint of the commit's newest score, None before the first."""
        last = next((run for run in reversed(self.runs_of(commit)) if run.score is not None), None)
        return (last.runner, last.fingerprint) if last else None

    def is_late(self, run: ev.RunFinished) -> bool:
        """Whether a run ended after the last `resume`: a human has looked at all before it."""
        return self.run_places[run.run] >= self.resumed_at_runs

    def finished(self) -> list[Experiment]:
        """Return the finished experiments in the order in which they ended."""
        return [self.experiments[number] for number in self.order]

    def open_experiments(self) -> list[Experiment]:
        return [self.experiments[number] for number in self.open]

    def landed(self) -> list[Experiment]:
        """Return the merged experiments in the order in which they landed."""
        return [self.experiments[self.landed_as[c]] for c in self.incumbents if c in self.landed_as]

    @property
    def promotion(self) -> Promotion | None:
        """The newest pull request to the base branch, whatever became of it."""
        return self.promotions[-1] if self.promotions else None

    def experiment_of(self, commit: str) -> Experiment | None:
        number = self.landed_as.get(commit)
        return None if number is None else self.experiments[number]

    def best(self) -> tuple[str, float] | None:
        """Return commit and mean score of the best incumbent on the newest scale, None before any is measured."""
        if self.scale is None:
            return None
        known = self.scored(*self.scale)
        means = [(c, fmean(r.score for r in known[c])) for c in dict.fromkeys(self.incumbents) if c in known]
        return (min if self.direction == "minimize" else max)(means, key=lambda pair: pair[1])

    def gpu_seconds(self) -> float:
        return self.run_seconds + self.drafts.all_seconds

    def cost_usd(self) -> float:
        return self.proposals_usd + self.bills.total.usd

    def history(self) -> list[PastExperiment]:
        """Return the past as a proposer reads it. Effects are turned so that negative is better."""
        sign = 1.0 if self.direction == "minimize" else -1.0
        return [
            PastExperiment(
                number=e.number,
                changes=tuple(Change(**change) for change in e.proposal.changes),
                hypothesis=e.proposal.hypothesis,
                category=e.proposal.category,
                verdict=e.verdict if e.finished_at else None,
                effect=None if e.decision is None or e.decision.effect is None else sign * e.decision.effect,
                sigma=_standard_error(e.decision),
                landed=e.landed is not None,
                parent_values={},
                reason=e.proposal.reason,
                edit=e.proposal.edit,
            )
            for e in self.experiments.values()
            if e.proposal
        ]

    # -- how it became known: for `apply` of the events ------------------------------------------------

    def apply(self, recorded: ev.Recorded) -> None:
        """Take in the next event of the ledger."""
        self.event_count += 1
        self.last_at = max(self.last_at, recorded.at)
        recorded.event.apply(self, recorded.at, recorded.by)

    def put(self, experiment: Experiment) -> None:
        """Take an experiment as it stands now."""
        self.experiments[experiment.number] = experiment
        if experiment.finished_at is None:
            self.open[experiment.number] = None
        else:
            self.open.pop(experiment.number, None)
        if experiment.verdict == "improved":
            self.won[experiment.number] = None
        else:
            self.won.pop(experiment.number, None)

    def change(self, number: int, **fields: Any) -> None:
        """Take an experiment with these of its fields changed."""
        self.put(replace(self.experiments[number], **fields))

    def add_run(self, run: ev.RunFinished, at: str) -> None:
        """Take in a finished run."""
        self.run_places[run.run] = len(self.runs)
        self.runs[run.run] = run
        self.run_times[run.run] = at
        self.tries_by_commit.setdefault(run.commit, []).append(run)
        self.runs_by_experiment.setdefault(run.experiment, []).append(run)
        self.runs_on.setdefault(run.runner, []).append(run)
        self.run_seconds += run.gpu_seconds
        if run.beside:
            self.side_by_side.append(run)
        if not run.is_full:
            self.short.add(run, self.run_places[run.run])
            return  # its score is on another scale
        self.runs_by_commit.setdefault(run.commit, []).append(run)
        if run.fingerprint:
            self.fingerprints[run.runner] = run.fingerprint
        if run.score is not None:
            self.scored_runs.setdefault((run.runner, run.fingerprint), []).append(run)
            self.self_reported = run.self_reported

    def promotion_of(self, pull: int) -> tuple[int, Promotion]:
        """Return a promotion and its place among all; KeyError if there is none."""
        for place, known in enumerate(self.promotions):
            if known.pull == pull:
                return place, known
        raise KeyError(pull)

    def still_asks(self, reason: str) -> bool:
        """Whether what a human is needed for stands, though experiments begin."""
        if reason == "unreviewed":
            return any(e.is_held for e in self.open_experiments())
        return reason == "base" and self.left_out is not None


def _standard_error(decision: ev.ExperimentDecided | None) -> float | None:
    if decision is None or decision.sigma is None or not decision.candidate_runs:
        return None
    return float(decision.sigma * (1 / decision.candidate_runs + 1 / decision.incumbent_runs) ** 0.5)


def _seconds(at: str) -> float:
    """Return an ISO time as seconds, 0 if there is none."""
    return datetime.fromisoformat(at).timestamp() if at else 0.0


def fold(recorded: Iterable[ev.Recorded]) -> Campaign:
    """Return the campaign that these events describe."""
    campaign = Campaign()
    for item in recorded:
        campaign.apply(item)
    return campaign
