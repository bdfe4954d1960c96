"""What the ledger records: one frozen dataclass per kind of event.

Everything known about a campaign is a fold over these (`bot.rules.campaign`). An event's `key` is made from
what it records, so that appending it twice changes nothing. `at` (UTC, ISO 8601) and `by` (who wrote it)
are added on the way to the ledger and are no part of the key.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from bot.rules.asking import HumanAnswered, HumanAsked, HumanTold
from bot.rules.bounds import check_types
from bot.rules.commands import GivenCommand
from bot.rules.drafts import DraftTried
from bot.rules.ideas import IdeaGiven, IdeaPassed, IdeaWithdrawn
from bot.rules.rejections import RejectionDrawn, RejectionMeasured
from bot.rules.repairs import CrashSentBack
from bot.rules.wishes import PackageWished

SCHEMA = 1

Verdict = Literal["improved", "discarded", "inconclusive", "crashed", "rejected", "lost"]
VERDICTS: tuple[Verdict, ...] = ("improved", "discarded", "inconclusive", "crashed", "rejected", "lost")
Direction = Literal["minimize", "maximize"]
StopReason = Literal[
    "paused", "stopped", "goal", "experiments", "deadline", "gpu_hours", "cost_usd", "crashes", "plateau",
    "exhausted", "baseline", "requested", "unreviewed", "machine",
]  # fmt: skip


@dataclass(frozen=True)
class CampaignStarted:
    """The campaign's first event: where it starts and what it measures."""

    kind: ClassVar[str] = "campaign_started"
    campaign: str
    base_branch: str
    base_commit: str
    metric: str
    direction: Direction
    seed: int

    @property
    def key(self) -> str:
        return self.kind


@dataclass(frozen=True)
class LeaseTaken:
    """`holder` works on `subject` (`experiment:7` or `run:<run id>`) until the time `until`.

    `turn` counts the leases of one subject: of two who reach for the same turn only one gets it.
    """

    kind: ClassVar[str] = "lease_taken"
    subject: str
    turn: int
    holder: str
    until: str

    @property
    def key(self) -> str:
        return f"lease:{self.subject}:{self.turn}"


@dataclass(frozen=True)
class ExperimentClaimed:
    """A number is taken for an experiment that starts from the incumbent `parent`."""

    kind: ClassVar[str] = "experiment_claimed"
    experiment: int
    parent: str
    reverts: int | None = None
    retries: int | None = None

    @property
    def key(self) -> str:
        return f"claimed:{self.experiment}"


@dataclass(frozen=True)
class ExperimentProposed:
    """What is to be tried. The new files stand beside the event in the same ledger commit.

    `edit` is a digest of what changes beside the constants in `changes`, empty where that is all.
    """

    kind: ClassVar[str] = "experiment_proposed"
    experiment: int
    hypothesis: str
    category: str
    reason: str
    expected_effect: str
    risk: str
    proposer: str
    changes: tuple[dict[str, str], ...] = ()
    paths: tuple[str, ...] = ()
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    edit: str = ""
    idea: int | None = None

    @property
    def key(self) -> str:
        return f"proposed:{self.experiment}"


@dataclass(frozen=True)
class ProposalRevised:
    """The proposal as it came back: mended after a review or a crash. It takes the place of the one before, files
    and all.

    `round` is the round whose review or crash asked for it; `revision` counts from 1.
    """

    kind: ClassVar[str] = "proposal_revised"
    experiment: int
    revision: int
    round: int
    hypothesis: str
    category: str
    reason: str
    expected_effect: str
    risk: str
    proposer: str
    changes: tuple[dict[str, str], ...] = ()
    paths: tuple[str, ...] = ()
    edit: str = ""

    @property
    def key(self) -> str:
        return f"revised:{self.experiment}:{self.revision}"


