"""The clock over one candidate: which phase it is in, what it used, and when a limit is passed.

Training runs from the first batch that the data jail serves (the data jail says so, not the candidate) to the
model handed in. What a start-up uses beyond a measured allowance counts as training, and so does what happens
between the call of `evaluate_bpb` and the model handed in, beyond an allowance for its size. The exam itself may
take a part of what training took for as many tokens; what goes beyond counts too.
"""

from __future__ import annotations

import time
from typing import Any

from evaluator.candidate import Candidate
from evaluator.errors import CandidateFailed
from evaluator.job import Say
from evaluator.proctree import Usage
from evaluator.settings import Settings
from evaluator.smoke import SmokeOver

# A budget may be overrun by a step: a tenth, and a bit. One that goes on is ended a while later.
_GRACE_PART, _GRACE_CPU, _GRACE_WALL = 0.1, 0.3, 1.0
_END_PART, _END_SECONDS = 0.5, 5.0
# CPU seconds take longer on the wall where the machine is shared.
_WALL_PER_CPU, _WALL_EXTRA = 20.0, 60.0

# A start-up is free up to what the data jail used to import torch and prepare.py, times what a first step loads
# beyond that (`Exported.startup_ratio`), and a bit. Compilers keep many processes busy where there is a GPU, so
# there the wall is measured instead.
_STARTUP_CPU, _STARTUP_CPU_EXTRA = 1.15, 0.3
_STARTUP_WALL, _STARTUP_WALL_EXTRA, _STARTUP_WALL_PART = 3.0, 10.0, 0.1
# To hand in a model is free for so long, and a second more for each so many MiB.
_HAND_IN_CPU, _HAND_IN_WALL, _HAND_IN_MB_PER_SECOND = 0.5, 3.0, 50.0

# An exam is free up to a part of what training took for as many tokens (a third of a step goes forward), never
# more than half of the budget, and a bit.
_EXAM_PACE, _EXAM_MOST, _EXAM_PART, _EXAM_CPU, _EXAM_WALL = 0.6, 0.5, 0.05, 0.5, 3.0

_WARMUP_BATCHES = 11  # autoresearch counts its time from the eleventh step

GPU_WARMUP_SECONDS = 60.0  # where the settings name none

_TICK_SECONDS = 0.1
_LOOK_SECONDS = 0.1
_PROGRESS_SECONDS = 0.25


