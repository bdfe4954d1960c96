"""Events of what humans say, and of what they are asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.rules.commands import GivenCommand
from bot.rules.events.registry import Event, event
from bot.rules.experiment import asked_after

if TYPE_CHECKING:
    from bot.rules.campaign import Campaign


@event("command_given")
@dataclass(frozen=True)
class CommandGiven(Event):
    """A human said `pause`, `resume`, `stop`, or a word about one experiment. `number` counts the commands.

    `source` names the comment where it was said, such as `comment:12345`: one comment gives one command.
    `text` is what else was said there, such as the reason of a `reject`.
    """

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


@event("idea_given", "idea:{source}")
@dataclass(frozen=True)
class IdeaGiven(Event):
    """What somebody with the right to write wants tried, as it stood when it was given.

    `source` names the one labelling, comment or command that gave it, and `when` (ISO 8601, UTC) its time
    if GitHub tells it. `issue` is the issue or pull request it is about; if it is `labelled`, that
    issue is the idea, and is closed with its outcome. If the idea is a `commit` that somebody pushed, its change is
    what turns the incumbent `base` into it, in the files at `paths`, which the ledger keeps; `author` (`Name <address>`
    if it has one) and `title` are the commit's.
    """

    number: int
    text: str
    source: str
    giver: str = ""
    issue: int | None = None
    labelled: bool = False
    when: str = ""
    commit: str = ""
    base: str = ""
    paths: tuple[str, ...] = ()
    author: str = ""
    title: str = ""

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.ideas.give(self)
        if campaign.stopped is not None and campaign.stopped.reason == "exhausted":
            campaign.stopped = None  # there is something to try again


@event("idea_withdrawn", "idea_withdrawn:{issue}:{when}")
@dataclass(frozen=True)
class IdeaWithdrawn(Event):
    """The label of an idea's issue was taken away, or the issue closed, at the time `when`."""

    issue: int
    when: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.ideas.withdraw(self.issue, self.when)


@event("idea_passed", "idea_passed:{idea}:{proposer}")
@dataclass(frozen=True)
class IdeaPassed(Event):
    """A proposer can't follow an idea, and those who gave it were told so. It waits for another proposer."""

    idea: int
    proposer: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.ideas.pass_by(self.idea, self.proposer)


@event("human_asked", "asked:{number}:{turn}")
@dataclass(frozen=True)
class HumanAsked(Event):
    """The loop needs a human, and why. `turn` counts what was said while one issue is open."""

    number: int
    turn: int
    reason: str
    detail: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.asked, campaign.asks = asked_after(campaign.asked, self), self.number


@event("human_told", "told:{number}:{turn}")
@dataclass(frozen=True)
class HumanTold(Event):
    """The issue says so."""

    number: int
    turn: int
    issue: int
    url: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        asked = campaign.asked
        if asked is not None and asked.number == self.number:
            campaign.asked = replace(asked, told=asked.turn == self.turn, issue=self.issue, url=self.url)


@event("human_answered", "answered:{number}")
@dataclass(frozen=True)
class HumanAnswered(Event):
    """It is fixed: the loop goes on, and the issue is closed."""

    number: int

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.asked = None