@dataclass(frozen=True)
class CandidateBuilt:
    """The commit under test. A further round is the same change on a newer incumbent, or a revised one."""

    kind: ClassVar[str] = "candidate_built"
    experiment: int
    round: int
    parent: str
    commit: str
    added: int
    removed: int
    revision: int = 0

    @property
    def key(self) -> str:
        return f"built:{self.experiment}:{self.round}"


@dataclass(frozen=True)
class PullOpened:
    """The experiment's pull request exists."""

    kind: ClassVar[str] = "pull_opened"
    experiment: int
    pull: int
    branch: str
    url: str

    @property
    def key(self) -> str:
        return f"opened:{self.experiment}"


@dataclass(frozen=True)
class Reviewed:
    """The checker's word, before a second of training.

    `revise`: not approved as it is, but it may come back better. `reviewer` says who spoke; `remarks` are what
    a model said of single lines: `path`, `line` and `text`; `comment` is the number of the pull request's comment
    that tells of it, where it has one.
    """

    kind: ClassVar[str] = "reviewed"
    experiment: int
    round: int
    approved: bool
    reasons: tuple[str, ...]
    fingerprint: str
    reviewer: str = "rules"
    revise: bool = False
    remarks: tuple[dict[str, str], ...] = ()
    comment: int | None = None

    @property
    def key(self) -> str:
        return f"reviewed:{self.experiment}:{self.round}"


@dataclass(frozen=True)
class RunFinished:
    """One training plus one scoring of one commit with one seed.

    `score` is None where the run failed; `failure` then holds `class` and `reason`. `seconds` is the whole
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


@dataclass(frozen=True)
class ExperimentDecided:
    """The verdict on one round, with its evidence. Effects are candidate minus incumbent."""

    kind: ClassVar[str] = "experiment_decided"
    experiment: int
    round: int
    verdict: Verdict
    land: bool
    effect: float | None
    half_width: float | None
    sigma: float | None
    score: float | None
    against: float | None
    candidate_runs: int
    incumbent_runs: int
    reason: str
    lesson: str

    @property
    def key(self) -> str:
        return f"decided:{self.experiment}:{self.round}:{self.land}"


@dataclass(frozen=True)
class LandingBegun:
    """The campaign's branch is about to be moved to the experiment's commit: from here on no word stops it."""

    kind: ClassVar[str] = "landing_begun"
    experiment: int
    round: int

    @property
    def key(self) -> str:
        return f"landing:{self.experiment}:{self.round}"


@dataclass(frozen=True)
class LandingHeld:
    """A confirmed improvement is not merged yet: `unread` merges wait for a reader, and `limit` may."""

    kind: ClassVar[str] = "landing_held"
    experiment: int
    round: int
    unread: int
    limit: int

    @property
    def key(self) -> str:
        return f"held:{self.experiment}:{self.round}"


@dataclass(frozen=True)
class ExperimentRead:
    """A human has read a merged experiment; `source` names how that is known, such as `review:12345`."""

    kind: ClassVar[str] = "experiment_read"
    experiment: int
    source: str

    @property
    def key(self) -> str:
        return f"read:{self.experiment}"


@dataclass(frozen=True)
class ExperimentLanded:
    """The tested commit is the head of the campaign's branch."""

    kind: ClassVar[str] = "experiment_landed"
    experiment: int
    commit: str
    previous: str

    @property
    def key(self) -> str:
        return f"landed:{self.experiment}"


@dataclass(frozen=True)
class ExperimentFinished:
    """Nothing is left to do: pull request closed or merged, labelled, explained."""

    kind: ClassVar[str] = "experiment_finished"
    experiment: int

    @property
    def key(self) -> str:
        return f"finished:{self.experiment}"


