"""Runs a mechanism of the outer loop in its jail: python -S -s -B hosted.py SOCKET

SOCKET is a descriptor over which lines of JSON come and go. The first is an order: `source`, the text of the mechanism,
`path`, folders to import from besides the standard library, and the limits `memory_bytes` and `cpu_seconds`. `ready` is
said to it. Each line after that names a function of the mechanism and its arguments,
`{"ask": "steer", "given": [...]}`, and is answered by a line
`{"value": ...}` or `{"raised": "..."}`. Standard library only.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import sys
from types import ModuleType
from typing import Any

NAME = "mechanism"
LONGEST = 300  # characters of an exception's words
_OPEN_FILES = 64


def main(socket: int) -> None:
    """Answer until nobody asks any more."""
    # What it prints is nobody's.
    nothing = os.open(os.devnull, os.O_RDWR)
    for each in (0, 1, 2):
        os.dup2(nothing, each)
    with os.fdopen(os.dup(socket), "rb") as questions, os.fdopen(socket, "wb") as answers:
        order = json.loads(questions.readline())
        sys.path[:] = [*sys.path[1:], *order["path"]]  # without the folder that this file lies in
        _limit(order["memory_bytes"], order["cpu_seconds"])
        if "numpy" in order["source"]:  # it takes longer than most answers, and is not the mechanism's fault
            with contextlib.suppress(ImportError):
                importlib.import_module("numpy")
        _say(answers, {"ready": True})
        module: ModuleType | None = None
        for line in questions:
            try:
                module = module or _loaded(order["source"])
                asked = json.loads(line)
                said = {"value": getattr(module, asked["ask"])(*asked["given"])}
                text = json.dumps(said)
            except BaseException as error:  # whatever it raises, SystemExit too, is its answer
                text = json.dumps({"raised": _in_words(error)})
            answers.write(text.encode() + b"\n")
            answers.flush()


def _limit(memory_bytes: int, cpu_seconds: int) -> None:
    limits = (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    )
    for which, most in limits:
        resource.setrlimit(which, (most, most))


def _loaded(source: str) -> ModuleType:
    module = ModuleType(NAME)
    exec(compile(source, f"{NAME}.py", "exec"), module.__dict__)
    return module


def _say(answers: Any, said: dict[str, Any]) -> None:
    answers.write(json.dumps(said).encode() + b"\n")
    answers.flush()


def _in_words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:LONGEST]
    except Exception:
        return type(error).__name__[:LONGEST]


if __name__ == "__main__":
    main(int(sys.argv[1]))
