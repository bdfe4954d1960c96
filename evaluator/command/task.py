"""A run of kind `command`: a locked script of the tree measures, and prints its metrics.

With `produce` it measures what the candidate left behind. `produce` is the candidate's side: it runs the
editable files in a jail of its own, without `data`, and leaves plain files in `$NOCTURNE_OUT`; what it prints
is shown and never believed. Then `command` runs in a fresh jail and finds these files, read-only, at its own
`$NOCTURNE_OUT`, and `data` at the paths in `$NOCTURNE_DATA`. It must take what it finds for data: a script
that unpickles or imports it lets the candidate in.

With `call` the command calls functions of the candidate's files, each process of theirs in a jail of its own, and
finds no editable file itself (`evaluator.calls`).

Without either the command alone runs. Where it imports or runs the editable files, they share its jail and
its standard output, and the metrics are only as trustworthy as these files are. Better run them as a process of
their own with captured output, and compare what they answer with what the script knows.
"""

from __future__ import annotations

import math
import os
import socket
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

from evaluator import readable
from evaluator.calls import trees
from evaluator.calls.broker import Broker
from evaluator.candidate import bounds, environment
from evaluator.command import handover, metrics, programs
from evaluator.command.locked import SHARE, HeldBack, fingerprint, held_back
from evaluator.command.part import Cost, Part, diagnosed
from evaluator.command.part import run as run_part
from evaluator.command.words import seen_from as words_seen_from
from evaluator.command.words import shown as shown_by_words
from evaluator.errors import CandidateFailed
from evaluator.jail.file_system import FileSystem
from evaluator.job import Job, Say, failed, scored
from evaluator.log import Log
from evaluator.smoke import SmokeOver, smoked
from evaluator.stream import Event
from evaluator.training import file_systems
from evaluator.workspace import Workspace


@dataclass
class _Bill:
    """What each process has cost, on the candidate's side and on the locked one."""

    produce: list[Cost] = field(default_factory=list)
    command: list[Cost] = field(default_factory=list)


def run(job: Job, space: Workspace, log: Log, say: Say) -> Event:
    """Produce and measure in `space`, and return the final event (score or failed)."""
    mark = fingerprint(job)
    held = held_back(job)
    say(job.started({"kind": "wall", "amount": job.settings.timeout_seconds}, mark))
    bill = _Bill()
    found: dict[str, float] = {}
    failure = None
    try:
        produced = _produce(job, space, held, log, say, bill) if job.settings.produce else None
        if job.smoke is not None:
            _try_out(job, space, held, log, say, bill)
        found = _measure(job, space, held, produced, log, say, bill)
    except CandidateFailed as error:
        failure = error
    except SmokeOver as over:
        return smoked(job, over, _costs(job, bill), log, tail=bool(job.settings.produce))
    every = {**found, **_costs(job, bill)}
    if failure is not None:
        ended = failed(job, failure, every, mark, log)
        measured = job.smoke is not None and not job.settings.produce  # what it printed may tell of a score
        return ended | {"log_tail": ""} if measured else ended
    return scored(job, found[job.settings.metric.name], every, mark, log)


def _produce(job: Job, space: Workspace, held: HeldBack, log: Log, say: Say, bill: _Bill) -> Path:
    """Run the candidate's side, and return a folder with what it left, out of its reach."""
    words, more = job.settings.produce, _outside(job, job.settings.produce, held)
    read = readable.named(job.settings, job.source)
    file_system = file_systems.of_candidate(
        space,
        job.settings,
        job.jail,
        job.python,
        "produce",
        read=read,
        more=more,
        ignored=True,
        hidden=held.outside,
    )
    out = file_system.scratch / "out"
    ours, theirs = socket.socketpair()
    with ours, theirs:
        env = {**_environment(job, file_system), "NOCTURNE_OUT": str(out)}
        command = words_seen_from(words, job.source, file_systems.working_folder(file_system), env["HOME"])
        part = Part(
            command=(*job.python.words("producer", theirs.fileno(), out), *command),
            file_system=file_system,
            env=env,
            title="produce",
        )
        if words[0].removeprefix("./") not in job.settings.editable:
            programs.require("produce", words, file_system, env, jailed=job.jail.name != "none")
        run_part(job, part, log, say, bill.produce, (theirs.fileno(),))
        folder = _received(ours)
    produced = space.base / "produced"
    try:
        handover.copy_out(folder, produced, int(bounds(job.settings).scratch_mb * 2**20))
    finally:
        os.close(folder)
    say({"event": "scoring"})
    return produced


def _environment(job: Job, file_system: FileSystem) -> dict[str, str]:
    values = environment(
        job.settings, job.python, tree=file_systems.working_folder(file_system), seed=job.seed,
        scratch=file_system.scratch, jailed=job.jail.name != "none",
    )  # fmt: skip
    return values | ({} if job.share == 1 else {SHARE: repr(job.share)})


