"""The bot's side of the evaluator: starts it as a process, reads its JSON lines, keeps its results.

A finished run leaves `result.json` in its folder under `.git/nocturne/runs`, so that a run that was paid for
survives a bot that was killed before it could write to the ledger.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from bot.base.process import scrubbed_environment
from bot.base.redact import is_credential
from bot.errors import UserError
from bot.loop.cuts import Cuts, CutsOfClone
from bot.loop.device import Meanwhile, OnEvent, alone_on_gpus
from bot.loop.outcome import RunOutcome, outcome_of

PROTOCOL = 1
KEPT_RUNS = 20


@dataclass(frozen=True)
class Scratch:
    """Folders that live as long as one run: the tree under test, and the evaluator's temporary files."""

    tree: Path
    tmp: Path


@dataclass(frozen=True)
class RunOrder:
    """What to run: a name for the run, its folders, a seed, and the evaluator's settings.

    `reference` are the measures by which its time is charged; None if it is itself the reference, or no time counts.
    `cuts` are the runs with which its gain is paired at the cuts, by the evaluator's option; None asks no cuts.
    `share` is the part of the budget that it gets.
    """

    run: str
    scratch: Scratch
    seed: int
    settings: Mapping[str, Any]
    reference: Mapping[str, Any] | None = None
    cuts: Mapping[str, Sequence[str]] | None = None
    share: float = 1.0


class RunFolder:
    """Where the runs of one campaign leave their results until the ledger has them."""

    def __init__(self, folder: Path, cuts: Cuts | None = None) -> None:
        """Results go below `folder`; beside it lies the secret of the cuts, unless it is kept elsewhere."""
        self.folder = folder
        self.cuts = cuts or CutsOfClone(folder.parent / "cuts")

    def evaluate(self, order: RunOrder, on_event: OnEvent, meanwhile: Meanwhile | None = None) -> RunOutcome:
        """Run the evaluator, and other work `meanwhile`, or pick up the result of the same run that nobody recorded.

        Raises UserError if the evaluator can't run at all (no torch, no prepare.py, disk full).
        """
        place = self.folder / order.run
        kept = _read_result(place / "result.json", order)
        if kept is not None:
            return kept
        shutil.rmtree(place, ignore_errors=True)
        try:
            place.mkdir(parents=True)
            _write(place / "order.json", json.dumps(_order_digest(order), sort_keys=True))
            if order.reference is not None:
                _write(place / "reference.json", json.dumps(dict(order.reference)))
        except OSError as error:
            raise UserError(
                f"{place}: can't write ({error.strerror}): free space or fix the rights"
            ) from None
        more = [] if order.reference is None else ["--reference", str(place / "reference.json")]
        more += [] if order.share == 1 else ["--budget-share", repr(order.share)]
        with ExitStack() as stack:
            if order.cuts is not None:
                named = [(option, run) for option, runs in order.cuts.items() for run in runs]
                others = [run for _, run in named]
                cuts = stack.enter_context(self.cuts.folder(order.run, others, order.scratch.tree.parent))
                more += ["--cuts", str(cuts), "--run", order.run, *(word for pair in named for word in pair)]
            command = _score_command(order, "--out", str(place), *more)
            last, began, ended = run_evaluator(command, order, place, on_event, meanwhile)
        if last.get("event") == "error":
            shutil.rmtree(place, ignore_errors=True)
            raise UserError(f"evaluator: {last.get('message', 'failed')}")
        if last.get("share", 1.0) != order.share:
            raise UserError(
                f"the evaluator gave run {order.run} another share of its budget: install both from one release"
            )
        return outcome_of(last, seconds=ended - began, late=time.monotonic() - ended)

    def smoke(self, order: RunOrder, seconds: float, on_event: OnEvent) -> Mapping[str, Any]:
        """Only try the tree: a few steps, at most `seconds` of them, and no score. Return the evaluator's last event,
        `smoke` or `failed`; nothing of it is kept.

        Raises UserError if the evaluator can't run at all.
        """
        command = _score_command(order, "--smoke", str(seconds))
        last, _, _ = run_evaluator(command, order, order.scratch.tmp, on_event)
        if last.get("event") == "error":
            raise UserError(f"evaluator: {last.get('message', 'failed')}")
        return last

    @contextmanager
    def scratch(self) -> Iterator[Scratch]:
        """Give empty folders for one run, and take them away; also those of processes that were killed."""
        import fcntl  # not on Windows, where nothing is run

        place = self.folder.parent / "scratch"
        try:
            place.mkdir(parents=True, exist_ok=True)
            _sweep(place)
            mine = Path(tempfile.mkdtemp(prefix="run-", dir=place))
            lock = os.open(mine / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)  # freed by the kernel where we are killed: then it may be swept
            made = Scratch(mine / "tree", mine / "tmp")
            made.tree.mkdir()
            made.tmp.mkdir()
        except OSError as error:
            raise UserError(
                f"{place}: can't write ({error.strerror}): free space or fix the rights"
            ) from None
        try:
            yield made
        finally:
            shutil.rmtree(mine, ignore_errors=True)
            os.close(lock)

    def prune(self) -> None:
        """Give disk space back: keep the newest results and logs only."""
        if not self.folder.is_dir():
            return
        runs = sorted(self.folder.iterdir(), key=lambda place: place.stat().st_mtime, reverse=True)
        for old in runs[KEPT_RUNS:]:
            shutil.rmtree(old, ignore_errors=True)


