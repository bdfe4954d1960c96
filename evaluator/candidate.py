"""The one place where a candidate's process is started, watched and ended.

Everything that must be true of the process (its environment, its limits, later its jail) is decided here.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from evaluator import proctree
from evaluator.log import Log
from evaluator.settings import Settings

JAIL = "none"

# What is handed on from our own environment: where programs, libraries and devices are, and no credentials.
_HANDED_ON = ("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "TZ")


def environment(
    settings: Settings, *, seed: int, scratch: Path, amount: float | None = None
) -> dict[str, str]:
    """Return a candidate's whole environment; `scratch` is its home and temporary folder."""
    home = Path("~").expanduser()
    values = {
        # The interpreter that runs us comes first, so that a command's "python" is that one.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(home / ".cache"),
        "NOCTURNE_DATA_HOME": str(home),
        "NOCTURNE_SEED": str(seed),
        "NOCTURNE_BUDGET": settings.budget.kind,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
    }
    if amount is not None:
        values["NOCTURNE_TIME_BUDGET"] = repr(amount)
    if settings.threads is not None:
        values |= {name: str(settings.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    return values | {name: os.environ[name] for name in _HANDED_ON if name in os.environ}


class Candidate:
    """A running candidate: its output goes to `log`, and it and all that it starts are ended by `close`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        tree: Path,
        env: Mapping[str, str],
        log: Log,
        inherit: socket.socket | None = None,
    ) -> None:
        """Start `command` in the folder `tree`; raise `OSError` where it can't be started."""
        proctree.become_subreaper()
        self.log = log
        self._cpu_before = proctree.children_cpu_seconds()
        self._process = subprocess.Popen(
            list(command),
            cwd=tree,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=() if inherit is None else (inherit.fileno(),),
            start_new_session=True,
            preexec_fn=proctree.in_new_process,  # safe: we have one thread
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._output, False)
        self._output_open = True
        self.peak_memory_mb = 0.0
        self.cpu_seconds = 0.0

    @property
    def returncode(self) -> int | None:
        """The exit status where the main process has ended, negative for a signal, else None."""
        return self._process.poll()

    def measure(self) -> proctree.Usage:
        """Return what the candidate uses: CPU seconds since its start, memory now."""
        used = proctree.usage(self._process.pid)
        self.peak_memory_mb = max(self.peak_memory_mb, used.memory_mb)
        self.cpu_seconds = used.cpu_seconds - self._cpu_before
        return proctree.Usage(self.cpu_seconds, used.memory_mb)

    def listen(self, seconds: float, end: socket.socket | None = None, *, to_write: bool = False) -> None:
        """Wait up to `seconds` for output, which goes to the log, or for `end` to be ready."""
        readers: list[int | socket.socket] = [self._output] if self._output_open else []
        writers: list[socket.socket] = []
        if end is not None:
            (writers if to_write else readers).append(end)
        if self._output in select.select(readers, writers, [], seconds)[0]:
            self._take()

    def drain(self) -> None:
        """Move all output that is there already to the log."""
        while self._output_open and select.select([self._output], [], [], 0)[0]:
            self._take()

    def close(self) -> None:
        """End the candidate and everything it started."""
        self.measure()
        proctree.end_all(self._process.pid)
        # One that is stuck inside the kernel (a hung device) must not cost us what we know already.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        self.drain()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._output_open = False

    def _take(self) -> None:
        data = os.read(self._output, 1 << 16)
        if data:
            self.log.add(data)
        else:
            self._output_open = False