def _outside(job: Job, words: Sequence[str], held: HeldBack) -> tuple[Path, ...]:
    """Return what a command's words name outside of the repository, and what its programs need."""
    path = job.python.search_path(os.environ.get("PATH"))
    named = shown_by_words(words, job.source, held.outside)
    return (*named, *programs.needed(words, path, job.source.repository))


def _try_out(job: Job, space: Workspace, held: HeldBack, log: Log, say: Say, bill: _Bill) -> NoReturn:
    """End a smoke run: the candidate's side was all of it, or the command if that is the candidate's side."""
    if not job.settings.produce:
        _measure(replace(job, settings=replace(job.settings, repeats=1)), space, held, None, log, say, bill)
    raise SmokeOver("ended")


def _measure(
    job: Job, space: Workspace, held: HeldBack, produced: Path | None, log: Log, say: Say, bill: _Bill
) -> dict[str, float]:
    """Run the command as often as asked, each time in a fresh jail, and return the medians."""
    count, name = job.settings.repeats, job.settings.metric.name
    words = job.settings.command
    read = (*readable.named(job.settings, job.source), *held.outside)
    more = (*_outside(job, words, held), *([] if produced is None else [produced]))
    found = []
    apart = produced is not None or bool(job.settings.call)
    locked = trees.of_locked(space, job.settings) if job.settings.call else space
    for turn in range(1, count + 1):
        broker = _broker(job, space, held, f"call-{turn}") if job.settings.call else None
        seen = more if broker is None else (*more, broker.library)
        file_system = file_systems.of_locked_command(
            locked,
            job.settings,
            job.jail,
            job.python,
            f"command-{turn}",
            read=read,
            more=seen,
            datasets=apart,
        )
        folder = file_systems.working_folder(file_system)
        data = os.pathsep.join(str(folder / path) for path in held.named)
        which = f", run {turn} of {count}" if count > 1 else ""
        env = {**_environment(job, file_system), "NOCTURNE_DATA": data}
        env = env if broker is None else broker.environment(env)
        if produced is not None:
            env["NOCTURNE_OUT"] = str(produced)
        part = Part(
            command=words_seen_from(words, job.source, folder, env["HOME"]),
            file_system=file_system,
            env=env,
            title=f"command{which}" if apart or which else "",
        )
        programs.require("command", words, file_system, env, jailed=job.jail.name != "none")
        log.listener = reader = metrics.Reader(job.settings.metric)
        if broker is None:
            run_part(job, part, log, say, bill.command)
        else:
            _run_beside(job, part, log, say, bill, broker)
        log.listener = None
        reader.close()
        stated = broker.metrics if broker is not None else {}
        found.append({key: value for key, value in (stated or reader.found).items() if math.isfinite(value)})
        if name not in found[-1]:
            if reader.is_not_finite or name in stated:
                said = f"the metric {name!r} is not a finite number{which}"
                raise CandidateFailed("nan", said, defence="scoring")
            why = diagnosed(0, part, log, f"{reader.missing()}{which}")
            raise why if why.kind != "error" else CandidateFailed("no_metric", why.reason)
    return metrics.medians(found)


def _broker(job: Job, space: Workspace, held: HeldBack, name: str) -> Broker:
    read = readable.named(job.settings, job.source)
    return Broker(job, space, name, read=read, hidden=held.outside)


def _run_beside(job: Job, part: Part, log: Log, say: Say, bill: _Bill, broker: Broker) -> None:
    """Run the command with what it calls beside it."""
    try:
        run_part(job, part, log, say, bill.command, (broker.descriptor,), broker)
    except CandidateFailed as error:
        raise broker.blamed(error) from None
    finally:
        log.listener = None
        bill.produce.append(broker.close(log))


def _costs(job: Job, bill: _Bill) -> dict[str, float]:
    """Return what we measured ourselves; of the candidate's side, or of the command if it is all there is."""
    values = {"total_seconds": round(time.monotonic() - job.began, 3)}
    side = bill.produce or bill.command
    if side:
        values["training_seconds"] = round(statistics.median(each.seconds for each in side), 3)
        values["cpu_seconds"] = round(statistics.median(each.cpu_seconds for each in side), 3)
        values["peak_memory_mb"] = round(max(each.memory_mb for each in side), 1)
    if bill.produce and bill.command:
        values["command_seconds"] = round(statistics.median(each.seconds for each in bill.command), 3)
    values.pop(job.settings.metric.name, None)  # if the command measures it, its word counts
    return values


def _received(end: socket.socket) -> int:
    """Return the open output folder that the producer sent before it began."""
    end.setblocking(False)
    try:
        handles = socket.recv_fds(end, 16, 1)[1]
    except BlockingIOError:
        handles = []
    if not handles:
        raise CandidateFailed("error", "produce ended before it had begun")
    return handles[0]