def evaluator_command(*words: str) -> list[str]:
    """Return the command line that starts our evaluator, whatever the working directory holds."""
    return [sys.executable, "-I", "-m", "evaluator", *words]


def call_evaluator(*words: str, timeout: float, said: str = "") -> str:
    """Run one of the evaluator's short commands, with `said` as its input, and return its output.

    Raises UserError if it refuses.
    """
    done = subprocess.run(
        evaluator_command(*words), env=evaluator_environment(), input=said, capture_output=True, text=True,
        timeout=timeout, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise UserError(refusal(done.stderr or done.stdout, f"the evaluator failed at {words[0]}"))
    return done.stdout


def refusal(said: str, otherwise: str) -> str:
    """Return why one of the evaluator's commands refused, by the last line that it `said`; `otherwise` if it said
    nothing."""
    lines = said.strip().splitlines()
    return (lines[-1] if lines else otherwise).removeprefix("error: ")


def ask_python(repo: Path, settings: Mapping[str, Any], modules: Sequence[str] = ()) -> dict[str, Any]:
    """Return what the evaluator says of the Python that the task in `repo` runs with: `executable`, `version`, how
    it was `found`, `torch`, `cuda`, `numpy`, `remarks`, and which of `modules` it has.

    Raises UserError if there is none that will do.
    """
    words = [word for module in modules for word in ("--module", module)]
    said = call_evaluator(
        "python", str(repo), "--json", "--settings", "-", *words, timeout=120,
        said=json.dumps(dict(settings)),
    )  # fmt: skip
    return _parse_line(said.encode())


def evaluator_environment() -> dict[str, str]:
    """Return our environment without credentials: the evaluator needs none."""
    return {name: value for name, value in scrubbed_environment().items() if not is_credential(name)}


def _score_command(order: RunOrder, *more: str) -> list[str]:
    return evaluator_command(
        "score", str(order.scratch.tree), "--seed", str(order.seed), "--json", "--settings", "-", *more,
        "--die-with-parent",
    )  # fmt: skip


def run_evaluator(
    command: Sequence[str],
    order: RunOrder,
    place: Path,
    on_event: OnEvent,
    meanwhile: Meanwhile | None = None,
) -> tuple[dict[str, Any], float, float]:
    """Start the evaluator in `place` once its GPU is free, hand on what it says to `on_event`, and return its last
    event, and when it began and ended (`time.monotonic`).

    Raises UserError if it ends without one.
    """
    last: dict[str, Any] = {}
    with tempfile.TemporaryFile() as errors, ExitStack() as stack:
        gpus = stack.enter_context(alone_on_gpus(on_event, meanwhile))
        started = time.monotonic()
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=evaluator_environment() | {"TMPDIR": str(order.scratch.tmp)},
            cwd=place,
            pass_fds=gpus,  # which are free when the evaluator is gone, and not before
        )
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps(dict(order.settings)).encode())
            process.stdin.close()
            for said_at, line in _lines(process.stdout, meanwhile):
                ended = said_at
                if line:
                    event = _parse_line(line)
                    if event.get("event") in ("score", "smoke", "failed", "error"):
                        last = event
                    else:
                        on_event(event)
            process.wait(timeout=60)
        except BaseException:
            _end(process)
            raise
        errors.seek(0)
        said = errors.read()[-2000:].decode(errors="replace").strip()
    if not last:
        raise UserError(f"the evaluator ended without a result (exit code {process.returncode}): {said}")
    return last, started, ended


def _lines(pipe: IO[bytes], meanwhile: Meanwhile | None) -> Iterator[tuple[float, bytes]]:
    """Yield what is said, line by line, with the time at which it was said; last of all nothing, at the end.

    A thread reads, and does nothing else: all other work is this one's, between two lines.
    """
    said: SimpleQueue[tuple[float, bytes]] = SimpleQueue()

    def read() -> None:
        for line in pipe:
            said.put((time.monotonic(), line))
        said.put((time.monotonic(), b""))

    threading.Thread(target=read, daemon=True).start()
    line = b" "
    while line:
        while said.empty() and meanwhile is not None and meanwhile():
            pass
        at, line = said.get()
        yield at, line


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let the evaluator clean up after itself, and kill it where it doesn't."""
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _sweep(place: Path) -> None:
    """Remove what runs that were killed left behind; what is locked belongs to a run that lives."""
    import fcntl

    for left in place.glob("run-*"):
        try:
            lock = os.open(left / "lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue  # just made, or going away: not ours to touch
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)


def _parse_line(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        raise UserError(f"the evaluator said something that is not JSON: {line[:200]!r}") from None
    if not isinstance(event, dict) or event.get("v") != PROTOCOL:
        raise UserError("the evaluator speaks another version of the protocol: install both from one release")
    return event


def _order_digest(order: RunOrder) -> dict[str, Any]:
    digest = {"run": order.run, "seed": order.seed, "settings": dict(order.settings)}
    return digest if order.share == 1 else digest | {"share": order.share}


def _read_result(path: Path, order: RunOrder) -> RunOutcome | None:
    """Return an earlier result of exactly this order; None if there is none or it is damaged."""
    try:
        event = json.loads(path.read_bytes())
        ordered = json.loads((path.parent / "order.json").read_bytes())
    except (OSError, ValueError):
        return None
    wanted = json.loads(json.dumps(_order_digest(order)))
    usable = isinstance(event, dict) and event.get("event") in ("score", "failed") and ordered == wanted
    usable = usable and event.get("class") != "infrastructure"  # that shall not be the last word
    return outcome_of(event, seconds=0.0) if usable else None


def _write(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
