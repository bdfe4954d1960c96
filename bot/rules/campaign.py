"""A campaign as a fold over its events: what is known, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from statistics import fmean
from typing import Literal

from bot.rules import events as ev
from bot.rules.asking import Asked, HumanAnswered, HumanAsked, HumanTold, Reason, asked_after
from bot.rules.bills import Bills
from bot.rules.drafts import Drafts, DraftTried
from bot.rules.ideas import IdeaGiven, IdeaPassed, Ideas, IdeaWithdrawn
from bot.rules.messages import Messages
from bot.rules.proposal import Change, PastExperiment
from bot.rules.rejections import RejectionDrawn, RejectionMeasured
from bot.rules.repairs import CrashSentBack
from bot.rules.variation import Scored, one_per_seed
from bot.rules.wishes import PackageWished, Wishes


@dataclass(frozen=True)
class Lease:
    """Who works on a subject, until when (ISO 8601, UTC), and which turn it is."""

    holder: str
    until: str
    turn: int


@dataclass(frozen=True)
class Experiment:
    """One proposed change, as far as it has come."""

    number: int
    claimed_at: str
    claimed_on: str
    reverts: int | None = None
    retries: int | None = None
    claimed_by: str = ""
    proposal: ev.ExperimentProposed | None = None
    candidate: ev.CandidateBuilt | None = None
    pull: ev.PullOpened | None = None
    review: ev.Reviewed | None = None
    comment: int | None = None
    """The number of the comment on its pull request, where that has one."""
    decision: ev.ExperimentDecided | None = None
    decided_by: str = ""
    """Who wrote the round's first decision."""
    landing: int = 0
    """The round in which it was about to land, 0 where it has not come so far."""
    landed: ev.ExperimentLanded | None = None
    finished_at: str | None = None
    revisions: int = 0
    held: int = 0
    """The round in which it was found to wait for a reader of earlier merges, 0 where it never was."""
    carried_over: bool = False
    """Whether this round is the one before, put on a newer incumbent: nothing in it is new."""
    crashes: tuple[CrashSentBack, ...] = ()
    """Crashes that went back to the maker, one a round."""
    drawn: bool = False
    """Whether it was rejected and is trained once all the same."""
    measured: RejectionMeasured | None = None
    commits: tuple[str, ...] = ()
    """Its candidates, one a round: what stands on its branch, unless somebody pushed there."""

    @property
    def asked_for(self) -> bool:
        """Whether a human asked for it: to take an experiment out, or to try one again."""
        return self.reverts is not None or self.retries is not None

    @property
    def round(self) -> int:
        return self.candidate.round if self.candidate else 0

    @property
    def is_held(self) -> bool:
        """Whether it was last seen to wait for a reader: confirmed, and neither merged nor closed since."""
        waiting = self.decision is not None and self.decision.land and self.landing != self.round
        return self.held == self.round > 0 and waiting and self.landed is None

    @property
    def carried(self) -> int:
        """How often the change was put on a newer incumbent."""
        return max(0, self.round - 1 - self.revisions)

    @property
    def sent_back(self) -> CrashSentBack | None:
        """The crash of this round, where its maker is to mend it."""
        latest = self.crashes[-1] if self.crashes else None
        return latest if latest is not None and latest.round == self.round else None

    @property
    def repairs(self) -> int:
        """How often it was mended after a crash; these count among the revisions."""
        return sum(1 for crash in self.crashes if crash.round < self.round)

    @property
    def parent(self) -> str:
        return self.candidate.parent if self.candidate else self.claimed_on

    @property
    def verdict(self) -> ev.Verdict | None:
        return self.decision.verdict if self.decision else None

    @property
    def title(self) -> str:
        return self.proposal.hypothesis if self.proposal else "(not proposed yet)"


