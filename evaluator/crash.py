"""Why a candidate failed: its class, one line, and a traceback cut to what helps."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

from evaluator import faults
from evaluator.errors import CandidateFailed
from evaluator.progress import Progress

TRACEBACK_CHARACTERS = 2000

_HEAD = "Traceback (most recent call last):"
_FRAME = re.compile(r'^  File "([^"]*)", line \d+')
_ERROR = re.compile(r"^([A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning|Iteration)?)(?::\s?(.*))?$")
_NO_MEMORY = re.compile(
    r"out of memory|can't allocate memory|cannot allocate memory|OutOfMemoryError|MemoryError"
)
_NOT_FINITE = re.compile(
    r"\bloss\b.{0,40}(\bnan\b|\binf\b|not finite)|non-?finite loss|^FAIL$", re.IGNORECASE
)

_RANK = re.compile(r"^\[?rank\d+\]?:\s?")  # what torch puts before the lines of a process that failed
_LAUNCHERS = re.compile(r"^(torch\.distributed\.\S*ChildFailedError|subprocess\.CalledProcessError)\b")

_SYNTAX = {"SyntaxError", "IndentationError", "TabError"}
_IMPORT = {"ImportError", "ModuleNotFoundError"}
_UNPORTABLE = "Unportable"
_OURS = ("/evaluator/inside/", "/library/nocturne_candidate/")


def diagnose(
    returncode: int,
    lines: Sequence[str],
    progress: Progress,
    tree: str,
    otherwise: str,
    around: faults.Around | None = None,
) -> CandidateFailed:
    """Return why a candidate that ended by itself failed.

    `lines` is the end of its log, `tree` the folder whose path is cut from file names, and `otherwise` the
    reason if it ended well (exit status 0) and yet without a score. `around` is what was so around it.
    """
    traceback = last_traceback(lines, tree)
    error, message = _last_error(traceback)
    line = f"{error}: {message}" if message else error
    fault = faults.of_the_machine(returncode, lines, line, around)
    if fault is not None:
        return CandidateFailed("infrastructure", fault, traceback)
    if error in _SYNTAX:
        return CandidateFailed("syntax", line, traceback)
    if error in _IMPORT:
        return CandidateFailed("import", line, traceback)
    if error == _UNPORTABLE:
        return CandidateFailed("unportable", message, traceback)
    if traceback and _NO_MEMORY.search(line):
        return CandidateFailed("out_of_memory", line, traceback)
    if returncode == -signal.SIGKILL and around is not None:  # else it would be the machine's
        used = f"{around.peak_memory_mb:.0f} MiB of memory; {around.memory_mb:.0f} are allowed"
        defence = "limits" if around.ran_out else None
        return CandidateFailed(
            "out_of_memory", f"ended by the kernel, using {used}", traceback, defence=defence
        )
    if returncode < 0:
        return CandidateFailed("killed", f"ended by {_signal_name(-returncode)}", traceback)
    if _loss_is_gone(lines, progress):
        return CandidateFailed("nan", line or "the training loss is not finite", traceback)
    if traceback and returncode:
        return CandidateFailed("error", line or "failed", traceback)
    if returncode:
        last = f": {lines[-1]}" if lines else ""
        return CandidateFailed("error", f"exit code {returncode}{last}")
    return CandidateFailed("error", otherwise)


def last_traceback(lines: Sequence[str], tree: str) -> str | None:
    """Return the last traceback in `lines`, without frames of the shim and with paths below `tree` made
    relative, or None."""
    lines = [_RANK.sub("", line) for line in lines]
    starts = [at for at, line in enumerate(lines) if line.strip() == _HEAD]
    # A launcher of several processes adds a traceback of its own, which only says that one of them failed.
    while len(starts) > 1 and any(_LAUNCHERS.match(line) for line in lines[starts[-1] :]):
        lines = lines[: starts.pop()]
    if not starts:
        return None
    start = starts[-1]
    kept, skipping = [lines[start]], False
    for line in lines[start + 1 :]:
        frame = _FRAME.match(line)
        if frame:
            skipping = any(ours in frame[1] for ours in _OURS)
        elif not line.startswith(" "):
            skipping = False
        if not skipping:
            kept.append(line.replace(tree.rstrip("/") + "/", ""))
        if not line.startswith(" ") and not frame and len(kept) > 40:
            break
    text = "\n".join(kept)
    if len(text) > TRACEBACK_CHARACTERS:
        half = TRACEBACK_CHARACTERS // 2 - 3
        text = f"{text[:half]}\n...\n{text[-half:]}"
    return text


def _last_error(traceback: str | None) -> tuple[str, str]:
    """Return the name (without its module) and the first line of the message of a traceback's error."""
    if traceback:
        for line in traceback.splitlines()[1:]:
            found = None if line.startswith(" ") else _ERROR.match(line)
            if found:
                return found[1].rpartition(".")[2], found[2] or ""
    return "", ""


def _loss_is_gone(lines: Sequence[str], progress: Progress) -> bool:
    latest = progress.latest
    gone = latest is not None and latest.loss - latest.loss != 0  # true of nan and both infinities
    return gone or any(_NOT_FINITE.search(line) for line in list(lines)[-3:])


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