@dataclass(frozen=True)
class IncumbentMoved:
    """The campaign's branch moved, by no experiment: `commit` is what experiments must beat now.

    `why` is "human" where somebody moved the branch, and "base" where the campaign took in the commits of
    its base branch; `absorbed` is then the former incumbent that the base held by content already, as after
    a promotion merged by squash. `reference` is the base branch's head where it brings what a human wrote to the
    files that are trained: time is charged at its measure then.
    """

    kind: ClassVar[str] = "incumbent_moved"
    commit: str
    previous: str
    move: int
    why: Literal["human", "base"] = "human"
    absorbed: str | None = None
    reference: str | None = None

    @property
    def key(self) -> str:
        return f"moved:{self.move}:{self.commit}"


@dataclass(frozen=True)
class BaseLeftOut:
    """The base branch's head `base` can't be taken in, for this `reason`: the campaign goes on without it.

    Said once for each head, and again where the campaign's branch moved otherwise (`move`) meanwhile.
    """

    kind: ClassVar[str] = "base_left_out"
    base: str
    reason: str
    move: int

    @property
    def key(self) -> str:
        return f"left_out:{self.base}:{self.move}"


@dataclass(frozen=True)
class PromotionOpened:
    """The pull request that carries the campaign's confirmed gains to its base branch exists."""

    kind: ClassVar[str] = "promotion_opened"
    pull: int
    url: str

    @property
    def key(self) -> str:
        return f"promotion:{self.pull}"


@dataclass(frozen=True)
class PromotionShown:
    """The promotion tells of the incumbent `head`. `digest` is of its text, so that it is not written twice;
    `base` is where the base branch was then, and `turn` counts."""

    kind: ClassVar[str] = "promotion_shown"
    pull: int
    head: str
    base: str
    digest: str
    turn: int

    @property
    def key(self) -> str:
        return f"promotion:{self.pull}:shown:{self.turn}"


@dataclass(frozen=True)
class PromotionEnded:
    """The promotion is over, and `head` the last incumbent that it told of.

    "closed" by a human it is not opened again until somebody asks; "empty" is one whose gains the base branch
    got otherwise, or that were all taken out again. `merger` is who merged it: a human has read it then.
    """

    kind: ClassVar[str] = "promotion_ended"
    pull: int
    state: Literal["merged", "closed", "empty"]
    head: str
    merger: Literal["human", "bot"] = "human"

    @property
    def key(self) -> str:
        return f"promotion:{self.pull}:ended"


@dataclass(frozen=True)
class CommandGiven:
    """A human said `pause`, `resume`, `stop`, or a word about one experiment. `number` counts the commands.

    `source` names the comment where it was said, such as `comment:12345`: one comment gives one command.
    `text` is what else was said there, such as the reason of a `reject`.
    """

    kind: ClassVar[str] = "command_given"
    number: int
    command: GivenCommand
    experiment: int | None = None
    source: str | None = None
    text: str = ""

    @property
    def key(self) -> str:
        return f"command:{self.source or self.number}"


@dataclass(frozen=True)
class LoopStopped:
    """A loop came to its end. `after` counts finished experiments: the same stop is recorded once."""

    kind: ClassVar[str] = "loop_stopped"
    reason: StopReason
    detail: str
    after: int
    commands: int = 0

    @property
    def key(self) -> str:
        return f"stopped:{self.reason}:{self.after}:{self.commands}"


@dataclass(frozen=True)
class ModelCalled:
    """One call of a model: what it used, in tokens, and what it cost; None where the price is not known.

    `conversation` names the conversation by a random word, `call` counts within it. `experiment` is None for
    calls that serve no single one. `stop_reason` is the model's, or `broken` where the answer did not arrive
    whole: then `output_tokens` is an estimate.
    """

    kind: ClassVar[str] = "model_called"
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

    @property
    def key(self) -> str:
        return f"called:{self.conversation}:{self.call}"


@dataclass(frozen=True)
class LedgerMended:
    """Damage that was found and put right, in words."""

    kind: ClassVar[str] = "ledger_mended"
    note: str
    at_event: int

    @property
    def key(self) -> str:
        return f"mended:{self.at_event}"


