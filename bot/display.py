"""What a person watches while the loop works: a bar for the run in hand, a line for each thing that is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.experiment import Experiment


class Display(Protocol):
    """Where the loop says what it does. Implementations never raise for lack of a terminal."""

    def note(self, text: str) -> None:
        """Say something a human should know."""
        ...

    def experiment_begun(self, campaign: Campaign, experiment: Experiment) -> None: ...

    def run_started(self, *, title: str, replicate: int, seed: int) -> None: ...

    def run_progress(self, event: Mapping[str, Any]) -> None:
        """Take one of the evaluator's events (`started`, `progress`, `scoring`)."""
        ...

    def run_finished(self, run: RunFinished) -> None: ...

    def experiment_finished(self, campaign: Campaign, experiment: Experiment) -> None: ...

    def close(self) -> None: ...
