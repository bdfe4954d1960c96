"""Calls functions of a file that experiments change, from a locked script that measures it.

    from nocturne_candidate import Candidate, metric

    solution = Candidate("solution.py")
    assert solution.call("primes_below", 20) == [2, 3, 5, 7, 11, 13, 17, 19]
    metric(seconds=solution.last.cpu_seconds)

In a run of Nocturne (`evaluator: {kind: command, call: [solution.py], command: [python, bench.py]}`) the file runs in a
jail of its own: what it prints is log, and nothing but plain data passes. By hand (`python bench.py`) it runs in a
process of its own. Needs nothing but Python.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import statistics
from collections.abc import Callable
from time import monotonic
from typing import Any

from . import plain
from .drivers import CandidateError, Driver, Measured, driver
from .plain import NotPlain
from .timing import Timing, beyond, ratio_of

__all__ = ["Candidate", "CandidateError", "Measured", "NotPlain", "Timing", "metric"]

Arguments = tuple[Any, ...] | Callable[[int], tuple[Any, ...]]
_ROUND_SECONDS, _MOST_CALLS = 1.0, 400
_ROUND_WALL = 10.0  # on a crowded machine a turn waits for its processor longer than it works
_MOST_PROCESSES = 4  # of each side in a round: the same code is a per cent quicker in one than in another
_LOADING = 0.1  # so much of a round may go into loading the file again
_FREE = 1.1  # so many times what the reference took, getting ready may take; beyond, all that is more counts
_driver: list[Driver] = []


def _the_driver() -> Driver:
    if not _driver:
        _driver.append(driver())
    return _driver[0]


def metric(**values: float) -> None:
    """State metrics. In a run they count by themselves, and no line that is printed does any more."""
    _the_driver().metric({name: float(value) for name, value in values.items()})
    for name, value in values.items():
        print(f"METRIC {name}={float(value)!r}", flush=True)


class Candidate:
    """A file whose functions are called, by its path from the top of the repository.

    `limit` is how many seconds a call may take. `last` is what the last call took. Calls go to one process, which is
    started with the first, and again after it died; `fresh` gives another.
    """

    def __init__(self, file: str, *, limit: float = 60.0) -> None:
        self.file = file
        self.limit = limit
        self.last = Measured(0.0, 0.0, 0.0)
        self._process: int | None = None
        self._which = "candidate"
        self.loaded = Measured(0.0, 0.0, 0.0)

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Return what the function `name` (or `Class.method`) answers, as plain data.

        Raises `CandidateError` if it raises, ends, hangs, or answers what is no plain data, and `NotPlain` if an
        argument is none.
        """
        question = plain.packed([name, args, kwargs])
        process = self._started()
        try:
            self.last, answer = _the_driver().ask(process, name, question, self.limit)
        except CandidateError:
            self.close()  # nobody knows in which state it is: the next call begins with a new process
            raise
        try:
            return plain.unpacked(answer)
        except NotPlain as error:
            refused = CandidateError("refused", f"{self.file}: {name}: its answer is {error}")
            _the_driver().blame(refused)
            self.close()
            raise refused from None

    def fresh(self, *, reference: bool = False) -> Candidate:
        """Return the same file in a process, and a jail, of its own: the candidate's, or the reference's."""
        other = Candidate(self.file, limit=self.limit)
        other._which = "reference" if reference else self._which
        return other

    def time(
        self,
        name: str,
        arguments: Arguments,
        *,
        rounds: int = 10,
        calls: int | None = None,
        warm_up: Arguments | None = None,
        warm_ups: int = 1,
        clock: str = "cpu",
    ) -> Timing:
        """Time a function against the reference: the file as the last human's commit has it.

        `arguments` are those of every call, or a function that gives them for call number 0, 1, 2, ...: better draw
        them anew, by a seed that no candidate knows. In each round both files start anew and take `calls` turns, one
        after the other with the same arguments; who does not have the turn stands still. No process is asked the same
        twice. `calls` None is one turn, or if arguments are drawn as many as take the reference a second (less, if
        that would take more than some ten seconds by the clock), shared among up to four processes of each.
        Without `warm_up` what a file does when it is loaded is spread over the calls of its process. With it, that
        and `warm_ups` calls beforehand are free as far as the reference took as long. `clock` is "cpu", which other
        processes disturb least, or "wall".

        Raises what `call` raises, and `ValueError` if a warm-up asks what is timed.
        """
        if clock not in ("cpu", "wall"):
            raise ValueError(f'clock: must be "cpu" or "wall", not {clock!r}')
        pairs = _Pairs(self, name, warm_up, warm_ups, clock)
        rounds_took: list[list[tuple[float, float]]] = []
        count, wanted = 0, calls or 1
        of_a_process = wanted
        try:
            for turn in range(rounds):
                number = 0
                while number < wanted:
                    if number % of_a_process == 0:
                        pairs.renew()
                    asked = arguments(count) if callable(arguments) else arguments
                    began = monotonic()
                    took = pairs.ask(asked, first=(turn + number) % 2)
                    number += 1
                    count += 1
                    if calls is None and count == 1 and callable(arguments):
                        wanted = _turns(took[1], monotonic() - began)
                        of_a_process = math.ceil(wanted / pairs.processes(wanted * took[1]))
                rounds_took.append(pairs.taken())
        finally:
            pairs.close()
        surplus = pairs.surplus() / count
        rounds_took = [[(ours + surplus, theirs) for ours, theirs in took] for took in rounds_took]
        every = [pair for took_in_round in rounds_took for pair in took_in_round]
        return Timing(
            ratios=tuple(ratio_of(took_in_round) for took_in_round in rounds_took),
            total=sum(ours for ours, _ in every) / max(sum(theirs for _, theirs in every), 1e-9),
            seconds=statistics.median(ours for ours, _ in every),
            reference_seconds=statistics.median(theirs for _, theirs in every),
            clock=clock,
            memory_mb=pairs.memory_mb,
            answers=pairs.answers[0],
            reference_answers=pairs.answers[1],
        )

    def close(self) -> None:
        """End its process, if there is one."""
        if self._process is not None:
            process, self._process = self._process, None
            with contextlib.suppress(KeyError):
                _the_driver().end(process)

    def __enter__(self) -> Candidate:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _started(self) -> int:
        if self._process is None:
            self._process, self.loaded = _the_driver().start(self.file, self._which)
        return self._process