@dataclass(frozen=True)
class MessageIntended:
    """`holder` is about to send a message, until the time `until`: written before, so that it is sent once.

    `message` names it (`morning:2026-11-23`, `night:2026-11-22:1`), `covers` the notices that it carries. Its
    content is what was known between `since` and `upto`. `thread` is the message that it answers.
    """

    kind: ClassVar[str] = "message_intended"
    message: str
    attempt: int
    holder: str
    until: str
    since: str
    upto: str
    covers: tuple[str, ...]
    channel: str
    thread: str | None = None

    @property
    def key(self) -> str:
        return f"message:{self.message}:{self.attempt}"


@dataclass(frozen=True)
class MessageEnded:
    """What became of an attempt: `sent` (as `ts` in its channel), `refused` (nothing was sent), or `unknown`
    where nobody can find out; it is not sent again then."""

    kind: ClassVar[str] = "message_ended"
    message: str
    attempt: int
    outcome: Literal["sent", "refused", "unknown"]
    ts: str | None
    why: str

    @property
    def key(self) -> str:
        return f"message_ended:{self.message}:{self.attempt}"


@dataclass(frozen=True)
class ChartShown:
    """A message that was sent shows its chart, or never will (`file` is None then)."""

    kind: ClassVar[str] = "chart_shown"
    message: str
    file: str | None

    @property
    def key(self) -> str:
        return f"chart:{self.message}"


MessageEvent = MessageIntended | MessageEnded | ChartShown
"""Events about what was told to people."""

ExperimentEvent = (
    ExperimentProposed
    | ProposalRevised
    | CandidateBuilt
    | PullOpened
    | Reviewed
    | CrashSentBack
    | ExperimentDecided
    | LandingHeld
    | RejectionDrawn
    | RejectionMeasured
    | LandingBegun
    | ExperimentLanded
    | ExperimentFinished
)
"""Events that change one experiment."""

Event = (
    CampaignStarted
    | LeaseTaken
    | ExperimentClaimed
    | RunFinished
    | ExperimentEvent
    | IncumbentMoved
    | BaseLeftOut
    | PromotionOpened
    | PromotionShown
    | PromotionEnded
    | ExperimentRead
    | CommandGiven
    | LoopStopped
    | ModelCalled
    | DraftTried
    | PackageWished
    | LedgerMended
    | MessageEvent
    | IdeaGiven
    | IdeaWithdrawn
    | IdeaPassed
    | HumanAsked
    | HumanTold
    | HumanAnswered
)
EVENT_TYPES: dict[str, type[Any]] = {t.kind: t for t in Event.__args__}


@dataclass(frozen=True)
class Recorded:
    """An event as it stands on the ledger: what, when (ISO 8601, UTC) and by whom."""

    event: Event
    at: str
    by: str = field(default="")


def to_json(event: Event, *, at: str, by: str) -> dict[str, Any]:
    """Return `event` as the JSON object that the ledger keeps."""
    return {"kind": event.kind, "key": event.key, "at": at, "by": by, **dataclasses.asdict(event)}


def from_json(record: dict[str, Any]) -> Recorded:
    """Return the event that `record` holds.

    Raises ValueError for a kind that this version does not know, a record that lacks a field, and one whose numbers
    or texts are none (`bot.rules.bounds`).
    """
    body = dict(record)
    kind, at, by = body.pop("kind", None), body.pop("at", ""), body.pop("by", "")
    body.pop("key", None)
    event_type = EVENT_TYPES.get(str(kind))
    if event_type is None:
        raise ValueError(f"unknown kind of event {kind!r}")
    try:
        check_types(event_type, body)
        return Recorded(event_type(**{name: _frozen(value) for name, value in body.items()}), at, by)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{kind}: {error}") from None
    except RecursionError:
        raise ValueError(f"{kind}: nested too deep") from None


def _frozen(value: Any) -> Any:
    """Lists become tuples, so that a read event equals the one that was written."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
