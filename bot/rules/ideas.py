"""Ideas of humans: what the ledger records of them, and which of them wait to be tried."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from bot.rules.proposal import Idea

TEXT_LIMIT = 4000  # characters
TRIES = 2  # an experiment that crashed or was lost says little of the idea, so it is tried once more


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


@dataclass(frozen=True)
class IdeaWithdrawn:
    """The label of an idea's issue was taken away, or the issue closed, at the time `when`."""

    kind: ClassVar[str] = "idea_withdrawn"
    issue: int
    when: str

    @property
    def key(self) -> str:
        return f"idea_withdrawn:{self.issue}:{self.when}"


@dataclass(frozen=True)
class IdeaPassed:
    """A proposer can't follow an idea, and those who gave it were told so. It waits for another proposer."""

    kind: ClassVar[str] = "idea_passed"
    idea: int
    proposer: str

    @property
    def key(self) -> str:
        return f"idea_passed:{self.idea}:{self.proposer}"


@dataclass(frozen=True)
class IdeaState:
    """An idea, and how far it has come: `trying` is the open experiment that follows it."""

    given: IdeaGiven
    experiments: tuple[int, ...] = ()
    trying: int | None = None
    withdrawn: bool = False
    ended: bool = False
    passed_by: tuple[str, ...] = ()

    @property
    def waits(self) -> bool:
        return self.trying is None and not self.withdrawn and not self.ended


@dataclass
class Ideas:
    """All ideas of a campaign by their numbers. Jobs may write down what happened on GitHub in any order."""

    known: dict[int, IdeaState] = field(default_factory=dict)
    withdrawn: dict[int, str] = field(default_factory=dict)
    """Issues, and when their idea was last taken back."""

    def waiting(self) -> list[Idea]:
        """Return what is to be tried, oldest first."""
        return [
            Idea(number, state.given.text, state.given.issue)
            for number, state in sorted(self.known.items())
            if state.waits
        ]

    def from_source(self, source: str) -> IdeaState | None:
        return next((state for state in self.known.values() if state.given.source == source), None)

    def open_for(self, issue: int) -> bool:
        """Whether an idea that this issue is waits or is being tried."""
        return any(
            state.waits or state.trying is not None
            for state in self.known.values()
            if state.given.issue == issue and state.given.labelled
        )

    def apply(self, event: IdeaGiven | IdeaWithdrawn | IdeaPassed) -> None:
        """Take in the next event."""
        match event:
            case IdeaGiven():
                self._give(event)
            case IdeaWithdrawn():
                last = self.withdrawn.get(event.issue, "")
                self.withdrawn[event.issue] = max(last, event.when)
                self._withdraw(event.issue, until=event.when)
            case IdeaPassed():
                state = self.known[event.idea]
                self.known[event.idea] = replace(state, passed_by=(*state.passed_by, event.proposer))

    def proposed(self, idea: int, experiment: int) -> None:
        """An experiment follows the idea."""
        state = self.known[idea]
        self.known[idea] = replace(state, trying=experiment, experiments=(*state.experiments, experiment))

    def finished(self, experiment: int, verdict: str | None) -> None:
        """An experiment came to its end, whether it followed an idea or not."""
        for number, state in self.known.items():
            if state.trying == experiment:
                again = verdict in ("crashed", "lost") and len(state.experiments) < TRIES
                self.known[number] = replace(state, trying=None, ended=not again)
                return

    def _give(self, event: IdeaGiven) -> None:
        self.known[event.number] = IdeaState(event)
        if not event.labelled or event.issue is None:
            return
        times = [
            state.given.when
            for number, state in self.known.items()
            if state.given.labelled and state.given.issue == event.issue and number != event.number
        ]
        if max([*times, self.withdrawn.get(event.issue, "")]) > event.when:
            self.known[event.number] = replace(self.known[event.number], withdrawn=True)
            return
        self._withdraw(event.issue, until=event.when, but=event.number)

    def _withdraw(self, issue: int, *, until: str, but: int | None = None) -> None:
        """Take back what this issue was before: one that is being tried is tried to its end."""
        for number, state in self.known.items():
            mine = state.given.labelled and state.given.issue == issue and number != but
            if mine and not state.ended and state.given.when <= until:
                self.known[number] = replace(state, withdrawn=True)
