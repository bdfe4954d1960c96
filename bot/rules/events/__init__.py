"""What the ledger records: one frozen dataclass per kind of event.

Everything known about a campaign is a fold over these (`bot.rules.campaign`). An event's class says its kind, its key
and how it changes the campaign; `registry` says how it is written and read. The modules beside it hold the events by
subject, and importing them here is what registers them.
"""

from bot.rules.events.agent import ModelCalled, PackageWished
from bot.rules.events.campaign import (
    BaseLeftOut,
    CampaignStarted,
    IncumbentMoved,
    LeaseTaken,
    LedgerMended,
    LoopStopped,
)
from bot.rules.events.experiment import (
    CandidateBuilt,
    CrashSentBack,
    ExperimentClaimed,
    ExperimentDecided,
    ExperimentProposed,
    ProposalRevised,
    PullOpened,
    Reviewed,
)
from bot.rules.events.human import (
    CommandGiven,
    HumanAnswered,
    HumanAsked,
    HumanTold,
    IdeaGiven,
    IdeaPassed,
    IdeaWithdrawn,
)
from bot.rules.events.landing import (
    ExperimentFinished,
    ExperimentLanded,
    ExperimentRead,
    LandingBegun,
    LandingHeld,
)
from bot.rules.events.message import ChartShown, MessageEnded, MessageIntended
from bot.rules.events.promotion import PromotionEnded, PromotionOpened, PromotionShown
from bot.rules.events.registry import (
    KINDS,
    SCHEMA,
    VERDICTS,
    Direction,
    Event,
    Recorded,
    Verdict,
    event,
    from_json,
    read,
    to_json,
)
from bot.rules.events.run import DraftTried, RejectionDrawn, RejectionMeasured, RunFinished

__all__ = [
    "KINDS",
    "SCHEMA",
    "VERDICTS",
    "BaseLeftOut",
    "CampaignStarted",
    "CandidateBuilt",
    "ChartShown",
    "CommandGiven",
    "CrashSentBack",
    "Direction",
    "DraftTried",
    "Event",
    "ExperimentClaimed",
    "ExperimentDecided",
    "ExperimentFinished",
    "ExperimentLanded",
    "ExperimentProposed",
    "ExperimentRead",
    "HumanAnswered",
    "HumanAsked",
    "HumanTold",
    "IdeaGiven",
    "IdeaPassed",
    "IdeaWithdrawn",
    "IncumbentMoved",
    "LandingBegun",
    "LandingHeld",
    "LeaseTaken",
    "LedgerMended",
    "LoopStopped",
    "MessageEnded",
    "MessageIntended",
    "ModelCalled",
    "PackageWished",
    "PromotionEnded",
    "PromotionOpened",
    "PromotionShown",
    "ProposalRevised",
    "PullOpened",
    "Recorded",
    "RejectionDrawn",
    "RejectionMeasured",
    "Reviewed",
    "RunFinished",
    "Verdict",
    "event",
    "from_json",
    "read",
    "to_json",
]
