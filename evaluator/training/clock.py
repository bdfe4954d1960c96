"""The clock over one candidate: which phase it is in, what it used, and when a limit is passed."""

from __future__ import annotations

import socket
import time

from evaluator.candidate import Candidate
from evaluator.errors import CandidateFailed
from evaluator.job import Say
from evaluator.settings import Settings

# A budget may be overrun by a step: a tenth and a second. One that goes on is ended a while later.
_GRACE_PART, _GRACE_SECONDS = 0.1, 1.0
_END_PART, _END_SECONDS = 0.5, 5.0
# CPU seconds take longer on the wall where the machine is shared.
_WALL_PER_CPU, _WALL_EXTRA = 20.0, 60.0

_TICK_SECONDS = 0.1
_LOOK_SECONDS = 0.2
_PROGRESS_SECONDS = 0.25


class Clock:
    """Our own clock over one candidate: which phase it is in, what it used, when a phase is over."""

    def __init__(self, process: Candidate, settings: Settings, amount: float, say: Say) -> None:
        self.process = process
        self.settings = settings
        self.amount = amount
        self.phase = "startup"
        self.began = self.phase_began = time.monotonic()
        self._cpu_at_start = 0.0
        self.training_used: float | None = None
        self.told: dict[str, float] = {}
        self._seconds: dict[str, float] = {}
        self._say = say
        self._next_look = self._next_progress = 0.0

    def enter(self, phase: str) -> None:
        """Go on to startup, training or evaluation."""
        self.process.measure()
        now = time.monotonic()
        self._seconds[self.phase] = now - self.phase_began
        if phase == "training":
            self._cpu_at_start = self.process.cpu_seconds
        if self.phase == "training":
            self.training_used = self.used()
        self.phase, self.phase_began = phase, now

    def used(self) -> float:
        """Return the seconds that the training has used of its budget (on the wall where it counts steps)."""
        if self.phase != "training":
            return self.training_used or 0.0
        if self.settings.budget.kind == "cpu":
            return self.process.cpu_seconds - self._cpu_at_start
        return time.monotonic() - self.phase_began

    def overrun(self) -> str | None:
        """Return what to say where the training used more than its budget, once it has ended."""
        allowed = self.amount * (1 + _GRACE_PART) + _GRACE_SECONDS + self.settings.warmup_seconds
        used = self.training_used or 0.0
        if self.settings.budget.kind == "steps" or used <= allowed:
            return None
        unit = "CPU seconds" if self.settings.budget.kind == "cpu" else "seconds"
        return f"over the time budget: trained for {used:.1f} {unit} of {self.amount:g} (at most {allowed:g})"

    def wait(self, end: socket.socket, to_write: bool) -> None:
        """Wait a moment for `end` or for output; raise `CandidateFailed` where a limit is passed."""
        self.process.listen(_TICK_SECONDS, end, to_write=to_write)
        self.look()

    def look(self) -> None:
        """Check the limits and tell progress, each at its own pace; raise `CandidateFailed`."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_SECONDS
        memory = self.process.measure().memory_mb
        if self.settings.memory_mb is not None and memory > self.settings.memory_mb:
            raise CandidateFailed(
                "out_of_memory", f"used {memory:.0f} MiB of memory; {self.settings.memory_mb} are allowed"
            )
        spent = now - self.phase_began
        if self.phase == "startup" and spent > self.settings.startup_seconds:
            raise CandidateFailed(
                "timeout", f"no training batch was asked for within {self.settings.startup_seconds:g} seconds"
            )
        if self.phase == "training":
            self._look_at_training(spent)
            if now >= self._next_progress:
                self._next_progress = now + _PROGRESS_SECONDS
                self._tell_progress(memory)
        if self.phase == "evaluation" and spent > self.settings.evaluation_seconds:
            raise CandidateFailed(
                "timeout", f"evaluation not over within {self.settings.evaluation_seconds:g} seconds"
            )

    def metrics(self) -> dict[str, float]:
        """Return what is known about the run, in seconds and MiB."""
        seconds = {**self._seconds, self.phase: time.monotonic() - self.phase_began}
        used = self.used() if self.training_used is None else self.training_used
        known = {
            "training_seconds": round(used, 3),
            "startup_seconds": round(seconds["startup"], 3),
            "evaluation_seconds": round(seconds.get("evaluation", 0.0), 3),
            "peak_memory_mb": round(self.process.peak_memory_mb, 1),
            **self.told,
        }
        latest = self.process.log.progress.latest
        return known if latest is None else {**known, "num_steps": latest.step}

    def _look_at_training(self, wall: float) -> None:
        kind, warmup = self.settings.budget.kind, self.settings.warmup_seconds
        end = self.amount * (1 + _END_PART) + _END_SECONDS + warmup
        if kind == "steps":
            late = wall > self.settings.timeout_seconds
        elif kind == "wall":
            late = wall > end
        else:
            late = self.used() > end or wall > self.amount * _WALL_PER_CPU + _WALL_EXTRA + warmup
        if late:
            raise CandidateFailed(
                "timeout", f"still training after {wall:.0f} seconds; the budget is {self.amount:g}"
            )

    def _tell_progress(self, memory: float) -> None:
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
                "memory_mb": round(memory, 1),
            }
        )
