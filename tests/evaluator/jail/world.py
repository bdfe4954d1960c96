"""A piece of the host that jails are set against: a repository's tree, secrets around it, and who may ask."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from evaluator.jail.bubblewrap import find_bubblewrap
from evaluator.jail.install import BESIDE
from evaluator.jail.landlock import find_landlock
from tests.evaluator.jail import launcher

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
NOBODY = 65534
MIB = 1 << 20
SECRET = "a secret of the host"


@dataclass(frozen=True)
class Order:
    """What to start in which jail; the word PYTHON in `command` stands for the user's interpreter.

    `python` adds to what is read-only all that this interpreter needs.
    """

    jail: str
    command: tuple[str, ...]
    scratch: str
    scratch_bytes: int = 4 * MIB
    folder: str = "/tmp"
    env: dict[str, str] = field(default_factory=dict)
    read_only: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    replaced: dict[str, str] = field(default_factory=dict)
    fds: tuple[int, ...] = ()
    devices: bool = False
    python: bool = True
    open_files: int = 100
    file_bytes: int = 64 * MIB


@dataclass(frozen=True)
class World:
    """`folder` holds tree (shown), secret.txt and others (not shown), and a listener on every kind of socket."""

    folder: Path
    port: int
    abstract: str
    shared_memory: Path

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    @property
    def scratch(self) -> Path:
        return self.folder / "room" / "scratch"

    @property
    def hidden(self) -> tuple[Path, ...]:
        return (
            self.tree / "hidden.txt",
            self.tree / "hidden",
            self.folder / "alias" / "package" / "masked.py",
        )

    def order(self, *command: str, jail: str = "bubblewrap", **changes: Any) -> Order:
        """Return an order with the usual file system of this world."""
        usual: dict[str, Any] = {
            "read_only": (
                str(self.tree),
                str(self.folder / "library"),
                str(self.folder / "alias"),
                "/no/such",
            ),
            "writable": (str(self.folder / "shelf"),),
            "hidden": tuple(map(str, self.hidden)),
        }
        return Order(jail, command, str(self.scratch), **(usual | changes))


@contextlib.contextmanager
def world() -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="nocturne-jail-", dir="/tmp"))
    folder.chmod(0o755)
    name = uuid.uuid4().hex
    shared_memory = Path("/dev/shm", name)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        _fill(folder)
        shared_memory.write_text(SECRET)
        stack.callback(shared_memory.unlink)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind(f"\0{name}")
        abstract.listen()
        yield World(folder, listener.getsockname()[1], name, shared_memory)


def _fill(folder: Path) -> None:
    for name in ("tree/hidden", "library/package", "shelf", "room"):
        (folder / name).mkdir(parents=True)
    (folder / "secret.txt").write_text(SECRET)
    (folder / "tree" / "train.py").write_text("print('training')\n")
    (folder / "tree" / "hidden.txt").write_text(SECRET)
    (folder / "tree" / "hidden" / "more.txt").write_text(SECRET)
    (folder / "tree" / "way_out").symlink_to(folder / "secret.txt")
    (folder / "tree" / "inner_way").symlink_to("hidden.txt")
    (folder / "library" / "package" / "masked.py").write_text(SECRET)
    (folder / "alias").symlink_to(folder / "library")
    for name in ("shelf", "room"):
        (folder / name).chmod(0o777)
    shutil.copy("/usr/bin/id", folder / "tree" / "id")
    (folder / "tree" / "id").chmod(0o4755)
    shutil.copy(HERE / "probe.py", folder / "tree" / "probe.py")


def skip_unless_possible(user: str = "self", jail: str = "bubblewrap") -> None:
    """Skip for what a machine lacks or forbids; a jail that fails for another reason is to fail the test."""
    if jail == "none":
        return
    if jail.startswith("landlock"):
        if find_landlock() is None:
            pytest.skip("this kernel has no Landlock")
        return
    found = find_bubblewrap()
    if found is None:
        pytest.skip("bubblewrap is not installed")
    if user == "plain" and not _runs_as("plain", [found.bwrap, "--version"]):
        pytest.skip(f"a plain user can't reach {found.bwrap}")


def interpreter(user: str) -> str:
    """Return a Python that `user` can start and that can import the evaluator; skip where there is none."""
    if user == "self":
        return sys.executable
    if os.geteuid() != 0:
        pytest.skip("this is a plain user already: the other half of these tests is about it")
    for python in (sys.executable, "/usr/bin/python3"):
        if _runs_as(
            "plain", [python, "-c", "import evaluator.jail, sys; assert sys.version_info >= (3, 10)"]
        ):
            return python
    return pytest.skip("a plain user can reach no Python, or not this repository")


def run(user: str, order: Order, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Carry out `order` as `user` ("self" or "plain"), in processes of their own."""
    skip_unless_possible(user, order.jail)
    command = [interpreter(user), str(HERE / "launcher.py"), json.dumps(asdict(order))]
    environment = as_user(user)
    return subprocess.run(
        command, **environment, pass_fds=order.fds, capture_output=True, text=True, timeout=seconds
    )


def start(order: Order, **options: Any) -> subprocess.Popen[Any]:
    """Start `order` from this very process; the result is the process that the jail was launched as."""
    skip_unless_possible(jail=order.jail)
    return launcher.start(asdict(order), **options)


def _runs_as(user: str, command: list[str]) -> bool:
    try:
        return subprocess.run(command, **as_user(user), capture_output=True, timeout=20).returncode == 0
    except OSError:
        return False


def as_user(user: str) -> dict[str, Any]:
    who = {} if user == "self" else {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    path = f"{os.environ['PATH']}:{BESIDE}"  # whichever Python it is, our bubblewrap is found
    return {**who, "cwd": "/", "env": {"PATH": path, "PYTHONPATH": str(ROOT), "HOST": SECRET}}
