"""Events of the pull request that carries a campaign's gains to its base branch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from bot.rules.events.registry import event
from bot.rules.experiment import Promotion

if TYPE_CHECKING:
    from bot.rules.campaign import Campaign


@event
@dataclass(frozen=True)
class PromotionOpened:
    """The pull request that carries the campaign's confirmed gains to its base branch exists."""

    kind: ClassVar[str] = "promotion_opened"
    pull: int
    url: str

    @property
    def key(self) -> str:
        return f"promotion:{self.pull}"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.promotions.append(Promotion(self.pull, self.url))


@event
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

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        place, known = campaign.promotion_of(self.pull)
        shown = replace(known, head=self.head, base=self.base, digest=self.digest, turn=self.turn)
        campaign.promotions[place] = shown


@event
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

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        place, known = campaign.promotion_of(self.pull)
        campaign.promotions[place] = replace(known, state=self.state, head=self.head)
        if self.state == "merged" and self.merger == "human" and self.head in campaign.incumbents:
            held = set(campaign.incumbents[: campaign.incumbents.index(self.head) + 1])
            campaign.read |= {e.number for e in campaign.landed() if e.landed and e.landed.commit in held}
