"""What a run is asked to do, and the two events it can end with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluator.bounds import LARGEST, measurable, within
from evaluator.candidate import bounds
from evaluator.errors import CandidateFailed, UserError
from evaluator.interpreter.task_python import TaskPython
from evaluator.jail import control_group
from evaluator.jail.launch import Jail
from evaluator.log import Log
from evaluator.script import USUAL, script_path
from evaluator.settings import Settings
from evaluator.stream import Event
from evaluator.workspace import Source

if TYPE_CHECKING:
    from evaluator.cuts.keeping import Keeping
    from evaluator.training.reference import Reference

Say = Callable[[Event], None]


@dataclass(frozen=True)
class Job:
    """One run: the user's tree `repo` (never changed), how it is run and with which seed.

    `python` is what runs it. `began` is `time.monotonic()` when the evaluator began with it. `smoke` is how many
    seconds it may take if nothing shall be scored (`evaluator.smoke`). `reference` is what the candidate's time is
    measured by; None if the run is itself the reference (`evaluator.training.reference`), or counts no time. `cuts` is
    where the secret of the cuts is kept (`evaluator.cuts`); None asks none. `share` is the part of its budget that it
    is given: what such a run scores is compared with runs of the same share only, which its fingerprint sees to.
    """

    repo: Path
    settings: Settings
    seed: int
    began: float
    jail: Jail
    python: TaskPython
    smoke: float | None = None
    reference: Reference | None = None
    cuts: Keeping | None = None
    share: float = 1.0

    @property
    def source(self) -> Source:
        """Where the run's tree comes from."""
        return source_of(self.repo, self.settings)

    def started(self, budget: Mapping[str, Any], fingerprint: str, **more: Any) -> Event:
        """Return the first event of the run; `more` is what else is known when it begins."""
        return {
            "event": "started",
            "kind": self.settings.kind,
            "seed": self.seed,
            "jail": self.jail.name,
            "budget": dict(budget),
            "share": self.share,
            "fingerprint": fingerprint,
            "python": self.python.facts(),
            **more,
        }


def source_of(repo: Path, settings: Settings, train: Path | None = None) -> Source:
    """Return where the tree of a run comes from: `repo`, and the user's own repository that the settings name.

    Raises `UserError` if that is not there.
    """
    repository = Path(settings.repository) if settings.repository is not None else repo
    if not repository.is_dir():
        raise UserError(f"repository: {repository}: no such folder")
    largest = int(bounds(settings).scratch_mb * 2**20) // 2
    script = script_path(settings) if settings.kind == "train" else settings.train or USUAL
    return Source(repo, repository.resolve(), settings.data, train, largest, script)


def scored(job: Job, score: float, metrics: Mapping[str, float], fingerprint: str, log: Log) -> Event:
    """Return the final event of a run that has a score: a failure (nan) if that is no measurement."""
    name = job.settings.metric.name
    if not measurable(score):
        said = (
            f"the {name} of {score:g} is beyond {LARGEST:g} in magnitude: a diverged loss is no measurement"
        )
        return failed(job, CandidateFailed("nan", said, defence="scoring"), metrics, fingerprint, log)
    return {
        "event": "score",
        "metric": name,
        "score": score,
        "direction": job.settings.metric.direction,
        "metrics": {name: score, **within(metrics)},
        "printed": dict(log.progress.printed),
        **_common(job, fingerprint, log),
    }


def failed(
    job: Job, failure: CandidateFailed, metrics: Mapping[str, float], fingerprint: str | None, log: Log
) -> Event:
    """Return the final event of a run without a score."""
    return {
        "event": "failed",
        "class": failure.kind,
        "reason": failure.reason,
        "defence": failure.defence,
        "traceback": failure.traceback,
        "metrics": within(metrics),
        **_common(job, fingerprint, log),
    }


def _common(job: Job, fingerprint: str | None, log: Log) -> Event:
    return {
        "fingerprint": fingerprint,
        "seed": job.seed,
        "share": job.share,
        "jail": job.jail.name,
        "gaps": [*job.jail.gaps, *control_group.gaps()],
        "curve": log.progress.curve(),
        "log_tail": log.tail(),
    }