@dataclass(frozen=True)
class Promotion:
    """One pull request to the base branch. `head` is the incumbent it tells of, `base` where the base was."""

    pull: int
    url: str
    state: Literal["open", "merged", "closed", "empty"] = "open"
    head: str = ""
    base: str = ""
    digest: str = ""
    turn: int = 0


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
    asked: Asked | None = None
    """What a human is needed for now."""
    asks: int = 0
    event_count: int = 0
    last_at: str = ""
    order: list[int] = field(default_factory=list)
    """Numbers of finished experiments, in the order in which they ended."""

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
        """Return the runs of `commit`, first to last; those of one kind of runner where it is named."""
        return [
            run
            for run in self.runs.values()
            if run.commit == commit and (runner is None or run.runner == runner)
        ]

    def scores_of(
        self, commit: str, *, runner: str | None = None, fingerprint: str | None = None
    ) -> list[float]:
        """Return the scores of `commit`, of one kind of runner and one fingerprint where they are named."""
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

        Their time is when they ended, in seconds: when they were recorded, or, where several were recorded at once,
        as long before the next one's end as that one took.
        """
        groups: dict[str, list[Scored]] = {}
        end = math.inf
        for run in reversed(list(self.runs.values())):
            if run.score is None or run.runner != runner or run.fingerprint != fingerprint:
                continue
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

    def finished(self) -> list[Experiment]:
        """Return the finished experiments in the order in which they ended."""
        return [self.experiments[number] for number in self.order]

    def open_experiments(self) -> list[Experiment]:
        return [e for e in self.experiments.values() if e.finished_at is None]

    def landed(self) -> list[Experiment]:
        """Return the merged experiments in the order in which they landed."""
        by_commit = {e.landed.commit: e for e in self.experiments.values() if e.landed}
        return [by_commit[commit] for commit in self.incumbents if commit in by_commit]

    @property
    def promotion(self) -> Promotion | None:
        """The newest pull request to the base branch, whatever became of it."""
        return self.promotions[-1] if self.promotions else None

    def experiment_of(self, commit: str) -> Experiment | None:
        return next((e for e in self.experiments.values() if e.landed and e.landed.commit == commit), None)

    def best(self) -> tuple[str, float] | None:
        """Return commit and mean score of the best incumbent on the newest scale, None before any is measured."""
        if self.scale is None:
            return None
        known = self.scored(*self.scale)
        means = [(c, fmean(r.score for r in known[c])) for c in dict.fromkeys(self.incumbents) if c in known]
        return (min if self.direction == "minimize" else max)(means, key=lambda pair: pair[1])

    def gpu_seconds(self) -> float:
        return sum(run.gpu_seconds for run in self.runs.values()) + self.drafts.all_seconds

    def cost_usd(self) -> float:
        proposed = sum(e.proposal.cost_usd for e in self.experiments.values() if e.proposal)
        return proposed + self.bills.total.usd

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

    # -- how it became known ---------------------------------------------------------------------------

    def apply(self, recorded: ev.Recorded) -> None:
        """Take in the next event of the ledger."""
        event, at = recorded.event, recorded.at
        self.event_count += 1
        self.last_at = max(self.last_at, at)
        match event:
            case ev.CampaignStarted():
                self.started, self.started_at = event, at
                self.incumbents = [event.base_commit]
                self.reference = event.base_commit
            case ev.LeaseTaken():
                self.leases[event.subject] = Lease(event.holder, event.until, event.turn)
                self.lease_turns[event.subject] = event.turn
            case ev.ExperimentClaimed():
                self.experiments[event.experiment] = Experiment(
                    event.experiment, at, event.parent, event.reverts, event.retries, recorded.by
                )
                if event.reverts in self.reverts_waiting:
                    self.reverts_waiting.remove(event.reverts)
                if event.retries in self.retries_waiting:
                    self.retries_waiting.remove(event.retries)
                self.stopped = None
                if self.asked is not None and not self._still_asks(self.asked.reason):
                    self.asked = replace(self.asked, begun=self.asked.begun + 1)
            case ev.RunFinished():
                self.runs[event.run] = event
                self.run_times[event.run] = at
                if event.score is not None:
                    self.self_reported = event.self_reported
                self.wishes.crashed(event.experiment, event.failure)
                self.leases.pop(f"run:{event.run}", None)
            case ev.IncumbentMoved():
                self._apply_move(event)
            case ev.BaseLeftOut():
                self.left_out = event
            case ev.PromotionOpened():
                self.promotions.append(Promotion(event.pull, event.url))
            case ev.PromotionShown() | ev.PromotionEnded():
                self._apply_to_promotion(event)
            case ev.ExperimentRead():
                self.read.add(event.experiment)
            case ev.CommandGiven():
                self._apply_command(event)
            case ev.LoopStopped():
                self.stopped = event
                self.stops.append((event, at))
            case ev.MessageIntended() | ev.MessageEnded() | ev.ChartShown():
                self.messages.apply(event, at)
            case ev.ModelCalled():
                self.bills.add(event, at)
            case DraftTried():
                self.drafts.apply(event)
            case PackageWished():
                self.wishes.apply(event)
            case ev.LedgerMended():
                self.mended.append(event.note)
            case IdeaGiven() | IdeaWithdrawn() | IdeaPassed():
                self.ideas.apply(event)
                if isinstance(event, IdeaGiven) and self.stopped and self.stopped.reason == "exhausted":
                    self.stopped = None  # there is something to try again
            case HumanAsked():
                self.asked, self.asks = asked_after(self.asked, event), event.number
            case HumanTold():
                if self.asked is not None and self.asked.number == event.number:
                    told = self.asked.turn == event.turn
                    self.asked = replace(self.asked, told=told, issue=event.issue, url=event.url)
            case HumanAnswered():
                self.asked = None
            case _:
                self._apply_to_experiment(event, at, recorded.by)

    def _apply_to_experiment(self, event: ev.ExperimentEvent, at: str, by: str) -> None:
        experiment = self.experiments[event.experiment]
        match event:
            case ev.ExperimentProposed():
                experiment = replace(experiment, proposal=event)
                if event.idea is not None:
                    self.ideas.proposed(event.idea, event.experiment)
            case ev.ProposalRevised():
                experiment = replace(
                    experiment, proposal=_revised(experiment, event), revisions=event.revision
                )
            case ev.CandidateBuilt():
                before = experiment.candidate
                carried_over = before is not None and before.revision == event.revision
                experiment = replace(experiment, candidate=event, review=None, decision=None, decided_by="")
                commits = (*experiment.commits, event.commit)
                experiment = replace(experiment, carried_over=carried_over, commits=commits)
            case CrashSentBack():
                experiment = replace(experiment, crashes=(*experiment.crashes, event))
            case RejectionDrawn():
                experiment = replace(experiment, drawn=True)
            case RejectionMeasured():
                experiment = replace(experiment, measured=event)
            case ev.PullOpened():
                experiment = replace(experiment, pull=event)
            case ev.Reviewed():
                experiment = replace(experiment, review=event, comment=event.comment or experiment.comment)
            case ev.ExperimentDecided():
                experiment = replace(experiment, decision=event, decided_by=experiment.decided_by or by)
            case ev.LandingHeld():
                experiment = replace(experiment, held=event.round)
            case ev.LandingBegun():
                experiment = replace(experiment, landing=event.round)
            case ev.ExperimentLanded():
                experiment = replace(experiment, landed=event)
                self.incumbents.append(event.commit)
            case ev.ExperimentFinished():
                experiment = replace(experiment, finished_at=at)
                self.order.append(experiment.number)
                self.ideas.finished(experiment.number, experiment.verdict)
                self.leases.pop(f"experiment:{experiment.number}", None)
        self.experiments[experiment.number] = experiment

    def _still_asks(self, reason: Reason) -> bool:
        """Whether what a human is needed for stands, though experiments begin."""
        if reason == "unreviewed":
            return any(e.is_held for e in self.open_experiments())
        return reason == "base" and self.left_out is not None

    def _apply_move(self, event: ev.IncumbentMoved) -> None:
        if event.why == "base":
            self.taken_in.append(len(self.incumbents))
        if event.absorbed is not None:
            self.absorbed.add(event.absorbed)
        if event.reference is not None or self._wrote_a_human(event):
            self.reference = event.reference or event.commit
        self.incumbents.append(event.commit)
        self.moves += 1
        self.left_out = None

    def _wrote_a_human(self, event: ev.IncumbentMoved) -> bool:
        """Whether nothing else made the commit that the branch was moved to: no experiment, and no merge of one."""
        if not any(experiment.landed for experiment in self.experiments.values()):
            return True
        built = {e.candidate.commit for e in self.experiments.values() if e.candidate is not None}
        return event.why == "human" and event.commit not in built and event.commit not in self.incumbents

    def _apply_to_promotion(self, event: ev.PromotionShown | ev.PromotionEnded) -> None:
        place = next(i for i, known in enumerate(self.promotions) if known.pull == event.pull)
        known = self.promotions[place]
        if isinstance(event, ev.PromotionShown):
            known = replace(known, head=event.head, base=event.base, digest=event.digest, turn=event.turn)
        else:
            known = replace(known, state=event.state, head=event.head)
            if event.state == "merged" and event.merger == "human" and event.head in self.incumbents:
                held = set(self.incumbents[: self.incumbents.index(event.head) + 1])
                self.read |= {e.number for e in self.landed() if e.landed and e.landed.commit in held}
        self.promotions[place] = known

    def _apply_command(self, event: ev.CommandGiven) -> None:
        self.commands = event.number
        if event.source is not None:
            self.said[event.source] = event
        match event.command:
            case "pause":
                self.paused = True
            case "stop":
                self.stop_asked = True
            case "resume":
                self.paused = self.stop_asked = False
                self.stopped = None
                self.resumed_after = len(self.order)
                self.resumed_at_runs = len(self.runs)
            case "revert":
                if event.experiment is not None:
                    self.reverts_waiting.append(event.experiment)
            case "retry":
                if event.experiment is not None:
                    self.retries_waiting.append(event.experiment)
            case "approve":
                if event.experiment is not None:
                    self.read.add(event.experiment)
            case "reject":
                if event.experiment is not None:
                    self.refused.setdefault(event.experiment, event.text)


def _revised(experiment: Experiment, event: ev.ProposalRevised) -> ev.ExperimentProposed:
    """Return the proposal that stands after a revision; what was paid for the first one stays counted."""
    assert experiment.proposal is not None
    return replace(
        experiment.proposal,
        hypothesis=event.hypothesis,
        category=event.category,
        reason=event.reason,
        expected_effect=event.expected_effect,
        risk=event.risk,
        proposer=event.proposer,
        changes=event.changes,
        paths=event.paths,
        edit=event.edit,
    )


def _standard_error(decision: ev.ExperimentDecided | None) -> float | None:
    if decision is None or decision.sigma is None or not decision.candidate_runs:
        return None
    return float(decision.sigma * (1 / decision.candidate_runs + 1 / decision.incumbent_runs) ** 0.5)


def _seconds(at: str) -> float:
    """Return an ISO time as seconds, 0 where there is none."""
    return datetime.fromisoformat(at).timestamp() if at else 0.0


def fold(recorded: Iterable[ev.Recorded]) -> Campaign:
    """Return the campaign that these events describe."""
    campaign = Campaign()
    for item in recorded:
        campaign.apply(item)
    return campaign
