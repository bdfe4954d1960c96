"""Events of what humans say, and of what they are asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from bot.rules.asking import asked_after
from bot.rules.commands import GivenCommand
from bot.rules.events.registry import event

if TYPE_CHECKING:
    from bot.rules.campaign import Campaign


@event
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

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.commands = self.number
        if self.source is not None:
            campaign.said[self.source] = self
        if self.command in ("pause", "stop", "resume"):
            self._steer(campaign)
        elif self.experiment is not None:
            self._apply_to(campaign, self.experiment)

    def _steer(self, campaign: Campaign) -> None:
        if self.command == "pause":
            campaign.paused = True
        elif self.command == "stop":
            campaign.stop_asked = True
        else:
            campaign.paused = campaign.stop_asked = False
            campaign.stopped = None
            campaign.resumed_after = len(campaign.order)
            campaign.resumed_at_runs = len(campaign.runs)

    def _apply_to(self, campaign: Campaign, experiment: int) -> None:
        if self.command == "revert":
            campaign.reverts_waiting.append(experiment)
        elif self.command == "retry":
            campaign.retries_waiting.append(experiment)
        elif self.command == "approve":
            campaign.read.add(experiment)
        else:
            campaign.refused.setdefault(experiment, self.text)


@event
@dataclass(frozen=True)
class IdeaGiven:
    """What somebody with the right to write wants tried, as it stood when it was given.

    `source` names the one labelling, comment or command that gave it, and `when` (ISO 8601, UTC) its time
    where GitHub tells it. `issue` is the issue or pull request it is about; where it is `labelled`, that
    issue is the idea, and is closed with its outcome.
    """

    kind: ClassVar[str] = "idea_given"
    number: int
    text: str
    source: str
    giver: str = ""
    issue: int | None = None
    labelled: bool = False
    when: str = ""

    @property
    def key(self) -> str:
        return f"idea:{self.source}"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.ideas.give(self)
        if campaign.stopped is not None and campaign.stopped.reason == "exhausted":
            campaign.stopped = None  # there is something to try again


@event
@dataclass(frozen=True)
class IdeaWithdrawn:
    """The label of an idea's issue was taken away, or the issue closed, at the time `when`."""

    kind: ClassVar[str] = "idea_withdrawn"
    issue: int
    when: str

    @property
    def key(self) -> str:
        return f"idea_withdrawn:{self.issue}:{self.when}"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.ideas.withdraw(self.issue, self.when)


@event
@dataclass(frozen=True)
class IdeaPassed:
    """A proposer can't follow an idea, and those who gave it were told so. It waits for another proposer."""

    kind: ClassVar[str] = "idea_passed"
    idea: int
    proposer: str

    @property
    def key(self) -> str:
        return f"idea_passed:{self.idea}:{self.proposer}"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.ideas.pass_by(self.idea, self.proposer)


@event
@dataclass(frozen=True)
class HumanAsked:
    """The loop needs a human, and why. `turn` counts what was said while one issue is open."""

    kind: ClassVar[str] = "human_asked"
    number: int
    turn: int
    reason: str
    detail: str

    @property
    def key(self) -> str:
        return f"asked:{self.number}:{self.turn}"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.asked, campaign.asks = asked_after(campaign.asked, self), self.number


@event
@dataclass(frozen=True)
class HumanTold:
    """The issue says so."""

    kind: ClassVar[str] = "human_told"
    number: int
    turn: int
    issue: int
    url: str

    @property
    def key(self) -> str:
        return f"told:{self.number}:{self.turn}"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        asked = campaign.asked
        if asked is not None and asked.number == self.number:
            campaign.asked = replace(asked, told=asked.turn == self.turn, issue=self.issue, url=self.url)


@event
@dataclass(frozen=True)
class HumanAnswered:
    """It is mended: the loop goes on, and the issue is closed."""

    kind: ClassVar[str] = "human_answered"
    number: int

    @property
    def key(self) -> str:
        return f"answered:{self.number}"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.asked = None