class Clock:
    """Our own clock over one candidate, in the unit of its budget (the wall, where that counts steps)."""

    def __init__(
        self,
        process: Candidate,
        settings: Settings,
        amount: float,
        say: Say,
        *,
        gpu: bool,
        startup_ratio: float,
        smoke: float | None = None,
    ) -> None:
        self.process = process
        self.settings = settings
        self.amount = amount
        compiling = GPU_WARMUP_SECONDS if gpu and settings.budget.kind == "wall" else 0.0
        self.warmup = compiling if settings.warmup_seconds is None else settings.warmup_seconds
        self._smoke_ends = None if smoke is None else time.monotonic() + smoke
        self._gpu = gpu
        self._startup_ratio = startup_ratio
        self.phase = "startup"
        self.phase_began = time.monotonic()
        self.told: dict[str, float] = {}
        self._begins: dict[str, float] = {"startup": self.phase_began}
        self._at: dict[str, float] = {}  # readings of the unit at turning points
        self._warm: tuple[int, float] | None = None
        self._last: tuple[int, float] | None = None
        self._free_startup = settings.startup_seconds or 120.0
        self._say = say
        self._next_look = self._next_progress = 0.0
        self._startup = 0.0

    # What others tell

    def hello(self, said: dict[str, Any]) -> None:
        """Hear what the data jail used to be ready: the measure for a start-up on this machine now."""
        if self.settings.startup_seconds is not None:
            return
        if self._gpu:
            wall = _STARTUP_WALL * float(said["wall_seconds"]) + _STARTUP_WALL_EXTRA
            self._free_startup = wall + _STARTUP_WALL_PART * self.amount
        else:
            used = float(said["cpu_seconds"]) * self._startup_ratio
            self._free_startup = _STARTUP_CPU * used + _STARTUP_CPU_EXTRA

    def served(self, batches: int, tokens: int) -> None:
        """Hear from the data jail how much it has served."""
        if self.phase == "startup":
            self._at["first"] = self._measured()
            self._startup = (
                time.monotonic() - self._begins["startup"] if self._gpu else self.process.cpu_seconds
            )
            self._enter("training")
        if self.phase != "training":
            return
        self.told["total_tokens_M"] = round(tokens / 1e6, 6)
        self.told["num_batches"] = batches
        reading = self._reading()
        if batches >= _WARMUP_BATCHES:
            self._warm = self._warm or (batches, reading)
            self._last = batches, reading

    def evaluate(self) -> None:
        """Training has ended, says the candidate."""
        self._at["end"] = self._measured()
        self._enter("evaluation")

    def handed_in(self, model_mb: float) -> None:
        """The model is here as a whole; raise `CandidateFailed` where training took more than its budget."""
        free = _HAND_IN_CPU if self.settings.budget.kind == "cpu" else _HAND_IN_WALL
        self._at["shipped"] = self._measured()
        spent = self._at["shipped"] - self._at["end"]
        self._at["hand_in"] = max(0.0, spent - free - model_mb / _HAND_IN_MB_PER_SECOND)
        self._refuse_overrun()

    def examined(self, tokens: int) -> None:
        """The exam of so many tokens is over; raise `CandidateFailed` where it was used to train on."""
        trained = self.told.get("total_tokens_M", 0.0) * 1e6
        pace = self.used() / trained if trained else 0.0
        free = min(_EXAM_PACE * tokens * pace, _EXAM_MOST * self.amount) + _EXAM_PART * self.amount
        free += _EXAM_CPU if self.settings.budget.kind == "cpu" else _EXAM_WALL + self.warmup
        self._at["exam"] = max(0.0, self._measured() - self._at["shipped"] - free)
        self._refuse_overrun()

    # What was used

    def used(self) -> float:
        """Return the seconds of the budget that are used up: all that counts as training."""
        if "first" not in self._at:
            return 0.0
        end = self._at["end"] if "end" in self._at else self._reading()
        return end - self._at["first"] - self._warmup() + sum(self._hidden().values())

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
        if self._warmup():
            known["warmup_seconds"] = round(self._warmup(), 3)
        latest = self.process.log.progress.latest
        return known if latest is None else {**known, "num_steps": latest.step}

    def _hidden(self) -> dict[str, float]:
        """Return what counts as training although no batch was asked for, by where it was."""
        if self.settings.budget.kind == "steps":
            return {}
        parts = {"while handing in": "hand_in", "in the evaluation": "exam"}
        found = {where: self._at.get(name, 0.0) for where, name in parts.items()}
        return {"at start-up": self._startup_excess(), **found}

    def _startup_excess(self) -> float:
        return max(0.0, self._startup - self._free_startup)

    def _warmup(self) -> float:
        """Return what the first steps took beyond the pace of the later ones, up to what is allowed for it."""
        if self._warm is None or self._last is None or self._last[0] <= self._warm[0]:
            return 0.0
        pace = (self._last[1] - self._warm[1]) / (self._last[0] - self._warm[0])
        return min(self.warmup, max(0.0, self._warm[1] - self._at["first"] - (self._warm[0] - 1) * pace))

    def _refuse_overrun(self) -> None:
        cpu = self.settings.budget.kind == "cpu"
        allowed = self.amount * (1 + _GRACE_PART) + (_GRACE_CPU if cpu else _GRACE_WALL)
        used = self.used()
        if self.settings.budget.kind == "steps" or used <= allowed:
            return
        unit = "CPU seconds" if cpu else "seconds"
        parts = [
            f"{seconds:.1f} of them {where}" for where, seconds in self._hidden().items() if seconds > 0.5
        ]
        told = f"trained for {used:.1f} {unit} of {self.amount:g} (at most {allowed:g})"
        raise CandidateFailed(
            "refused", ", ".join([f"over the time budget: {told}", *parts]), defence="clock"
        )

    def _measured(self) -> float:
        self.process.measure()
        return self._reading()

    def _reading(self) -> float:
        return self.process.cpu_seconds if self.settings.budget.kind == "cpu" else time.monotonic()

    def _enter(self, phase: str) -> None:
        self.phase, self.phase_began = phase, time.monotonic()
        self._begins[phase] = self.phase_began

    # Limits

    def listen(self, readers: list[Any], writers: list[Any]) -> None:
        """Wait a moment for one of these or for output; raise `CandidateFailed` where a limit is passed."""
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
        elif spent > self.settings.evaluation_seconds:
            raise CandidateFailed(
                "timeout",
                f"evaluation not over within {self.settings.evaluation_seconds:g} seconds",
                defence="limits",
            )

    def _look_at_startup(self, wall: float) -> None:
        most = self.settings.startup_seconds
        if most is None:
            most = 2 * self._free_startup + _WALL_EXTRA + self.amount * (1 + _END_PART)
        if wall > most:
            raise CandidateFailed(
                "timeout", f"no training batch was asked for within {most:g} seconds", defence="clock"
            )

    def _look_at_training(self, wall: float) -> None:
        kind, warmup = self.settings.budget.kind, self.warmup
        end = self.amount * (1 + _END_PART) + _END_SECONDS + warmup
        if kind == "steps":
            late = wall > self.settings.timeout_seconds
        elif kind == "wall":
            late = wall > end
        else:
            late = self.used() > end or wall > self.amount * _WALL_PER_CPU + _WALL_EXTRA + warmup
        if late:
            raise CandidateFailed(
                "timeout",
                f"still training after {wall:.0f} seconds; the budget is {self.amount:g}",
                defence="clock",
            )

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
