"""This project's own rule, driven as the loop drives it: simulated runs become events of a ledger, the campaign is
their fold, and `next_step`, `measuring.before`, `stage_of` and `judge` say what runs next: what verdicts need, the head
beside its baseline, and taking out what does not hold there. Nothing of the rule is here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial

from bot.rules import events as ev
from bot.rules.campaign import Campaign
from bot.rules.confirming import Beside
from bot.rules.decision import NeedRun, Rule
from bot.rules.guards import parse_guard
from bot.rules.halving import Doubt
from bot.rules.judging import Settings, judge
from bot.rules.measuring import before
from bot.rules.noise import campaign_noise
from bot.rules.schedule import (
    Begin,
    Continue,
    MeasureIncumbent,
    Standing,
    next_replicate,
    next_step,
    run_id,
    seed_of,
)
from bot.rules.simulated.play import BASELINE, Commit, Play
from bot.rules.stages import Stage, stage_of
from bot.rules.stopping import Limits
from bot.rules.throughput import believed

_BEGAN = datetime(2026, 1, 1, tzinfo=timezone.utc)
_RUN = timedelta(minutes=5)
_HOLDER = "simulated"
_GUARD = "guarded >= incumbent"
_NEAR = 5.0  # full runs before a budget ends: from there on what is told is worked out after each experiment


@dataclass(frozen=True)
class Ways:
    """How the project is set: the rule, and how the incumbent is kept measured."""

    rule: Rule
    incumbent_runs: int = 3
    remeasure_every: int = 100
    rungs: tuple[float, ...] = (0.25,)
    prior_sigma: float | None = None


Tell = Callable[[Campaign], "tuple[float, float | None] | None"]
"""What people are told of a campaign's gain: the gain, and how large it is at least; None if nothing is."""


