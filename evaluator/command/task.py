"""A run of kind `command`: any locked script in the tree that prints its metrics. It is trusted to measure;
what it measures is the editable files. Needs neither torch nor numpy.

Metrics are lines `METRIC name=value`, or lines that are a JSON object of numbers; the last word counts.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from pathlib import Path

from evaluator import crash
from evaluator.candidate import Candidate, environment
from evaluator.errors import CandidateFailed, UserError
from evaluator.job import Job, Say, failed, scored
from evaluator.log import Log
from evaluator.stream import Event
from evaluator.workspace import Workspace

_TICK_SECONDS = 0.05
_LOOK_SECONDS = 0.2
_MOST_METRICS = 200
_METRIC = re.compile(r"^\s*METRIC\s+([A-Za-z_][\w.\-/]{0,79})\s*=\s*(\S{1,40})\s*$")


def run(job: Job, space: Workspace, log: Log, say: Say) -> Event:
    """Run the command in `space` and return the final event (score or failed)."""
    mark = fingerprint(job)
    say(job.started({"kind": "wall", "amount": job.settings.timeout_seconds}, mark))
    env = environment(job.settings, seed=job.seed, scratch=space.scratch)
    log.keep_metrics = True
    began = time.monotonic()
    try:
        process = Candidate(job.settings.command, tree=space.tree, env=env, log=log)
    except OSError as error:
        raise UserError(f"command: {job.settings.command[0]}: can't be started: {error.strerror}") from None
    found: dict[str, float] = {}
    failure = None
    try:
        _watch(process, job, say, began)
        process.drain()
        found = read_metrics(log.metric_lines)
        _check(process, job, found, space)
    except CandidateFailed as error:
        failure = error
    finally:
        process.close()
    metrics = {
        **found,
        "training_seconds": round(time.monotonic() - began, 3),
        "total_seconds": round(time.monotonic() - job.began, 3),
        "cpu_seconds": round(process.cpu_seconds, 3),
        "peak_memory_mb": round(process.peak_memory_mb, 1),
    }
    if failure is not None:
        return failed(job, failure, metrics, mark, log)
    return scored(job, found[job.settings.metric.name], metrics, mark, log)


def fingerprint(job: Job) -> str:
    """Return a hash of what measures: the command, and each file it names that experiments may not edit."""
    digest = hashlib.sha256(json.dumps(job.settings.command).encode())
    for word in job.settings.command:
        named = (
            not word.startswith("-") and not Path(word).is_absolute() and word not in job.settings.editable
        )
        if named and (job.repo / word).is_file():
            digest.update(hashlib.sha256((job.repo / word).read_bytes()).digest())
    return digest.hexdigest()


def read_metrics(lines: list[str]) -> dict[str, float]:
    """Return the finite numbers that `lines` state, at most `_MOST_METRICS`."""
    found: dict[str, float] = {}
    for line in lines:
        for name, value in _metrics_of(line).items():
            if math.isfinite(value) and (name in found or len(found) < _MOST_METRICS):
                found[name] = value
    return found


def _metrics_of(line: str) -> dict[str, float]:
    match = _METRIC.match(line)
    if match:
        try:
            return {match[1]: float(match[2])}
        except ValueError:
            return {}
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(value, dict):
        return {}
    return {
        name: float(each)
        for name, each in value.items()
        if isinstance(each, int | float) and not isinstance(each, bool) and abs(each) < 1e300
    }


def _watch(process: Candidate, job: Job, say: Say, began: float) -> None:
    """Wait for the command's end; raise `CandidateFailed` where it passes a limit."""
    limit, memory_limit = job.settings.timeout_seconds, job.settings.memory_mb
    next_look = next_told = began + _LOOK_SECONDS
    while process.returncode is None:
        process.listen(_TICK_SECONDS)
        now = time.monotonic()
        if now < next_look:
            continue
        next_look = now + _LOOK_SECONDS
        memory = process.measure().memory_mb
        if now - began > limit:
            raise CandidateFailed("timeout", f"still running after {limit:g} seconds")
        if memory_limit is not None and memory > memory_limit:
            raise CandidateFailed(
                "out_of_memory", f"used {memory:.0f} MiB of memory; {memory_limit} are allowed"
            )
        latest = process.log.progress.latest
        process.log.progress.mark(now - began)
        if now >= next_told:
            next_told = now + 1.0
            say(
                {
                    "event": "progress",
                    "step": latest.step if latest else None,
                    "loss": latest.loss if latest else None,
                    "seconds": round(now - began, 3),
                    "fraction": round(min((now - began) / limit, 1.0), 4),
                    "tokens_per_second": latest.tokens_per_second if latest else None,
                    "memory_mb": round(memory, 1),
                }
            )


def _check(process: Candidate, job: Job, found: dict[str, float], space: Workspace) -> None:
    name = job.settings.metric.name
    status = process.returncode or 0
    if status == 0 and name in found:
        return
    otherwise = f"the command printed no finite metric {name!r} (as METRIC {name}=1.5, or in a JSON object)"
    log = process.log
    raise crash.diagnose(status, list(log.lines), log.progress, str(space.tree), otherwise)
