"""A trainer in the test's own process: the evaluator's code, with a formula where it would start a jailed process.

It stands in for the evaluator's process where the bot is tested, for the task of `tests.bot.repositories` alone: its
`score.py` as it is, and a train.py of plain constants. A `score.py` that goes on after its last line runs as a process
without a jail. Whatever else is to be scored goes to the real evaluator, and so does all that a test marked `process`
runs, and each command in a process of its own.

What `doctor` asks the evaluator about this machine's jails, and which jail a run gets, is asked once by each process of
the tests, not by each test; it is asked anew if other programs may be found.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import bot.doctor.local_checks
import bot.loop.evaluation
import evaluator.command.task
from bot.loop.device import Meanwhile, OnEvent
from bot.loop.evaluation import RunOrder
from bot.loop.outcome import RunOutcome
from evaluator import score, settings
from evaluator.command.part import Cost, Part, diagnosed
from evaluator.errors import UserError
from evaluator.interpreter.choice import choose_python
from evaluator.interpreter.task_python import TaskPython
from evaluator.jail import choose
from evaluator.jail.launch import Jail
from evaluator.job import Job, Say
from evaluator.log import Log
from evaluator.stream import VERSION, Event
from tests.bot.repositories import SCORE

T = TypeVar("T")

_FORMULA = compile(SCORE, "score.py", "exec")
_HARMLESS = (
    ast.Module, ast.Assign, ast.Name, ast.Store, ast.Load, ast.Constant, ast.Tuple, ast.UnaryOp, ast.USub, ast.Expr,
)  # fmt: skip
COST = Cost(seconds=0.5, cpu_seconds=0.1, memory_mb=13.0)
_real = bot.loop.evaluation.run_evaluator
_real_call = bot.loop.evaluation.call_evaluator
_real_look = bot.doctor.local_checks._look_around
_real_choose = choose
_pythons: list[TaskPython] = []
_answers: dict[tuple[str, ...], Any] = {}
_at_work = True


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Let runs of the formula task be scored here for as long as this lasts."""
    with (
        mock.patch.object(bot.loop.evaluation, "run_evaluator", run_evaluator),
        mock.patch.object(evaluator.command.task, "run_part", _run_part),
        mock.patch.object(score, "choose", _choose),
        mock.patch.object(bot.doctor.local_checks, "call_evaluator", _call_evaluator),
        mock.patch.object(bot.doctor.local_checks, "_look_around", _look_around),
    ):
        yield


def stand_aside(aside: bool) -> None:
    """Leave everything to the real evaluator, or no longer."""
    global _at_work
    _at_work = not aside


def run_evaluator(
    command: Sequence[str],
    order: RunOrder,
    place: Path,
    on_event: OnEvent,
    meanwhile: Meanwhile | None = None,
) -> tuple[dict[str, Any], float, float]:
    """Do what `bot.loop.evaluation.run_evaluator` does, here if that can be done: first all that is to be done
    meanwhile."""
    if not (_at_work and _is_formula(order)):
        return _real(command, order, place, on_event, meanwhile)
    while meanwhile is not None and meanwhile():
        pass
    began = time.monotonic()
    return _score(command, order, on_event), began, time.monotonic()


def _score(command: Sequence[str], order: RunOrder, on_event: OnEvent) -> dict[str, Any]:

    def option(name: str) -> str | None:
        return command[command.index(name) + 1] if name in command else None

    def say(event: Event) -> None:
        on_event({"v": VERSION, **event})

    smoke, out = option("--smoke"), option("--out")
    share = option("--budget-share")
    try:
        chosen = settings.parse(dict(order.settings), "standard input")
        result = score.score(
            order.scratch.tree, chosen, _python(order, chosen), say, seed=order.seed,
            smoke=None if smoke is None else float(smoke), out=None if out is None else Path(out),
            share=1.0 if share is None else float(share),
        )  # fmt: skip
    except UserError as error:
        return {"v": VERSION, "event": "error", "message": str(error)}
    return {"v": VERSION, **result}


