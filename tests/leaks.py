"""Searches by value for every credential that a test gave out: after each test, wherever anything may have stayed.

`give` makes a value known. `search` looks for it, plain and in Base64, in all that the GitHubs on loopback hold
(issues, comments, statuses, check runs, artifacts, bodies of requests, every git object), in what commands printed,
in every file that the test left, and in the clones among them. `Watch` looks at the processes meanwhile: at every
command line, and at the environment of those that run in a jail.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import io
import os
import subprocess
import threading
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pygit2

if TYPE_CHECKING:
    from tests.github.world import GitHub

_EVERY = 0.25  # seconds between two looks at the processes
_PIECE = 1 << 16  # bytes: most of what is read of a process comes in one
_HARNESS = b"act"  # runs workflows for the tests, and takes a job's token on its command line

SERVED: list[GitHub] = []
"""The servers whose contents are searched; one that has ended is searched once more."""
ENDED: list[GitHub] = []
PRINTED: list[str] = []
"""What commands printed that the test runner does not see."""
_given: dict[str, None] = {}  # in the order in which they were given out
_searched: set[str] = set()  # names of git objects: what is older than a credential cannot hold it


def give(value: str) -> None:
    """Let `value` be a credential from now on."""
    _given[value] = None


def needles() -> list[bytes]:
    """Return what a credential looks like, oldest first: as it is, and within Base64 whatever stands before it."""
    found = []
    for value in list(_given):
        data = value.encode()
        found.append(data)
        for before in range(3):  # the first and the last character depend on neighbours
            text = base64.b64encode(b"\0" * before + data + b"\0" * ((-before - len(data)) % 3))
            found.append(text[(0, 2, 3)[before] : -4])
    return found


def tells(data: bytes | str, wanted: Iterable[bytes] | None = None) -> bool:
    """Say whether `data` holds a credential."""
    raw = data.encode(errors="surrogateescape") if isinstance(data, str) else data
    return any(needle in raw for needle in (needles() if wanted is None else wanted))


def search(folders: Iterable[Path], printed: Iterable[str]) -> list[str]:
    """Return where a credential is found, in words that don't repeat it."""
    wanted = needles()
    found = [f"printed output {index}" for index, text in enumerate(printed) if tells(text, wanted)]
    roots = {folder for folder in folders if folder.is_dir()}
    for github in SERVED:
        found += _on_github(github, wanted)
        roots.add(github.folder)
    roots = {root for root in roots if not any(parent in roots for parent in root.parents)}
    for root in sorted(roots):
        found += _in_files(root, wanted)
        for repository in _repositories(root):
            found += _in_objects(repository, wanted)
    return found


def forget_ended() -> None:
    """Search servers that have ended no more, nor, once there is none, for what they gave out.

    What is looked for must not grow from test to test: every look at the processes would take longer.
    """
    for github in ENDED:
        SERVED.remove(github)
    ENDED.clear()
    PRINTED.clear()
    if not SERVED:
        _given.clear()
        _searched.clear()


def _on_github(github: GitHub, wanted: list[bytes]) -> Iterator[str]:
    for name, repository in github.repositories.items():
        contents = repository.contents
        for field in dataclasses.fields(contents):
            if field.name != "artifacts" and tells(repr(getattr(contents, field.name)), wanted):
                yield f"{name}: {field.name}"
        for artifact in contents.artifacts.values():
            if any(tells(data, wanted) for data in _unpacked(artifact.data)):
                yield f"{name}: artifact {artifact.name}"
    for call in [*github.calls, *github.git_calls]:
        if tells(repr((call.path, call.query, call.body)), wanted):
            yield f"{call.method} {call.path}"
    if tells(repr(github.dispatches), wanted):
        yield "dispatches"


def _unpacked(data: bytes) -> Iterator[bytes]:
    yield data
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            yield name.encode() + b"\n" + archive.read(name)


def _in_files(root: Path, wanted: list[bytes]) -> list[str]:
    done = subprocess.run(
        ["grep", "--recursive", "--files-with-matches", "--fixed-strings", "--text", "--file=-", "--", str(root)],
        input=b"\n".join(wanted), capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1, 2), done.stderr  # 2: a socket, or a file that went away meanwhile
    return [f"file {path}" for path in done.stdout.decode(errors="replace").splitlines()]


def _repositories(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        if "HEAD" in files and {"objects", "refs"} <= set(folders):
            folders.clear()
            yield Path(folder)


def _in_objects(repository: Path, wanted: list[bytes]) -> list[str]:
    """Search the git objects that were not searched before, reachable or not."""
    objects = pygit2.Odb(str(repository / "objects"))
    new = {str(name): name for name in objects}
    for known in _searched & new.keys():
        del new[known]
    _searched.update(new)
    return [
        f"{repository}: git object {name}"
        for name, found in new.items()
        if tells(objects.read(found)[1], wanted)
    ]


class Watch:
    """Looks at all processes from time to time, for as long as there is a credential to look for."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.looks = 0
        self._first = b""
        self._clean: dict[bytes, int] = {}  # how many needles a text was searched for
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)

    def _look_on(self) -> None:
        ours = _namespace("self")
        while not self._over.wait(_EVERY):
            wanted = needles()
            if SERVED and wanted:
                self._look(ours, wanted)
                self.looks += 1

    def _tells(self, data: bytes, wanted: list[bytes]) -> bool:
        """Say whether `data` holds a credential. What was looked at before is searched for newer ones only."""
        known = self._clean.get(data, 0)
        if known < len(wanted) and tells(data, wanted[known:]):
            return True
        self._clean[data] = len(wanted)
        return False

    def _look(self, ours: str, wanted: list[bytes]) -> None:
        if wanted[0] != self._first:  # the credentials are others now
            self._first = wanted[0]
            self._clean.clear()
        for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - a thousand times a minute
            line = _read(name, "cmdline")
            if not line:  # the kernel's own, or over
                continue
            program, *_ = words = line.split(b"\0", 3)
            harness = program.rpartition(b"/")[2] == _HARNESS
            if not harness and self._tells(line, wanted):
                self.found.append(f"the command line of a process: {program!r}")
            if _namespace(name) not in ("", ours) and self._tells(_read(name, "environ"), wanted):
                shown = b" ".join(words[:3])[:80]
                self.found.append(f"the environment of a process in a jail: {shown!r}")


# Many thousand times a minute: a `Path` for each would take several times as long as what is asked of the kernel.


def _namespace(process: str) -> str:
    try:
        return os.readlink(f"/proc/{process}/ns/pid")  # noqa: PTH115
    except OSError:
        return ""  # it is gone, or somebody else's


def _read(process: str, name: str) -> bytes:
    try:
        file = os.open(f"/proc/{process}/{name}", os.O_RDONLY)
    except OSError:
        return b""
    try:
        return b"".join(iter(lambda: os.read(file, _PIECE), b""))
    except OSError:
        return b""
    finally:
        os.close(file)