class Driver:
    """One loop on one campaign. With `tell`, what people are told is worked out when a budget ends."""

    def __init__(self, play: Play, ways: Ways, tell: Tell | None = None) -> None:
        self.play, self.ways, self.tell = play, ways, tell
        self.campaign = Campaign()
        self.recorded: list[ev.Recorded] = []
        self.commits: dict[str, Commit] = {}
        self.do: dict[Stage, Callable[[int], None]] = {
            "propose": self._propose,
            "build": self._build,
            "publish": self._publish,
            "check": self._check,
            "train": self._train,
            "land": self._land,
            "close": self._close,
        }
        direction: ev.Direction = "maximize" if play.world.maximize else "minimize"
        base = self._named(Commit(BASELINE))
        self._append(ev.CampaignStarted("simulated", "main", base, "val_bpb", direction, 0))

    def step(self) -> None:
        """Do what the project says comes next."""
        standing = self._standing()
        noise = partial(
            campaign_noise, self.campaign, self.ways.prior_sigma, standing.runner, standing.fingerprint
        )
        step = before(next_step(self.campaign, standing), self.campaign, standing, 0, noise)
        if isinstance(step, MeasureIncumbent):
            self._run(step.commit, None, 1.0)
        elif isinstance(step, Beside):
            self._run(step.commit, None, 1.0, step)
        elif isinstance(step, Doubt):
            self._append(ev.MergeDoubted(step.experiment, step.claimed, step.worth))
        elif isinstance(step, Begin):
            self._append(ev.ExperimentClaimed(step.experiment, self.campaign.incumbent, step.reverts))
        elif isinstance(step, Continue):
            stage = stage_of(self.campaign, self.campaign.experiments[step.experiment], None)
            if stage is None:
                raise AssertionError("a finished experiment is to be continued")
            self.do[stage](step.experiment)
        else:
            raise AssertionError(f"the loop ended: {step}")

    def _standing(self) -> Standing:
        kind = self.play.machine.kind
        return Standing(
            holder=_HOLDER,
            now=self._now(),
            runner=kind,
            fingerprint=self.campaign.fingerprints.get(kind),
            limits=Limits(),
            incumbent_runs=self.ways.incumbent_runs,
            remeasure_every=self.ways.remeasure_every,
            is_dead=lambda _: False,
            prior_sigma=self.ways.prior_sigma,
        )

    def _now(self) -> datetime:
        return _BEGAN + self.play.machine.clock * _RUN

    def _append(self, event: ev.Event) -> None:
        self.recorded.append(ev.Recorded(event, self._now().isoformat(), _HOLDER))
        self.campaign.apply(self.recorded[-1])

    def _named(self, commit: Commit) -> str:
        name = f"{commit.made_by + 1:040x}"[::-1]  # a run is named by the first digits
        self.commits[name] = commit
        return name

    def _run(self, name: str, experiment: int | None, share: float, side: Beside | None = None) -> None:
        """Run a commit and record it, as `bot.loop.measure` does."""
        replicate = next_replicate(self.campaign, name)
        seed = seed_of(0, name, replicate) if side is None else side.seed
        score = self.play.machine.run(self.commits[name], seed, share)
        self.play.run_ends.append(self.play.machine.clock)
        failed = None if score.value is not None else {"class": "error", "reason": "simulated"}
        seconds = score.cost * _RUN.total_seconds()
        metrics = {"guarded": score.guarded, "tokens_per_second": 1e6 * score.throughput}
        metrics["training_seconds"] = share * _RUN.total_seconds()
        metrics["num_steps"] = float(round(1000 * share * score.throughput))
        self._append(
            believed(self.campaign, ev.RunFinished(
                run=run_id(name, replicate), commit=name, seed=seed, replicate=replicate, experiment=experiment,
                score=score.value, failure=failed, metrics=metrics, fingerprint="simulated", jail="none",
                runner=score.machine, seconds=seconds, gpu_seconds=seconds, share=share,
                beside="" if side is None else side.beside,
            ))
        )  # fmt: skip

    def _propose(self, number: int) -> None:
        words = "", "", "", "simulated"
        self._append(ev.ExperimentProposed(number, f"proposal {number}", "other", *words))

    def _build(self, number: int) -> None:
        reverts = self.campaign.experiments[number].reverts
        if reverts is None:
            commit = self.play.candidate(number - 1)
            added, removed = (0, 3) if self.play.proposals[number - 1].shorter else (2, 1)
        else:
            commit, added, removed = self.play.without(reverts - 1, number - 1), 1, 2
        parent, name = self.campaign.incumbent, self._named(commit)
        self._append(ev.CandidateBuilt(number, 1, parent, name, added, removed))

    def _publish(self, number: int) -> None:
        self._append(ev.PullOpened(number, number, f"experiment-{number}", ""))

    def _check(self, number: int) -> None:
        self._append(ev.Reviewed(number, 1, True, (), "simulated"))

    def _train(self, number: int) -> None:
        guards = (parse_guard(_GUARD),) if self.play.world.guard else ()
        ways, kind = self.ways, self.play.machine.kind
        settings = Settings(ways.rule, ways.prior_sigma, guards=guards, runner=kind, rungs=ways.rungs)
        outcome = judge(self.campaign, number, settings)
        if not isinstance(outcome, NeedRun):
            self._append(outcome)
            return
        candidate = self.campaign.experiments[number].candidate
        assert candidate is not None
        if outcome.of == "candidate":
            self._run(candidate.commit, number, outcome.share)
        else:
            self._run(candidate.parent, None, outcome.share)

    def _land(self, number: int) -> None:
        commit, before = self.campaign.experiments[number].commit, self.campaign.incumbent
        assert commit is not None
        self._append(ev.LandingBegun(number, 1))
        self._append(ev.ExperimentLanded(number, commit, before))
        self.play.merge(self.commits[commit])

    def _close(self, number: int) -> None:
        self._append(ev.ExperimentFinished(number))
        self.play.end()
        if self.tell is None or not any(0 <= b - self.play.machine.clock < _NEAR for b in self.play.budgets):
            return
        told = self.tell(self.campaign)
        if told is not None:
            self.play.tell(*told)


def by_rule(play: Play, ways: Ways, tell: Tell | None = None) -> None:
    """Let the project's own rule decide."""
    driver = Driver(play, ways, tell)
    while True:
        driver.step()
