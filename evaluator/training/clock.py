"""The clock over one candidate: which phase it is in, what it used, and when a limit is passed.

Training runs from the first batch that the data jail serves (the data jail says so, not the candidate) to the call of
`evaluate_bpb`. What the reference (`evaluator.training.reference`) needed beyond the budget, between these two, is
not counted; what a candidate takes longer than the reference to start, to hand its model in and to be examined counts
as training. A run of the reference itself is only measured.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from evaluator.candidate import Candidate
from evaluator.errors import CandidateFailed
from evaluator.job import Say
from evaluator.proctree import Usage
from evaluator.settings import Settings
from evaluator.smoke import SmokeOver
from evaluator.training import reference as references
from evaluator.training.load import Load, Reading, processors
from evaluator.training.pace import Pace
from evaluator.training.reference import Now, Reference

# A budget may be overrun by a step of the reference, a twentieth, and a bit. One that goes on is ended a while later.
_GRACE_PART, _GRACE_CPU, _GRACE_WALL = 0.05, 0.3, 1.0
_END_PART, _END_SECONDS = 0.5, 5.0
# What takes so many times what is allowed is nobody else's delay, however crowded the machine is.
_MOST_DELAYED = 2.0
# CPU seconds take longer on the wall if the machine is shared.
_WALL_PER_CPU, _WALL_EXTRA = 20.0, 60.0
# Nothing but hanging ends the reference: so many budgets, and so many times an evaluation's seconds.
_HANGS_BUDGETS, _HANGS_SECONDS, _HANGS_EVALUATIONS = 20.0, 3600.0, 10.0

# An exam is free up to so many times the reference's: models differ.
_EXAM_TIMES = 2.0

_TICK_SECONDS = 0.1
_LOOK_SECONDS = 0.1
_PROGRESS_SECONDS = 0.25


class Clock:
    """Our own clock over one candidate, in the unit of its budget (the wall, where that counts steps).

    `reference` is what the candidate is measured by; without one, where the budget counts time, the run is itself
    the reference: nothing is refused for time, and `measures` returns what it took.
    """

    def __init__(
        self,
        process: Candidate,
        settings: Settings,
        amount: float,
        say: Say,
        *,
        load: Load,
        on_gpu: bool,
        reference: Reference | None = None,
        smoke: float | None = None,
    ) -> None:
        self.process = process
        self.settings = settings
        self.amount = amount
        self._load = load
        self._on_gpu = on_gpu
        self._reference = reference
        self._smoke_ends = None if smoke is None else time.monotonic() + smoke
        self.phase = "startup"
        self.phase_began = time.monotonic()
        self.told: dict[str, float] = {}
        self._begins: dict[str, float] = {"startup": self.phase_began}
        self._at: dict[str, float] = {}  # readings of the unit at turning points
        self._loads: dict[str, Reading] = {"startup": load.read()}
        self._cpu: dict[str, float] = {"startup": 0.0}  # of the candidate, at the beginning of each phase
        self._pace = Pace()
        self._ready: Mapping[str, Any] = {}
        self._say = say
        self._next_look = self._next_progress = 0.0
        self._startup = 0.0
        self._tokens = 0

    @property
    def is_measured(self) -> bool:
        """Whether this run only measures: nothing in it is refused for time."""
        return self._reference is None and self.settings.budget.kind != "steps"

    # What others tell

    def hello(self, said: Mapping[str, Any]) -> None:
        """Hear what the data jail used to be ready: the same work in each run."""
        self._ready = said

    def served(self, batches: int, tokens: int) -> None:
        """Hear from the data jail how much it has served."""
        if self.phase == "startup":
            self._at["first"] = self._measured()
            self._startup = (
                time.monotonic() - self._begins["startup"] if self._on_gpu else self.process.cpu_seconds
            )
            self._enter("training")
        if self.phase != "training":
            return
        self._tokens = tokens
        self.told["total_tokens_M"] = round(tokens / 1e6, 6)
        self.told["num_batches"] = batches
        self._pace.served(batches, self._reading())

    def evaluate(self) -> None:
        """Training has ended, says the candidate."""
        self._at["end"] = self._measured()
        self._enter("evaluation")

    def handed_in(self) -> None:
        """The model is here as a whole; raise `CandidateFailed` if training took more than its budget."""
        self._at["shipped"] = self._measured()
        self._refuse_overrun()

    def examined(self) -> None:
        """The exam is over; raise `CandidateFailed` if it was used to train on."""
        self._at["examined"] = self._measured()
        self._loads["examined"] = self._load.read()
        self._refuse_overrun()

    # What was used

    def used(self) -> float:
        """Return the seconds of the budget that are used up: all that counts as training."""
        if "first" not in self._at:
            return 0.0
        return self._training() - self._uncounted() + sum(self._hidden().values())

    def metrics(self) -> dict[str, float]:
        """Return what is known about the run, in seconds and MiB."""
        now = time.monotonic()
        begins = self._begins
        training, evaluation = begins.get("training", now), begins.get("evaluation", now)
        known = {
            "training_seconds": round(self.used(), 3),
            "startup_seconds": round(min(training, evaluation) - begins["startup"], 3),
            "evaluation_seconds": round(now - evaluation, 3),
            "peak_memory_mb": round(self.process.peak_memory_mb, 1),
            **self.told,
        }
        if "first" in self._at and self._uncounted() > 0:
            known["warmup_seconds"] = round(self._uncounted(), 3)
        latest = self.process.log.progress.latest
        return known if latest is None else {**known, "num_steps": latest.step}

    def measures(self, files: str) -> Reference:
        """Return what an examined run took, for candidates to be charged by; `files` is the digest of its files."""
        training = max(self._begins["evaluation"] - self._begins["training"], 1e-3)
        cpu = self._cpu["evaluation"] - self._cpu["training"]
        first, end = self._loads["training"], self._loads["evaluation"]
        pace, excess = self._pace.of_a_training(self._at["first"], self._training())
        batches = int(self.told["num_batches"])
        latest = self.process.log.progress.latest
        steps = latest.step + 1 if latest is not None and 0 <= latest.step < batches else batches
        return Reference(
            version=references.VERSION,
            kind=self.settings.budget.kind,
            amount=self.amount,
            on_gpu=self._on_gpu,
            files=files,
            startup=self._startup,
            startup_wall=self._begins["training"] - self._begins["startup"],
            training=self._training(),
            first_batches=excess,
            pace=pace,
            step=min(pace * batches / steps, self._training()),
            batches=batches,
            tokens=self._tokens,
            hand_in=self._at["shipped"] - self._at["end"],
            exam=self._at["examined"] - self._at["shipped"],
            evaluation_wall=self._loads["examined"].wall - self._begins["evaluation"],
            ready_cpu=float(self._ready.get("cpu_seconds", 0.0)),
            ready_wall=float(self._ready.get("wall_seconds", 0.0)),
            demand=min(max(0.0, cpu) / (training * processors()), 1.0),
            others=self._load.others(first, end),
            others_late=self._load.others(end, self._loads["examined"]),
        )

    def _training(self) -> float:
        end = self._at["end"] if "end" in self._at else self._reading()
        return end - self._at["first"]

    def _uncounted(self) -> float:
        """Return what of the training does not count: up to what the reference needed beyond the same budget."""
        if self.settings.budget.kind == "steps":
            return 0.0
        beyond = max(0.0, self._training() - self.amount)
        return beyond if self.is_measured else min(beyond, self._most_uncounted())

    def _most_uncounted(self) -> float:
        if self.settings.warmup_seconds is not None:
            return self.settings.warmup_seconds
        reference = self._reference
        if reference is None or reference.uncounted == 0:
            return 0.0
        return reference.uncounted * self._longer("training")

    def _hidden(self) -> dict[str, float]:
        """Return what counts as training although no batch was asked for, by where it was."""
        reference, at = self._reference, self._at
        if reference is None or self.settings.budget.kind == "steps":
            return {}
        found = {"at start-up": self._startup - self._free_startup(reference)}
        if "end" in at:
            longer, so_far = self._longer("evaluation"), self._reading()
            shipped = at.get("shipped", so_far)
            found["while handing in"] = shipped - at["end"] - reference.hand_in * longer
            exam = at.get("examined", so_far) - shipped
            found["in the evaluation"] = exam - _EXAM_TIMES * reference.exam * longer
        return {where: max(0.0, seconds) for where, seconds in found.items()}

    def _free_startup(self, reference: Reference) -> float:
        if self.settings.startup_seconds is not None:
            return self.settings.startup_seconds
        return references.free_startup(reference, self._now("startup"))

    def _longer(self, phase: str) -> float:
        """Return how many times longer than in the reference the same work takes in a phase of this run."""
        assert self._reference is not None
        now, late = self._now(phase), phase == "evaluation"
        if self.settings.budget.kind == "cpu":
            return references.longer_of_the_processor(self._reference, now, late=late)
        return references.longer_on_the_wall(self._reference, now, late=late)

    def _now(self, phase: str) -> Now:
        """Return what is known of the machine in a phase that is over, or goes on."""
        ends = {"startup": "training", "training": "evaluation", "evaluation": "examined"}
        others = self._load.others(self._loads.get(phase), self._loads.get(ends[phase]))
        return Now(self._ready.get("cpu_seconds"), self._ready.get("wall_seconds"), others)

    def _refuse_overrun(self) -> None:
        reference = self._reference
        if reference is None or self.settings.budget.kind == "steps" or self._smoke_ends is not None:
            return
        cpu = self.settings.budget.kind == "cpu"
        allowed = self.amount * (1 + _GRACE_PART) + (_GRACE_CPU if cpu else _GRACE_WALL)
        allowed += reference.step * self._longer("training")
        used = self.used()
        if used <= allowed:
            return
        unit = "CPU seconds" if cpu else "seconds"
        parts = [
            f"{seconds:.1f} of them {where}" for where, seconds in self._hidden().items() if seconds > 0.5
        ]
        told = f"trained for {used:.1f} {unit} of {self.amount:g} (at most {allowed:.4g})"
        if reference.uncounted > 0:
            told += f" beyond the {self._most_uncounted():.1f} that the reference needs besides"
        told = ", ".join([told, *parts])
        short = not cpu and used <= _MOST_DELAYED * allowed
        if short and references.too_crowded(reference, self._now("training")):
            said = f"others kept this machine too busy to tell whose delay it was: {told}"
            raise CandidateFailed("infrastructure", said, defence="clock")
        raise CandidateFailed("refused", f"over the time budget: {told}", defence="clock")

    def _measured(self) -> float:
        self.process.measure()
        return self._reading()

    def _reading(self) -> float:
        return self.process.cpu_seconds if self.settings.budget.kind == "cpu" else time.monotonic()

    def _enter(self, phase: str) -> None:
        self.phase, self.phase_began = phase, time.monotonic()
        self._begins[phase] = self.phase_began
        self._loads[phase] = self._load.read()
        self._cpu[phase] = self.process.cpu_seconds

    # Limits

    def listen(self, readers: list[Any], writers: list[Any]) -> None:
        """Wait a moment for one of these or for output; raise `CandidateFailed` if a limit is passed."""
        self.process.listen(_TICK_SECONDS, readers, writers)
        self.look()

    def look(self) -> None:
        """Check the limits and tell progress, each at its own pace; raise `CandidateFailed`."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_SECONDS
        usage = self.process.check()
        if self._smoke_ends is not None and now > self._smoke_ends:
            raise SmokeOver(self.phase)
        spent = now - self.phase_began
        if self.phase == "startup":
            self._look_at_startup(spent)
        elif self.phase == "training":
            self._look_at_training(spent)
            if now >= self._next_progress:
                self._next_progress = now + _PROGRESS_SECONDS
                self._tell_progress(usage)
        elif "examined" not in self._at:
            self._refuse_overrun()
        if self.phase == "evaluation" and spent > self.evaluation_seconds():
            raise CandidateFailed(
                "timeout",
                f"evaluation not over within {self.evaluation_seconds():g} seconds",
                defence="limits",
            )

    def evaluation_seconds(self) -> float:
        """Return when an evaluation is given up: as set, or three times what the reference took."""
        most = self.settings.evaluation_seconds
        if self.is_measured:
            return _HANGS_EVALUATIONS * most
        if self._reference is None:
            return most
        return max(most, round(3 * self._reference.evaluation_wall))

    def _look_at_startup(self, wall: float) -> None:
        most = self.settings.startup_seconds
        if most is None:
            most = _HANGS_SECONDS if self.is_measured else self._most_startup()
        if wall > most:
            raise CandidateFailed(
                "timeout", f"no training batch was asked for within {most:g} seconds", defence="clock"
            )

    def _most_startup(self) -> float:
        usual = 120.0 if self._reference is None else 3 * self._reference.startup_wall
        return round(2 * max(120.0, usual) + _WALL_EXTRA + self.amount * (1 + _END_PART))

    def _look_at_training(self, wall: float) -> None:
        kind = self.settings.budget.kind
        if kind == "steps":
            late = wall > self.settings.timeout_seconds
        elif self.is_measured:
            late = wall > self.amount * _HANGS_BUDGETS + _HANGS_SECONDS
        else:
            late = self._is_late(wall)
        if late:
            raise CandidateFailed(
                "timeout",
                f"still training after {wall:.0f} seconds; the budget is {self.amount:g}",
                defence="clock",
            )

    def _is_late(self, wall: float) -> bool:
        end = self.amount * (1 + _END_PART) + _END_SECONDS
        if self.settings.budget.kind == "cpu" and self._training() <= end:
            most = (self.amount + self._most_uncounted()) * _WALL_PER_CPU + _WALL_EXTRA
            return wall > most
        return self._training() > end and self._training() > end + self._most_uncounted()

    def _tell_progress(self, usage: Usage) -> None:
        progress, used = self.process.log.progress, self.used()
        latest = progress.latest
        progress.mark(used)
        counted = latest.step if latest and self.settings.budget.kind == "steps" else used
        self._say(
            {
                "event": "progress",
                "step": latest.step if latest else None,
                "loss": latest.loss if latest else None,
                "seconds": round(used, 3),
                "fraction": round(min(counted / self.amount, 1.0), 4),
                "tokens_per_second": latest.tokens_per_second if latest else None,
                "memory_mb": round(usage.memory_mb, 1),
            }
        )
