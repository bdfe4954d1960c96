"""Starts the script by a launcher of several processes, such as torchrun, and connects each of them.

    main(words of the launcher as JSON, script, tree, descriptors)      (working directory: the folder of prepare.py)

What a launcher starts does not inherit our descriptors. So each process (`rank`) asks for its own by a socket without
a name in the file system: a line to the data jail, and for the first one also the scorer's end and the logits' buffer.
Training data differs by process. The model of the first one is measured; the others wait for its score, where they
ask for one.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

from . import frames, values
from .frames import Channel

NOT_STARTED = 127  # as shells say it
_HELLO = 64  # bytes of what a process says first: rank and world
_FAILED = b"none\n"  # in place of a score
_TICK = 0.2


class Hub:
    """Where the processes that the launcher has started ask."""

    def __init__(self, scorer: int, data: Channel, buffer: int) -> None:
        self.scorer, self.data, self.buffer = scorer, data, buffer
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.address = f"nocturne-{secrets.token_hex(8)}"
        self.listener.bind(f"\0{self.address}")
        self.listener.listen(64)
        self.processes: dict[int, socket.socket] = {}

    def serve(self, launcher: subprocess.Popen[bytes]) -> int:
        """Answer until the launcher has ended; return its exit status."""
        while launcher.poll() is None:
            ready = select.select([self.listener, *self.processes.values()], [], [], _TICK)[0]
            for end in ready:
                if end is self.listener:
                    self._connect(end.accept()[0])
                else:
                    self._hear(end)
        return launcher.returncode

    def _connect(self, end: socket.socket) -> None:
        hello = _heard(end)
        if not hello:
            end.close()
            return
        said = json.loads(hello.decode())
        rank, world = int(said["rank"]), int(said["world"])
        line = self._line(rank, world)
        given = [line, self.scorer, self.buffer] if rank == 0 else [line]
        socket.send_fds(end, [b"!"], given)
        os.close(line)
        self.processes[rank] = end

    def _line(self, rank: int, world: int) -> int:
        """Return a line to the data jail for one process."""
        self.data.send(frames.JOIN, *values.packed({"rank": rank, "world": world}))
        kind, body = self.data.receive()
        if kind != frames.LINE:
            raise RuntimeError(f"no training data for process {rank}: {bytes(body).decode(errors='replace')}")
        return socket.recv_fds(self.data.socket, 1, 1)[1][0]

    def _hear(self, end: socket.socket) -> None:
        """Pass on the score that the first process has; if one has gone, nobody waits for it."""
        rank = next(rank for rank, each in self.processes.items() if each is end)
        said = _heard(end)
        if rank == 0:
            for other, each in self.processes.items():
                if other:
                    with contextlib.suppress(OSError):  # it has ended already
                        each.sendall(said or _FAILED)
        if not said:
            self.processes.pop(rank).close()


def _heard(end: socket.socket) -> bytes:
    """Return what a process says; nothing if it has gone, even in the middle of what it was told."""
    try:
        return end.recv(_HELLO)
    except ConnectionResetError:
        return b""


def main(words: str, name: str, tree: str, scorer: str, data: str, buffer: str, *shape: str) -> None:
    """Start the launcher and end as it ends."""
    from . import shim

    shim.compiled(name)  # a slip of the pen ends quickly
    hub = Hub(int(scorer), Channel(int(data)), int(buffer))
    launcher = json.loads(words)
    inside = Path(__file__).with_name("launch.py")
    brought = next(
        (str(vars(each)["folder"]) for each in sys.meta_path if type(each).__name__ == "Brought"), "-"
    )
    command = [*launcher, str(inside), brought, "rank", hub.address, name, tree, *shape]
    try:
        process = subprocess.Popen(command)
    except OSError as error:
        print(f"{launcher[0]}: can't be started (`evaluator: launch`): {error.strerror}", flush=True)
        sys.exit(NOT_STARTED)
    code = hub.serve(process)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def connected(address: str, rank: int, world: int) -> tuple[socket.socket, list[int]]:
    """Return the line to the hub and the descriptors that it gives this process."""
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    end.connect(f"\0{address}")
    end.sendall(json.dumps({"rank": rank, "world": world}).encode())
    return end, list(socket.recv_fds(end, 1, 3)[1])


def place() -> tuple[int, int]:
    """Return which process this is and how many there are, as launchers tell it."""
    for rank, world in (
        ("RANK", "WORLD_SIZE"),
        ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
        ("PMI_RANK", "PMI_SIZE"),
    ):
        if os.environ.get(rank, "").isdigit():
            return int(os.environ[rank]), int(os.environ.get(world) or 1)
    return 0, 1


def tell(hub: socket.socket, score: float) -> None:
    """Tell the others the score that the first process has."""
    hub.sendall(f"{score!r}\n".encode())


def told(hub: socket.socket) -> float:
    """Wait for the score of the first process."""
    said = b""
    while not said.endswith(b"\n"):
        byte = hub.recv(1)
        if not byte:
            break
        said += byte
    if said in (b"", _FAILED):
        raise RuntimeError("the first process ended without a score")
    return float(said)