class _Pairs:
    """A candidate and a reference, started anew together; both are asked the same."""

    def __init__(
        self, candidate: Candidate, name: str, warm_up: Arguments | None, warm_ups: int, clock: str
    ) -> None:
        self._candidate, self._name, self._clock = candidate, name, clock
        self._warm_up, self._warm_ups, self._warmed = warm_up, warm_ups, 0
        self._sides: list[Candidate] = []
        self._seen: set[bytes] = set()
        self._ready = [0.0, 0.0]  # seconds of getting ready, of the processes that live now
        self._readied: list[list[float]] = []
        self._asked: list[tuple[float, float]] = []
        self._taken: list[tuple[float, float]] = []
        self.answers: tuple[list[Any], list[Any]] = ([], [])
        self.memory_mb = 0.0

    def renew(self) -> None:
        """Begin with new processes, in new jails."""
        self.close()
        self._sides = [self._candidate.fresh(), self._candidate.fresh(reference=True)]
        self._seen = set()
        self._ready = [0.0, 0.0]
        warmed = []
        if self._warm_up is not None:
            for _ in range(self._warm_ups):
                asked = self._warm_up(self._warmed) if callable(self._warm_up) else self._warm_up
                self._warmed += 1
                warmed.append(asked)
                self._seen.add(_key(asked))
        for place, side in enumerate(self._sides):
            side._started()
            self._ready[place] = self._worth(side.loaded)
            for asked in warmed:
                side.call(self._name, *asked)
                self._ready[place] += self._worth(side.last)
        self._readied.append(self._ready)

    def ask(self, arguments: tuple[Any, ...], *, first: int) -> tuple[float, float]:
        """Return the seconds of the candidate and of the reference; `first` says who begins."""
        key = _key(arguments)
        if key in self._seen:
            self.renew()
            if key in self._seen:
                raise ValueError("warm_up: it asks what is timed: give it other arguments")
        self._seen.add(key)
        took = [0.0, 0.0]
        for place in (first, 1 - first):
            side = self._sides[place]
            self.answers[place].append(side.call(self._name, *arguments))
            took[place] = self._worth(side.last)
        self.memory_mb = max(self.memory_mb, self._sides[0].last.memory_mb)
        self._asked.append((took[0], took[1]))
        return took[0], took[1]

    def processes(self, seconds: float) -> int:
        """Return how many processes of each side to use in a round of so many seconds of the reference's."""
        return max(1, min(_MOST_PROCESSES, int(_LOADING * seconds / max(self._ready[1], 1e-6))))

    def taken(self) -> list[tuple[float, float]]:
        """Return the seconds of all calls since it was asked last, of the candidate and of the reference."""
        self.close()
        taken, self._taken = self._taken, []
        return taken

    def surplus(self) -> float:
        """Return the seconds that getting ready took more than the reference's, of all processes, if they count."""
        ours, theirs = zip(*self._readied, strict=True)
        if self._warm_up is None or not beyond(ours, theirs, _FREE):
            return 0.0
        return float(sum(ours) - sum(theirs))

    def close(self) -> None:
        """End both."""
        for side in self._sides:
            side.close()
        self._sides = []
        if self._asked and self._warm_up is None:
            ours, theirs = (ready / len(self._asked) for ready in self._ready)
            self._asked = [(took[0] + ours, took[1] + theirs) for took in self._asked]
        self._taken += self._asked
        self._asked = []

    def _worth(self, measured: Measured) -> float:
        return measured.cpu_seconds if self._clock == "cpu" else measured.seconds


def _turns(seconds: float, on_the_wall: float) -> int:
    """Return how many turns fill a round if one takes the reference so long, and both together by the clock."""
    fit = min(_ROUND_SECONDS / max(seconds, 1e-6), _ROUND_WALL / on_the_wall)
    return min(max(round(fit), 1), _MOST_CALLS)


def _key(arguments: tuple[Any, ...]) -> bytes:
    return hashlib.sha256(plain.packed(arguments)).digest()
