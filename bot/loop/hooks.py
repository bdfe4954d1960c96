"""Hooks: commands of the user that hear of what happened, run where the bot runs, never where a candidate does.

A hook gets the event as JSON on its standard input and a bounded time. It decides nothing: whatever it says, and
however it ends, the loop goes on. Its configuration is taken from the base branch, which no candidate can change.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from bot.base.process import scrubbed_environment
from bot.base.text import one_line
from bot.loop.context import Context
from bot.loop.render import figures_of
from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment
from bot.rules.stopping import Stop
from bot.tell.figures.plain import experiment_json, status_json

VERSION = 1
"""Of what a hook reads; keys may be added to it, and none changes its meaning."""


def after_experiment(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Tell the hooks that an experiment came to its end: its facts, and where the campaign stands."""
    if context.config.hooks.after_experiment:
        known = figures_of(context, campaign)
        row = next(row for row in known.rows if row.number == experiment.number)
        event = {"experiment": experiment_json(row), "campaign": status_json(known)}
        _tell(context, "after_experiment", context.config.hooks.after_experiment, event)


def after_night(context: Context, campaign: Campaign, stop: Stop) -> None:
    """Tell the hooks that a loop ended, and why."""
    if context.config.hooks.after_night:
        event = {
            "stop": {"reason": stop.reason, "detail": stop.detail},
            "campaign": status_json(figures_of(context, campaign)),
        }
        _tell(context, "after_night", context.config.hooks.after_night, event)


def _tell(context: Context, name: str, commands: Sequence[str], event: dict[str, Any]) -> None:
    said = json.dumps({"version": VERSION, "event": name, **event}).encode()
    for command in commands:
        failed = _run(context, command, said)
        if failed:
            context.display.note(f"hooks.{name}: {one_line(command, 80)}: {failed}; the loop goes on")


def _run(context: Context, command: str, said: bytes) -> str:
    """Run one hook by the shell, in the clone's top folder; return what went wrong, empty if nothing did."""
    seconds = context.config.hooks.seconds
    try:
        hook = subprocess.Popen(
            ["sh", "-c", command],
            cwd=context.git.top, env=scrubbed_environment(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        return f"can't be run ({error.strerror})"
    try:
        _, told = hook.communicate(said, timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"took longer than {seconds:g} s (hooks.seconds), and was ended"
    finally:  # with all that it has started
        with suppress(ProcessLookupError):
            os.killpg(hook.pid, signal.SIGKILL)
        hook.wait()
    if hook.returncode == 0:
        return ""
    last = told.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
    return f"exit code {hook.returncode} ({one_line(last[0], 200)})"
