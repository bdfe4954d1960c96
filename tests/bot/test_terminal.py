"""What a person watches: one bar for the run in hand, a line for each thing that is done, nothing hostile."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from bot.rules.events import RunFinished
from bot.tell.display import PlainDisplay, TerminalDisplay, verdict_line
from bot.tell.writers.terminal import escape
from tests.bot.campaigns import HOSTILE, Night

RUN = RunFinished(
    "abc-1", "abc" * 13, 1, 1, None, 2.5, None, {}, "f", "none", "test", 7.0, 7.0
)  # fmt: skip


def screen() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=True, width=100, height=30, highlight=False), out


def test_bar_shows_loss_speed_time_left_and_goes_with_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("bot.base.pace.time.monotonic", lambda: now)
    console, out = screen()
    display = TerminalDisplay(console)
    display.run_started(title="Halve BATCH_SIZE", replicate=1, seed=1)
    display.run_progress({"event": "progress", "fraction": 0.1, "seconds": 0.4})
    now += 20
    display.run_progress(
        {"event": "progress", "loss": 3.25, "tokens_per_second": 12345, "fraction": 0.5, "seconds": 2.0}
    )
    display._progress.refresh()
    said = out.getvalue()
    assert "Halve BATCH_SIZE (run 1)" in said and "loss 3.250" in said
    assert "12,345 tok/s" in said and "25 s left" in said
    display.run_progress({"event": "scoring"})
    display.run_finished(RUN)
    display.close()
    assert "2.5 in 7.0 s" in out.getvalue()
    assert display._progress.tasks == []


def test_runs_that_follow_each_other_leave_one_bar() -> None:
    console, _ = screen()
    display = TerminalDisplay(console)
    for number in range(6):
        display.run_started(title=f"confirming {number}", replicate=1, seed=number)
        assert len(display._progress.tasks) == 1
    display.close()
    assert display._progress.tasks == []


def test_hostile_titles_stay_text() -> None:
    for words in HOSTILE:
        night = Night()
        night.baseline()
        night.experiment(1, "improved", words)
        campaign = night.campaign()
        line = verdict_line(campaign, campaign.experiments[1])
        assert line.isprintable() and "merged" in line
        out = io.StringIO()
        PlainDisplay(out).experiment_finished(campaign, campaign.experiments[1])
        assert out.getvalue() == line + "\n"
        console, shown = screen()
        display = TerminalDisplay(console)
        display.run_started(title=words, replicate=1, seed=1)
        display.experiment_finished(campaign, campaign.experiments[1])
        display.close()
        assert "\x1b]0;title" not in shown.getvalue()
    assert escape("a\x1b[31mb\x07\u202ec") == "abc"
