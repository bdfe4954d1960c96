"""`nocturne run --workers N`: a loop for each GPU of this machine, each a process of its own, on one campaign."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from bot.base.process import scrubbed_environment
from bot.base.text import clean
from bot.errors import UserError
from bot.loop.machine import gpu_ids


def run_workers(words: Sequence[str], workers: int, experiments: int | None) -> int:
    """Run `nocturne run` with `words` in so many processes, `experiments` shared between them, and say line by line
    what each says. Return 0 if all ended well, else the exit code of the first that did not. An interrupt is handed on,
    and raised here once all have given back what they held.

    Raises UserError if the machine has GPUs, and fewer than that.
    """
    gpus = gpu_ids()
    if gpus and workers > len(gpus):
        raise UserError(
            f"--workers {workers}: each takes a GPU of its own, and this process sees {len(gpus)}"
        )
    if not gpus:
        _say(f"no GPU is seen here: {workers} workers share the cores, and slow each other down")
    parts = shares(workers, experiments)
    processes = [_started(words, part, gpus[number] if gpus else None) for number, part in enumerate(parts)]
    readers = [
        threading.Thread(target=_tell, args=(f"[{number}] ", process.stdout), daemon=True)
        for number, process in enumerate(processes, start=1)
    ]
    for reader in readers:
        reader.start()
    try:
        _wait(processes)
    finally:
        for reader in readers:
            reader.join(timeout=10)
    return next((process.returncode for process in processes if process.returncode), 0)


def shares(workers: int, experiments: int | None) -> list[int | None]:
    """Return how many experiments each worker may finish: none is started that would get none."""
    if experiments is None:
        return [None] * workers
    each, more = divmod(experiments, workers)
    return [each + (number < more) for number in range(workers) if each or number < more]


def _started(words: Sequence[str], experiments: int | None, gpu: str | None) -> subprocess.Popen[str]:
    limit = [] if experiments is None else ["-n", str(experiments)]
    return subprocess.Popen(
        [sys.executable, "-I", "-m", "bot", "run", *words, *limit],
        env=scrubbed_environment({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        start_new_session=True,
    )  # fmt: skip


def _wait(processes: Sequence[subprocess.Popen[str]]) -> None:
    """Wait until all have ended. A process that got an interrupt gives back what it holds, and ends."""
    interrupted = None
    while any(process.poll() is None for process in processes):
        try:
            for process in processes:
                process.wait()
        except KeyboardInterrupt as error:
            interrupted = error
            for process in processes:
                process.send_signal(signal.SIGINT)
    if interrupted is not None:
        raise interrupted


def _tell(name: str, said: IO[str] | None) -> None:
    assert said is not None
    for line in said:
        with suppress(BrokenPipeError):
            _say(f"{name}{clean(line.rstrip())}")


def _say(line: str) -> None:
    print(f"{line}\n", end="", flush=True)  # in one piece, whoever else speaks