def _call_evaluator(*words: str, timeout: float, said: str = "") -> str:
    return _once(lambda: _real_call(*words, timeout=timeout, said=said), "call", *words, said)


def _look_around(jail: str, chosen: Mapping[str, Any]) -> tuple[RunOutcome, str]:
    """The Python of a task depends on the files at the top of its repository, wherever that lies."""
    place = chosen.get("repository")
    there = sorted(path.name for path in Path(place).iterdir()) if place else []
    asked = json.dumps({**chosen, "repository": there}, sort_keys=True)
    return _once(lambda: _real_look(jail, chosen), "look", jail, asked)


def _choose(wanted: str) -> Jail:
    return _once(lambda: _real_choose(wanted), "jail", wanted)


def _once(ask: Callable[[], T], *question: str) -> T:
    """Return what was answered before to the same question with the same programs at hand, if it was no error."""
    if not _at_work:
        return ask()
    key = (os.environ.get("PATH", ""), *question)
    if key not in _answers:
        _answers[key] = ask()
    answer: T = _answers[key]
    return answer


def _is_formula(order: RunOrder) -> bool:
    asked, tree = order.settings, order.scratch.tree
    if asked["kind"] != "command" or list(asked["command"]) != ["python3", "score.py"] or asked["produce"]:
        return False
    if asked["python"] is not None or asked["jail"] == "none" or asked["timeout_seconds"] < 10:
        return False
    try:
        return (tree / "score.py").read_text().startswith(SCORE) and _constants(tree / "train.py") is not None
    except (OSError, UnicodeDecodeError):
        return False


def _constants(path: Path) -> dict[str, object] | None:
    """Return the names of a train.py that can do nothing but give names to numbers, words and tuples of names."""
    try:
        tree = ast.parse(path.read_text())
    except (SyntaxError, ValueError):
        return None
    if not all(isinstance(node, _HARMLESS) for node in ast.walk(tree)):
        return None
    names: dict[str, object] = {}
    try:
        exec(compile(tree, path.name, "exec"), names)
    except NameError:
        return None
    return names


def _python(order: RunOrder, chosen: settings.Settings) -> TaskPython:
    """Return the Python that any of these tasks would run with: the one of these tests, looked at once."""
    if not _pythons:
        _pythons.append(choose_python(Path(order.settings["repository"]), chosen))
    return _pythons[0]


def _run_part(job: Job, part: Part, log: Log, say: Say, costs: list[Cost]) -> None:
    """Do what `evaluator.command.part.run` does for this task, without a jail."""
    assert part.file_system.tree is not None
    tree = part.file_system.tree.sources[0]
    status, said = _by_formula(tree, part) if (tree / "score.py").read_text() == SCORE else _alone(tree, part)
    say({"event": "progress", "step": None, "loss": None, "seconds": COST.seconds, "fraction": 0.0})
    log.add(said.encode() + b"\n")
    costs.append(COST)
    if status:
        raise diagnosed(status, part, log, "")


def _by_formula(tree: Path, part: Part) -> tuple[int, str]:
    """Return the exit code of `SCORE` and what it prints."""
    said = io.StringIO()
    with (
        mock.patch.dict(os.environ, {"TASK_SECONDS": "0", "NOCTURNE_SEED": part.env["NOCTURNE_SEED"]}),
        mock.patch("runpy.run_path", return_value=_constants(tree / "train.py")),
        contextlib.redirect_stdout(said),
    ):
        try:
            exec(_FORMULA, {"__name__": "__main__"})
        except SystemExit as error:
            print(error.code)
            return 1, said.getvalue()
    return 0, said.getvalue()


def _alone(tree: Path, part: Part) -> tuple[int, str]:
    """Return the exit code of the command and what it prints, as if it ran where the jail would show the tree."""
    done = subprocess.run(
        part.command, cwd=tree, env=dict(part.env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.replace(str(tree), str(part.folder))
