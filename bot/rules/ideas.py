"""What is wanted: ideas of humans, which of them wait to be tried, and packages that proposals miss."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bot.rules.proposal import Idea

if TYPE_CHECKING:
    from bot.rules.events import IdeaGiven

READS: Mapping[str, str] = {
    "offline": (
        "It sets constants of the editable files that an idea names with a new value, as in"
        " `LEARNING_RATE = 0.004` or `set DEPTH to 6`, and reads nothing else; `proposer: claude` reads any words."
    )
}
"""What a proposer reads of an idea, if not all of it; a text for people."""
TEXT_LIMIT = 4000  # characters
TRIES = 2  # an experiment that crashed or was lost says little of the idea, so it is tried once more


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
            Idea(number, state.given.text, state.given.issue, is_commit=bool(state.given.commit))
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

    def give(self, event: IdeaGiven) -> None:
        """Take in an idea."""
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

    def withdraw(self, issue: int, when: str) -> None:
        """Take back what an issue was up to the time `when`."""
        self.withdrawn[issue] = max(self.withdrawn.get(issue, ""), when)
        self._withdraw(issue, until=when)

    def pass_by(self, idea: int, proposer: str) -> None:
        """A proposer can't follow the idea."""
        state = self.known[idea]
        self.known[idea] = replace(state, passed_by=(*state.passed_by, proposer))

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

    def _withdraw(self, issue: int, *, until: str, but: int | None = None) -> None:
        """Take back what this issue was before: one that is being tried is tried to its end."""
        for number, state in self.known.items():
            mine = state.given.labelled and state.given.issue == issue and number != but
            if mine and not state.ended and state.given.when <= until:
                self.known[number] = replace(state, withdrawn=True)


# A module within a package that is there is no wish: it has a dot in its name.
_NO_MODULE = re.compile(r"No module named '([A-Za-z_]\w{0,63})'")


@dataclass
class Wishes:
    """Modules by name, and the experiments that wanted them."""

    by_module: dict[str, set[int]] = field(default_factory=dict)

    def add(self, experiment: int, module: str) -> None:
        self.by_module.setdefault(module, set()).add(experiment)

    def crashed(self, experiment: int | None, failure: Mapping[str, str] | None) -> None:
        """Hear of a failed run: if the machine that trains is another one, only its word tells."""
        found = _NO_MODULE.search(str((failure or {}).get("reason", "")))
        if experiment is not None and found and (failure or {}).get("class") == "import":
            self.add(experiment, found[1])

    def counts(self) -> dict[str, int]:
        """Return how many experiments wanted each module, those wanted most often first."""
        counted = {module: len(experiments) for module, experiments in self.by_module.items()}
        return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))
