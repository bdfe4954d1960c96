"""What the evaluator says: versioned JSON lines for a program, or a few lines for a person."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluator.errors import Interrupted
from evaluator.whole import written

VERSION = 1
Event = dict[str, Any]

_HUMAN_SECONDS = 2.0
REFERENCE_RUN = "  this run is the reference: it is measured, and nothing in it is refused for time"


class Stream:
    """Says events on standard output, each at once. `as_json` chooses JSON lines."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._last_progress = 0.0

    def say(self, event: Event) -> None:
        """Say one event; raise `Interrupted` if nobody reads any more."""
        text = encode(event) if self._as_json else self._for_people(event)
        if not text:
            return
        try:
            print(text, flush=True)
        except BrokenPipeError:
            # Python flushes standard output again when it ends, and would complain again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise Interrupted from None

    def _for_people(self, event: Event) -> str:
        name = event["event"]
        if name == "started":
            said = f"started: {event['kind']}, seed {event['seed']}, budget {_budget(event['budget'])}"
            said += _share(event["share"])
            said += _python(event["python"])
            if "eval_tokens" in event:
                said += f"\n{tokens_line(event['eval_tokens'], event['eval_tokens_of'])}"
            return f"{said}\n{REFERENCE_RUN}" if event.get("is_reference") else said
        if name == "reference":
            return str(event["said"])
        if name == "progress":
            now = time.monotonic()
            if now - self._last_progress < _HUMAN_SECONDS:
                return ""
            self._last_progress = now
            told = f"step {event['step']}, loss {event['loss']}" if event["step"] is not None else "training"
            return f"  {100 * (event['fraction'] or 0):3.0f} %  {told}"
        if name == "scoring":
            return "scoring"
        if name == "smoke":
            return f"nothing failed, and nothing was scored (it came as far as: {event['reached']})"
        if name == "score":
            spent = event["metrics"].get("total_seconds", 0.0)
            said = f"{spent:.1f} s in all, seed {event['seed']}{_share(event['share'])}"
            return f"{event['metric']}: {event['score']:.6f}   ({said})"
        if name == "failed":
            return f"failed ({event['class']}): {event['reason']}" + (
                f"\n{event['traceback']}" if event["traceback"] else ""
            )
        return ""


def tokens_line(scored: int, whole: int) -> str:
    """Return how many of the repository's EVAL_TOKENS are scored, and how to have all of them scored."""
    if scored >= whole:
        return f"scores all {scored:,} validation tokens (EVAL_TOKENS {whole:,})"
    part = f"{100 * scored / whole:.2g} %"
    return (
        f"scores {scored:,} of the repository's {whole:,} validation tokens ({part});"
        " `evaluator: {eval_tokens: all}` scores all of them"
    )


def encode(event: Mapping[str, Any]) -> str:
    """Return an event as one line of JSON; a number that is not finite becomes null."""
    return json.dumps(_finite({"v": VERSION, **event}), allow_nan=False)


def write_result(folder: Path, event: Event) -> None:
    """Put the final event into `folder`/result.json, whole or not at all, and safe from a power cut."""
    with written(folder / "result.json", durable=True) as file:
        file.write(f"{encode(event)}\n".encode())


def _share(share: float) -> str:
    """Return which part of the budget a run was given, if it was a part; it follows what else is said of the run."""
    return "" if share == 1 else f", {share:.3g} of the whole budget"


def _budget(budget: Mapping[str, Any]) -> str:
    unit = {"wall": "s", "cpu": "CPU s", "steps": "steps"}[budget["kind"]]
    return "none" if budget["amount"] is None else f"{budget['amount']:g} {unit}"


def _python(facts: Mapping[str, Any]) -> str:
    """Return which Python runs the task, and what is to be known of how it was found."""
    notes = "".join(f"\nnote: {each}" for each in facts["remarks"])
    return f"\npython: {facts['executable']}, {facts['version']} ({facts['found']}){notes}"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
