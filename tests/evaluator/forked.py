"""Commands of the evaluator as processes that are forked from one which has imported it.

Half of what a short run costs is to start Python and to import. Each command is a process of its own nevertheless, with
its own arguments, environment, working folder and streams.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_SERVER = """
import json, os, selectors, socket, sys
from evaluator import cli, score, untracked
from evaluator.command import task
from evaluator.kinds import command
calls = socket.socket(fileno=int(sys.argv[1]))
waiting = selectors.DefaultSelector()
waiting.register(calls, selectors.EVENT_READ)
while True:
    for key, _ in waiting.select():
        if key.fileobj is not calls:
            pid, answer = key.data
            os.write(answer, b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            waiting.unregister(key.fileobj)
            os.close(key.fileobj)
            os.close(answer)
            continue
        message, found, _, _ = socket.recv_fds(calls, 1 << 17, 4)
        if not message:
            sys.exit()
        said, *streams = found
        pid = os.fork()
        if pid:
            os.write(said, b"%d" % pid)
            waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, said))
            for stream in streams:
                os.close(stream)
            continue
        waiting.close()
        calls.close()
        os.close(said)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        folder, words, env = json.loads(message)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(env)
        sys.argv[:] = ["nocturne-evaluator", *words]
        sys.exit(cli.main(words))
"""


_servers: list[tuple[subprocess.Popen[bytes], socket.socket]] = []


def run(
    words: Sequence[str], *, said: str, env: Mapping[str, str], timeout: float, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Do what `subprocess.run` does with `nocturne-evaluator WORDS`, told `said` on its standard input."""
    message = json.dumps([str(cwd or Path.cwd()), list(words), dict(env)]).encode()
    with contextlib.ExitStack() as stack:
        given, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write(said.encode())
        given.seek(0)
        answer, theirs = socket.socketpair()
        stack.enter_context(answer)
        with theirs:
            socket.send_fds(_server(), [message], [each.fileno() for each in (theirs, given, out, err)])
        pid = int(answer.recv(20))
        answer.settimeout(timeout)
        try:
            code = int(answer.recv(20))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(list(words), code, out.read().decode(), err.read().decode())


def _server() -> socket.socket:
    """Return the way to what forks: a new one, if the last was ended by a test of what ends its children."""
    if not _servers or _servers[-1][0].poll() is not None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            started = subprocess.Popen(
                [sys.executable, "-I", "-c", _SERVER, str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[theirs.fileno()],
                env={}, cwd="/",  # it outlives the test at hand, whose traces others look for
            )  # fmt: skip
        _servers.append((started, ours))
        atexit.register(_end, started, ours)
    return _servers[-1][1]


def _end(started: subprocess.Popen[bytes], calls: socket.socket) -> None:
    calls.close()
    started.wait(10)
