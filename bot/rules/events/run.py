"""Events of trainings: runs, tries of a draft, and rejected changes that are trained once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from bot.rules.bounds import absurd, measurable
from bot.rules.events.registry import event
from bot.rules.rejections import Outcome

if TYPE_CHECKING:
    from bot.rules.campaign import Campaign


@event
@dataclass(frozen=True)
class RunFinished:
    """One training plus one scoring of one commit with one seed.

    `score` is None if the run failed; `failure` then holds `class` and `reason`. `seconds` is the whole
    run by our clock, `gpu_seconds` what of it occupied the training device (a CPU stands in for a GPU where
    there is none). `curve` holds at most 40 points (step, training seconds, training loss). `reference` is what a
    run of the reference took, for others to be charged by (`bot.rules.reference`).
    """

    kind: ClassVar[str] = "run_finished"
    run: str
    commit: str
    seed: int
    replicate: int
    experiment: int | None
    score: float | None
    failure: dict[str, str] | None
    metrics: dict[str, float]
    fingerprint: str | None
    jail: str
    runner: str
    seconds: float
    gpu_seconds: float
    curve: tuple[tuple[float, float, float], ...] = ()
    reference: dict[str, Any] | None = None
    self_reported: bool = False
    """Whether candidates' code ran where this was measured (`bot.rules.self_reported`)."""

    @property
    def key(self) -> str:
        return f"run:{self.run}"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.add_run(self, at)
        campaign.wishes.crashed(self.experiment, self.failure)
        campaign.leases.pop(f"run:{self.run}", None)

    @staticmethod
    def softened(record: dict[str, Any]) -> dict[str, Any]:
        """Read a score that is beyond every measurement as a failure, and leave out such metrics and points."""
        read = dict(record)
        score, metrics, curve = (read.get(name) for name in ("score", "metrics", "curve"))
        if absurd(score):
            failure = {"class": "nan", "reason": "the score is beyond every measurement"}
            read |= {"score": None, "failure": failure}
        if isinstance(metrics, Mapping):
            read["metrics"] = {name: value for name, value in metrics.items() if not absurd(value)}
        if isinstance(curve, list):
            read["curve"] = [p for p in curve if isinstance(p, list) and all(map(measurable, p))]
        return read


@event
@dataclass(frozen=True)
class DraftTried:
    """A smoke run of a draft is over: a few steps without a score. `seconds` occupied the training device.

    `turn` counts within the experiment; `outcome` says how far it came, or the class of its failure.
    """

    kind: ClassVar[str] = "draft_tried"
    experiment: int
    turn: int
    seconds: float
    outcome: str

    @property
    def key(self) -> str:
        return f"draft:{self.experiment}:{self.turn}"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.drafts.add(self.experiment, self.turn, self.seconds)


@event
@dataclass(frozen=True)
class RejectionDrawn:
    """A rejected experiment was drawn: it is trained once before it is closed."""

    kind: ClassVar[str] = "rejection_drawn"
    experiment: int

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.experiment}"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.put(replace(campaign.experiments[self.experiment], drawn=True))


@event
@dataclass(frozen=True)
class RejectionMeasured:
    """What one run of a rejected candidate showed. `against` is the incumbent's mean score on the same machine.

    `better` and `worse` are beyond the noise of a single run, `unclear` is not; the evaluator may have `refused`.
    """

    kind: ClassVar[str] = "rejection_measured"
    experiment: int
    run: str
    outcome: Outcome
    score: float | None
    against: float | None

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.experiment}"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.put(replace(campaign.experiments[self.experiment], measured=self))

    @staticmethod
    def softened(record: dict[str, Any]) -> dict[str, Any]:
        """Leave out both scores if one is beyond every measurement."""
        scores = ("score", "against")
        return record | dict.fromkeys(scores) if any(absurd(record.get(name)) for name in scores) else record
