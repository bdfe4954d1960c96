"""One command of `nocturne` in a process of its own, forked from one that has imported it, which waits at a moment.

The formula task is scored in the process (`tests.bot.trainer`). At the moment that was asked for the process says so
and waits until it is let go, so that whoever started it can do to it, or to the world, what he likes just then.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anthropic  # noqa: F401 - imported once, before all are forked
import slack_sdk  # noqa: F401

import bot.ledger
import bot.loop.evaluation
from bot.agents.proposers import offline  # noqa: F401
from bot.commands import run, session  # noqa: F401
from bot.commands.cli import main
from bot.errors import UserError
from bot.forge import github, github_client
from bot.git import command as git_command
from bot.git import patience
from bot.git import remote as git_remote
from bot.git import repository as git_repository
from bot.ledger.store import LedgerStore
from bot.loop import working
from evaluator.stream import VERSION
from tests.bot import trainer

STAGES = tuple(working.DOING)


@dataclass(frozen=True)
class Order:
    """What to run, where, and at which moment to wait: the `turn`-th time that it comes."""

    words: tuple[str, ...]
    folder: Path
    env: Mapping[str, str]
    said: Path
    moment: str = ""
    turn: int = 1
    jump: float = 0.0
    """Seconds by which the clock jumps at the moment; then nobody is waited for."""
    skew: float = 0.0
    """Seconds by which the clock goes wrong from the beginning."""
    host: str = ""
    """The machine's name; this one's if empty."""
    training: str = ""
    """What becomes of the training at hand at the moment: "killed" as when the machine's memory runs out, "oom" as when
    the GPU's does, "gpu" as when the GPU has fallen off."""

    @property
    def reached(self) -> Path:
        """The file that says that the moment has come."""
        return self.said.with_suffix(".reached")

    @property
    def go(self) -> Path:
        """The file that lets the process go on."""
        return self.said.with_suffix(".go")


@dataclass
class _Moments:
    order: Order
    left: int = field(init=False)
    offset: float = field(init=False)

    def __post_init__(self) -> None:
        self.left, self.offset = self.order.turn, self.order.skew

    def meet(self, moment: str) -> None:
        """Wait, or let the clock jump, if this is the moment."""
        if moment != self.order.moment:
            return
        self.left -= 1
        if self.left:
            return
        self.order.reached.touch()
        self.offset += self.order.jump
        while not (self.order.jump or self.order.training) and not self.order.go.exists():
            time.sleep(0.01)


def work(order: Order) -> None:
    """Run the command and end with its exit code; the process leads a group of its own."""
    os.setsid()
    said = os.open(order.said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(said, number)
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.env)
    moments = _Moments(order)
    _quick()
    _clock(moments)
    if order.host:
        socket.gethostname = lambda: order.host
    for stage, do in list(working.DOING.items()):
        working.DOING[stage] = _between(do, stage, moments)  # type: ignore[index]
    LedgerStore.append = _between(LedgerStore.append, "append", moments)  # type: ignore[method-assign]
    with trainer.installed():
        bot.loop.evaluation.run_evaluator = _training(bot.loop.evaluation.run_evaluator, moments)
        code = main(list(order.words))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _quick() -> None:
    """Wait for no disk, and ask again sooner than people would."""
    patience.PAUSE = github_client.PAUSE = 0.01
    github.LAGS = (0.0, 0.05, 0.1, 0.2)  # type: ignore[attr-defined]
    github_client.WRITES_A_MINUTE = 10**6
    os.fsync = lambda fd: None
    for place in (git_command, git_remote, git_repository):
        place.durable_config = lambda: ()  # type: ignore[attr-defined]


def _clock(moments: _Moments) -> None:
    """Let this process's clock be wrong by what `moments` says."""
    real, seconds = bot.ledger.now, time.time

    def shifted() -> datetime:
        return real() + timedelta(seconds=moments.offset)

    for module in list(sys.modules.values()):
        if getattr(module, "__dict__", {}).get("now") is real:
            module.now = shifted  # type: ignore[attr-defined]
    time.time = lambda: seconds() + moments.offset


def _between(do: Callable[..., Any], name: str, moments: _Moments) -> Callable[..., Any]:
    def wrapped(*words: Any, **more: Any) -> Any:
        moments.meet(f"before {name}")
        done = do(*words, **more)
        moments.meet(f"after {name}")
        return done

    return wrapped


def _training(train: Callable[..., Any], moments: _Moments) -> Callable[..., Any]:
    """Note each training that is paid for."""

    def wrapped(command: Any, order: Any, place: Path, *more: Any) -> Any:
        with Path(os.environ["FAULTS_TRAININGS"]).open("a") as file:
            file.write(f"{place}\n")
        before = moments.left
        moments.meet("while training")
        if moments.order.training and before == 1 and moments.left == 0:
            return _fails(moments.order.training)
        done = train(command, order, place, *more)
        moments.meet("trained")
        return done

    return wrapped


def _fails(how: str) -> tuple[dict[str, Any], float, float]:
    """Be what `run_evaluator` is for a training that ends so."""
    if how == "killed":
        raise UserError("the evaluator ended without a result (exit code -9): ")
    reason = {
        "oom": "CUDA out of memory. Tried to allocate 2.00 GiB",
        "gpu": "CUDA error: unspecified launch failure",
    }[how]
    began = time.monotonic()
    failed = {"v": VERSION, "event": "failed", "class": "oom" if how == "oom" else "crash", "reason": reason}
    return failed | {"seconds": 0.1, "log_tail": reason, "fingerprint": None}, began, began
