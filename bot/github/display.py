"""The display in the log of a workflow job: one folded group for each run, plain lines around them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, TextIO

from bot.github.files import command, harmless
from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.experiment import Experiment
from bot.tell.display import Display, run_line, verdict_line
from bot.tell.writers.terminal import escape

_EVERY = 30.0  # seconds between two lines of progress


class ActionsDisplay(Display):
    """Lines for the runner's log. Texts of others are kept from being commands to the runner."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._open = False
        self._said_at = 0.0

    def note(self, text: str) -> None:
        self._line(text)

    def experiment_begun(self, campaign: Campaign, experiment: Experiment) -> None:
        self._line(f"experiment {experiment.number}: {experiment.title}")

    def run_started(self, *, title: str, replicate: int, seed: int) -> None:
        self._end_group()
        self._command("group", f"run {replicate}, seed {seed}: {title}")
        self._open = True
        self._said_at = time.monotonic()

    def run_progress(self, event: Mapping[str, Any]) -> None:
        if event.get("event") == "progress" and time.monotonic() - self._said_at >= _EVERY:
            self._said_at = time.monotonic()
            told = ((key, event.get(key)) for key in ("step", "seconds", "loss"))
            self._line(", ".join(f"{key} {value}" for key, value in told if value is not None))

    def run_finished(self, run: RunFinished) -> None:
        self._end_group()
        self._line(run_line(run))

    def experiment_finished(self, campaign: Campaign, experiment: Experiment) -> None:
        self._end_group()
        self._command("notice", verdict_line(campaign, experiment).strip(), title="Nocturne")

    def close(self) -> None:
        self._end_group()

    def _end_group(self) -> None:
        if self._open:
            self._command("endgroup", "")
            self._open = False

    def _line(self, text: str) -> None:
        print(harmless(escape(text)), file=self._out, flush=True)

    def _command(self, name: str, text: str, **properties: str) -> None:
        print(command(name, escape(text), **properties), file=self._out, flush=True)
