"""What a person watches while the loop works: on a terminal a bar for the run in hand, in a log plain lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

from bot.base.pace import Pace
from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.experiment import Experiment
from bot.rules.schedule import run_id
from bot.rules.shares import run_words
from bot.tell.numbers import about, number
from bot.tell.sentences import effect_line
from bot.tell.writers.terminal import STYLES, escape

if TYPE_CHECKING:
    from rich.console import Console


class Display:
    """Where the loop says what it does; this one says nothing. None raises for lack of a terminal."""

    def note(self, text: str) -> None:
        """Say something a human should know."""

    def experiment_begun(self, campaign: Campaign, experiment: Experiment) -> None: ...

    def run_started(self, *, title: str, replicate: int, seed: int) -> None: ...

    def run_progress(self, event: Mapping[str, Any]) -> None:
        """Take one of the evaluator's events (`started`, `progress`, `scoring`)."""

    def run_finished(self, run: RunFinished) -> None: ...

    def experiment_finished(self, campaign: Campaign, experiment: Experiment) -> None: ...

    def close(self) -> None: ...


def verdict_line(campaign: Campaign, experiment: Experiment) -> str:
    """Return the line that ends an experiment: number, verdict, effect, hypothesis."""
    decision = experiment.decision
    verdict = decision.verdict if decision else "?"
    mark = "merged" if experiment.landed else verdict
    described = effect_line(campaign, decision) if decision else ""
    why = described or (decision.reason if decision else "")
    return f"{experiment.number:>4}  {mark:<12}  {escape(experiment.title)}  [{escape(why)}]"


def run_line(run: RunFinished) -> str:
    said = number(run.score) if run.score is not None else f"failed: {(run.failure or {}).get('reason')}"
    which = f"run {run_id(run.commit, run.replicate)} seed {run.seed}"
    which += "" if run.is_full else f" ({run_words(run.share)})"
    return f"{which}: {escape(said)} in {run.seconds:.1f} s"


class PlainDisplay(Display):
    """Lines for a log: what ended, nothing that blinks."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def _line(self, text: str) -> None:
        print(text, file=self._out, flush=True)

    def note(self, text: str) -> None:
        self._line(escape(text))

    def experiment_begun(self, campaign: Campaign, experiment: Experiment) -> None:
        self._line(f"{experiment.number:>4}  begins        {escape(experiment.title)}")

    def run_finished(self, run: RunFinished) -> None:
        self._line(f"      {run_line(run)}")

    def experiment_finished(self, campaign: Campaign, experiment: Experiment) -> None:
        self._line(verdict_line(campaign, experiment))


class TerminalDisplay(Display):
    """A bar for the run in hand with loss, speed and time left; below it, the best so far."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = console or Console(highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[said]}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._task: Any = None
        self._best = ""
        self._pace = Pace()

    def note(self, text: str) -> None:
        self._print(escape(text), "cyan")

    def experiment_begun(self, campaign: Campaign, experiment: Experiment) -> None:
        best = campaign.best()
        self._best = f"best {number(best[1])}" if best else ""

    def run_started(self, *, title: str, replicate: int, seed: int) -> None:
        self.close()  # a run that isn't recorded has no end that we are told
        self._progress.start()
        text = escape(title)
        shown = text if len(text) <= 48 else text[:47] + "…"
        self._task = self._progress.add_task(f"{shown} (run {replicate})", total=1.0, said="starting")
        self._pace = Pace()

    def run_progress(self, event: Mapping[str, Any]) -> None:
        if self._task is None:
            return
        if event.get("event") == "scoring":
            self._progress.update(self._task, completed=1.0, said="scoring")
        elif event.get("event") == "progress":
            self._progress.update(
                self._task, completed=float(event.get("fraction") or 0.0), said=self._said(event)
            )

    def _said(self, event: Mapping[str, Any]) -> str:
        said = []
        if isinstance(event.get("loss"), (int, float)):
            said.append(f"loss {event['loss']:.3f}")
        if event.get("tokens_per_second"):
            said.append(f"{event['tokens_per_second']:,.0f} tok/s")
        left = self._pace.left(float(event.get("fraction") or 0.0))
        if left is not None:
            said.append(f"{about(left)} left")
        return "  ".join([*said, self._best])

    def run_finished(self, run: RunFinished) -> None:
        self.close()
        self._print(f"      {run_line(run)}", "dim" if run.score is not None else "red")

    def experiment_finished(self, campaign: Campaign, experiment: Experiment) -> None:
        self._print(verdict_line(campaign, experiment), STYLES.get(experiment.verdict or "", ""))

    def close(self) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._progress.stop()
            self._task = None

    def _print(self, text: str, style: str) -> None:
        from rich.text import Text

        self._console.print(Text(text, style=style), soft_wrap=True)
