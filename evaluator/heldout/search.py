"""Which files that a jail could read carry held-out text: what has to be hidden there."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from evaluator.heldout.hashing import Places
from evaluator.heldout.reading import HEAD, TAIL, carries, is_packed, unpacked_carries
from evaluator.heldout.windows import CHUNK, WINDOW, WindowIndex
from evaluator.whole import written

SMALL = 1 << 18  # bytes: smaller files are looked at many at a time

# Folders of the standard library and of packages that no run needs; hidden whole if many files of them carry
# held-out text, so that a jail is not made of hundreds of mounts.
NEEDLESS = frozenset({"test", "tests", "idlelib", "lib2to3", "turtledemo", "pydoc_data", "ensurepip"})
MANY = 50

# How files are opened: no symlink, and no wait for a writer, should one have become something else meanwhile.
_WITHOUT_SURPRISES = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

FORMAT = 2
DEPTH = 3  # so many levels of folders below a root are looked at for changes
PACKAGE_RECORDS = (
    Path("/var/lib/dpkg/status"), Path("/var/lib/rpm/rpmdb.sqlite"), Path("/var/lib/rpm/Packages"),
    Path("/lib/apk/db/installed"), Path("/var/lib/pacman/local"),
)  # fmt: skip


def search(roots: Sequence[Path], index: WindowIndex) -> tuple[Path, ...]:
    """Return the files under `roots` (folders or files) that have a window of `index`, in order.

    Archives are looked into and returned whole. Of each Python file its byte code belongs to the result too,
    and if more than MANY files lie in one of the NEEDLESS folders, the folder stands for them. Symlinks
    are not followed, except a root that is one. What can't be read is left out: neither can a jail read it.
    """
    found: set[Path] = set()
    for root in outermost(roots):
        carriers = set(_carriers(root, index))
        carriers.update([code for path in carriers for code in byte_code(path)])
        found.update(_gathered(carriers, root))
    return tuple(sorted(found))


def cached_search(roots: Sequence[Path], index: WindowIndex, cache_folder: Path) -> tuple[Path, ...]:
    """Return what `search` does, from `cache_folder` if a root has not changed since it was searched.

    Says on stderr when it has to look, because that can take a minute.
    """
    digest, told = index.digest, False
    found: set[Path] = set()
    for root in outermost(roots):
        name = hashlib.sha256(f"{digest}\0{root}".encode(errors="surrogateescape")).hexdigest()[:32]
        file, now = cache_folder / f"{name}.json", signature(root)
        known = _read(file, now)
        if known is None:
            if not told:
                print("looking for copies of held-out text on this machine ...", file=sys.stderr, flush=True)
            told = True
            known = search([root], index)
            _write(file, now, known)
        found.update(known)
    found.update([code for path in found for code in byte_code(path)])  # compiled since, perhaps
    return tuple(sorted(found))


def outermost(roots: Iterable[Path]) -> list[Path]:
    """Return the roots that are there, without symlinks, and without those that lie in another one."""
    real = {Path(os.path.realpath(root)) for root in roots if os.path.exists(root)}  # noqa: PTH110  (never raises)
    return sorted(root for root in real if not real & set(root.parents))


def byte_code(path: Path) -> list[Path]:
    """Return the byte code files that are there for a Python file."""
    if path.suffix != ".py":
        return []
    cached = path.parent / "__pycache__"
    found = [
        code for code in _names(cached) if code.name.startswith(f"{path.stem}.") and code.suffix == ".pyc"
    ]
    beside = path.with_suffix(".pyc")
    return [*found, beside] if beside.is_file() else found


def signature(root: Path) -> str:
    """Return what changes when files come or go near `root`, or packages of the system: cheap to compute.

    Folders of byte code say nothing: Python fills them when it likes.
    """
    whole = hashlib.sha256()
    for path in (root, *PACKAGE_RECORDS, *_folders(root, DEPTH)):
        try:
            told = path.stat()
        except OSError:
            continue
        whole.update(
            f"{path}\0{told.st_dev} {told.st_ino} {told.st_mtime_ns}\0".encode(errors="surrogateescape")
        )
        if stat.S_ISREG(told.st_mode):
            whole.update(f"{told.st_size}\0".encode())
    return whole.hexdigest()


def _names(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _folders(root: Path, depth: int) -> Iterator[Path]:
    try:
        with os.scandir(root) as entries:
            inner = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for folder in sorted(Path(entry.path) for entry in inner if entry.name != "__pycache__"):
        yield folder
        if depth > 1:
            yield from _folders(folder, depth - 1)


def _carriers(root: Path, index: WindowIndex) -> Iterator[Path]:
    """Yield the files under `root` that have a window, in no order."""
    small = _Together(index)
    for path in _files(root):
        try:
            handle = os.open(path, _WITHOUT_SURPRISES)
        except OSError:
            continue
        with io.FileIO(handle) as file:
            try:
                if os.fstat(handle).st_size > SMALL:
                    if carries(file, index):
                        yield Path(path)
                    continue
                data = os.read(handle, SMALL)
                if is_packed(data[:HEAD], data[-TAIL:]) and unpacked_carries(file, index):
                    yield Path(path)
            except OSError:
                continue
        yield from small.add(path, data)
    yield from small.flush()


def _files(root: Path) -> Iterator[str]:
    """Yield the plain files under `root`, or `root` itself: as text, for a machine has a hundred thousand of them."""
    if not root.is_dir():
        if root.is_file():
            yield str(root)
        return
    folders = [str(root)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        yield entry.path
        except OSError:
            continue


class _Together:
    """Small files laid end to end, because to look at each by itself would cost more than to read it."""

    def __init__(self, index: WindowIndex) -> None:
        self._index = index
        self._paths: list[str] = []
        self._ends: list[int] = []
        self._data = bytearray()

    def add(self, path: str, data: bytes) -> list[Path]:
        """Add a file; return those with a window among all that were added, when enough came together."""
        self._paths.append(path)
        self._data += data
        self._ends.append(len(self._data))
        return self.flush() if len(self._data) >= CHUNK else []

    def flush(self) -> list[Path]:
        """Return those with a window among all that were added, and begin again."""
        offsets, _ = self._index.matches(self._data)
        ends = np.array(self._ends, np.int64)
        owners: Places = np.asarray(np.searchsorted(ends, offsets, side="right"), np.int64)
        owners = np.unique(owners[offsets + WINDOW <= ends[owners]])  # not from one file into the next
        found = [Path(self._paths[owner]) for owner in owners.tolist()]
        self._paths, self._ends, self._data = [], [], bytearray()
        return found


def _gathered(found: set[Path], root: Path) -> set[Path]:
    """Put a folder below `root` that no run needs in the place of its files, if they are many."""
    inside: dict[Path, set[Path]] = {}
    for path in found:
        for folder in path.parents:
            if folder.name in NEEDLESS and root in folder.parents:
                inside.setdefault(folder, set()).add(path)
    for folder, paths in inside.items():
        if len(paths) > MANY:
            found = (found - paths) | {folder}
    return found


def _read(file: Path, now: str) -> tuple[Path, ...] | None:
    """Return what was found when the signature was `now`, or None if that is not known."""
    try:
        told = json.loads(file.read_bytes())
        if (told["format"], told["signature"]) != (FORMAT, now):
            return None
        return tuple(Path(name) for name in told["found"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(file: Path, now: str, found: Sequence[Path]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    told = {"format": FORMAT, "signature": now, "found": [str(path) for path in found]}
    with written(file) as aside:
        aside.write(json.dumps(told).encode())
