"""A campaign in memory whose runs a function draws: the real fold and the real rule, no git and no process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from bot.rules import events as ev
from bot.rules.campaign import Campaign
from bot.rules.decision import NeedRun, Rule
from bot.rules.judging import Settings, judge
from bot.rules.schedule import MeasureIncumbent, Standing, incumbent_step, next_replicate, run_id, seed_of
from bot.rules.stopping import Limits
from tests.bot.campaigns import commit_of

START = datetime(2026, 3, 8, tzinfo=timezone.utc)
MOST = 40  # runs of one experiment
Draw = Callable[[float, int, int], float]
"""Returns a score, given the level of a commit, a seed, and how many runs were made before."""


class Judged:
    """A campaign on one machine. `draw` makes scores of levels; the first incumbent's level is 1."""

    def __init__(self, draw: Draw, *, aim: str = "balanced", direction: ev.Direction = "minimize") -> None:
        self.draw = draw
        self.settings = Settings(Rule(aim), runner="box")  # type: ignore[arg-type]
        self.campaign = Campaign()
        self.base = commit_of("base")
        self.levels = {self.base: 1.0}
        self.runner, self.print = "box", "f"
        self.number = 0
        self._add(ev.CampaignStarted("main", "main", self.base, "x", direction, 1))

    @property
    def runs(self) -> int:
        return len(self.campaign.runs)

    def run(self, commit: str, experiment: int | None = None) -> None:
        """Make a run of a commit."""
        seed = seed_of(1, commit, next_replicate(self.campaign, commit))
        self._record(commit, experiment, self.draw(self.levels[commit], seed, self.runs), None)

    def fail(self, commit: str, experiment: int | None = None) -> None:
        """Make a run of a commit that fails."""
        self._record(commit, experiment, None, {"class": "error", "reason": "it broke"})

    def _record(
        self, commit: str, experiment: int | None, score: float | None, failure: dict[str, str] | None
    ) -> None:
        replicate = next_replicate(self.campaign, commit)
        seed = seed_of(1, commit, replicate)
        finished = ev.RunFinished(
            run_id(commit, replicate), commit, seed, replicate, experiment, score, failure, {}, self.print,
            "bubblewrap", self.runner, 60.0, 60.0,
        )  # fmt: skip
        self._add(finished)

    def rest(self) -> None:
        """Make the runs of the incumbent that are due."""
        for _ in range(MOST):
            step = incumbent_step(self.campaign, self._standing())
            if not isinstance(step, MeasureIncumbent):
                return
            self.run(step.commit)
        raise AssertionError("the incumbent is measured without end")

    def propose(self, level: float, *, lines: int = 1) -> int:
        """Begin an experiment whose candidate has this level and so many lines more than its incumbent."""
        self.number += 1
        commit, parent = commit_of(f"candidate {self.number}"), self.campaign.incumbent
        self.levels[commit] = level
        self._add(ev.ExperimentClaimed(self.number, parent))
        self._add(ev.ExperimentProposed(self.number, "Try", "other", "", "better", "low", "script"))
        added, removed = max(lines, 0), max(-lines, 0)
        self._add(ev.CandidateBuilt(self.number, 1, parent, commit, added, removed))
        return self.number

    def judged(self) -> ev.ExperimentDecided | NeedRun:
        """Return what the runs so far allow for the newest experiment."""
        return judge(self.campaign, self.number, replace(self.settings, runner=self.runner))

    def try_(self, level: float, *, lines: int = 1) -> ev.ExperimentDecided:
        """Play an experiment from the incumbent's runs to its end; an improvement is merged."""
        self.rest()
        number = self.propose(level, lines=lines)
        experiment = self.campaign.experiments[number]
        assert experiment.candidate is not None
        candidate, parent = experiment.candidate.commit, experiment.candidate.parent
        for _ in range(MOST):
            outcome = self.judged()
            if isinstance(outcome, ev.ExperimentDecided):
                break
            of_candidate = outcome.of == "candidate"
            self.run(candidate if of_candidate else parent, number if of_candidate else None)
        else:
            raise AssertionError(f"no verdict after {MOST} runs: {outcome}")
        self._add(outcome)
        if outcome.land:
            self._add(ev.ExperimentLanded(number, candidate, parent))
        self._add(ev.ExperimentFinished(number))
        return outcome

    def _standing(self) -> Standing:
        return Standing("me", self._now(), self.runner, self.print, Limits(), 3, 25, lambda holder: False)

    def _now(self) -> datetime:
        return START + timedelta(minutes=self.runs)

    def _add(self, event: ev.Event) -> None:
        self.campaign.apply(ev.Recorded(event, self._now().isoformat()))
