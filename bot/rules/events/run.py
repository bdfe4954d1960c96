"""Events of what machines did: runs, tries of a draft, rejected changes that are trained once, and calls of models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from bot.rules.bounds import absurd, audit_figures, measurable
from bot.rules.events.registry import Event, event
from bot.rules.rejections import Outcome

if TYPE_CHECKING:
    from bot.rules.campaign import Campaign


@event("run_finished", "run:{run}")
@dataclass(frozen=True)
class RunFinished(Event):
    """One training plus one scoring of one commit with one seed.

    `score` is None if the run failed; `failure` then holds `class` and `reason`. `seconds` is the whole
    run by our clock, `gpu_seconds` what of it occupied the training device (a CPU stands in for a GPU if
    there is none). `curve` holds at most 40 points (step, training seconds, training loss). `reference` is what a
    run of the reference took, for others to be charged by (`bot.rules.reference`).
    """

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
    gaps: tuple[str, ...] = ()
    """What the jail could not close on the machine of this run, in a sentence each."""
    audit: dict[str, float] | None = None
    """What the audit found (`bot.rules.audits`), also if it refused the run; None if there was none."""
    share: float = 1.0
    """Share of the budget it had. The score of a short run is compared with none but those of the same share."""
    beside: str = ""
    """The commit that it was made side by side with, on one seed, to tell what was gained; empty if for a verdict."""
    late: float = 0.0
    """Seconds from its end until the loop took note of it, since what it did meanwhile took longer."""
    where: str = ""
    """The address of the workflow run that made it; empty if none did."""

    @property
    def is_full(self) -> bool:
        """Whether it had the whole budget."""
        return self.share == 1.0

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.add_run(self, at)
        campaign.wishes.crashed(self.experiment, self.failure)
        campaign.leases.pop(f"run:{self.run}", None)

    @classmethod
    def softened(cls, record: dict[str, Any]) -> dict[str, Any]:
        """Read a score that is beyond every measurement as a failure, and leave out such metrics, points and audits."""
        read = dict(record)
        score, metrics, curve = (read.get(name) for name in ("score", "metrics", "curve"))
        if absurd(score):
            failure = {"class": "nan", "reason": "the score is beyond every measurement"}
            read |= {"score": None, "failure": failure}
        if isinstance(metrics, Mapping):
            read["metrics"] = {name: value for name, value in metrics.items() if not absurd(value)}
        if isinstance(curve, list):
            read["curve"] = [p for p in curve if isinstance(p, list) and all(map(measurable, p))]
        if read.get("audit") is not None:
            read["audit"] = audit_figures(read["audit"])
        return read


@event("draft_tried", "draft:{experiment}:{turn}")
@dataclass(frozen=True)
class DraftTried(Event):
    """A smoke run of a draft is over: a few steps without a score. `seconds` occupied the training device.

    `turn` counts within the experiment; `outcome` says how far it came, or the class of its failure.
    """

    experiment: int
    turn: int
    seconds: float
    outcome: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.drafts.add(self.experiment, self.turn, self.seconds)


@event("rejection_drawn", "rejection_drawn:{experiment}")
@dataclass(frozen=True)
class RejectionDrawn(Event):
    """A rejected experiment was drawn: it is trained once before it is closed."""

    experiment: int

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.change(self.experiment, drawn=True)


@event("rejection_measured", "rejection_measured:{experiment}")
@dataclass(frozen=True)
class RejectionMeasured(Event):
    """What one run of a rejected candidate showed. `against` is the incumbent's mean score on the same machine.

    `better` and `worse` are beyond the noise of a single run, `unclear` is not; the evaluator may have `refused`.
    """

    figures: ClassVar = ("score", "against")
    experiment: int
    run: str
    outcome: Outcome
    score: float | None
    against: float | None

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.change(self.experiment, measured=self)


@event("model_called", "called:{conversation}:{call}")
@dataclass(frozen=True)
class ModelCalled(Event):
    """One call of a model: what it used, in tokens, and what it cost; None if the price is not known.

    `conversation` names the conversation by a random word, `call` counts within it. `experiment` is None for
    calls that serve no single one. `stop_reason` is the model's, or `broken` if the answer did not arrive
    whole: then `output_tokens` is an estimate.
    """

    experiment: int | None
    role: str
    conversation: str
    call: int
    model: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: float | None
    stop_reason: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.bills.add(self, at)


@event("package_wished", "wished:{experiment}:{module}")
@dataclass(frozen=True)
class PackageWished(Event):
    """A proposal of an experiment imports a module that candidates can't have."""

    experiment: int
    module: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.wishes.add(self.experiment, self.module)
