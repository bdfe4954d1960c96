"""Calls of `nocturne` in the test's own process, which take a thousandth of a process's time to start.

Working folder, environment, standard streams and signal handlers are put back however the command ends.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from unittest import mock

from bot.commands.cli import main
from bot.git import command as git_command


def call(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `command`, which starts `python -I -m bot`, in `folder` with exactly `env`; return what it would."""
    out, err = _Text(), _Text()
    words = list(command[command.index("bot") + 1 :])
    with _place(folder, env), _streams(out, err), mock.patch.object(sys, "argv", ["nocturne", *words]):
        try:
            code = main(words)
        except SystemExit as error:
            code = _code(error)
        except Exception:
            traceback.print_exc()
            code = 1
    return subprocess.CompletedProcess(list(command), code, out.said(), err.said())


@contextlib.contextmanager
def _place(folder: Path, env: Mapping[str, str]) -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    searched, before = os.environ.get("PATH"), Path.cwd()
    os.chdir(folder)
    try:
        with mock.patch.dict(os.environ, env, clear=True):
            if env.get("PATH") != searched:
                _forget_git()
            yield
    finally:
        os.chdir(before)
        if env.get("PATH") != searched:
            _forget_git()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _forget_git() -> None:
    """Let git be looked at anew: another one may come first on the path."""
    for known in (git_command.git_version, git_command.durable_config, git_command.environment):
        known.cache_clear()


class _Text(io.TextIOWrapper):
    """A standard stream that is no terminal, and keeps what is written to it."""

    def __init__(self) -> None:
        self.written = io.BytesIO()
        super().__init__(self.written, encoding="utf-8", write_through=True)

    def said(self) -> str:
        return self.written.getvalue().decode()


@contextlib.contextmanager
def _streams(out: _Text, err: _Text) -> Iterator[None]:
    with (
        Path(os.devnull).open() as nothing,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "stdin", nothing),
    ):
        yield


def _code(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    print(error.code, file=sys.stderr)
    return 1
