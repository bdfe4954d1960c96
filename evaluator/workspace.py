"""The private copy of a tree that runs begin with, what lies beside it, and its removal however a run ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluator import untracked
from evaluator.copying import PREFIX, Beside, Copying
from evaluator.errors import UserError

_STALE_SECONDS = 60.0
_LONG = 24  # characters: if temporary folders are deeper, unix sockets in them may be too deep
_PAGE = 4096

_MOST_BYTES, _MOST_FILES, _LARGE = 512 << 20, 20_000, 64 << 20
_MOST_IGNORED_BYTES, _MOST_IGNORED_FILES = 1 << 30, 4000


@dataclass(frozen=True)
class Workspace:
    """`tree` is a copy of the repository's files, `ignored` one of the small files that git knows nothing of in
    the user's own `repository`, and `beside` what neither of them holds. `hidden` must be seen by nobody, and
    `unknown` by nobody but who sees what git does not know: both lie in folders that are shown whole. `strange` are
    the paths of the repository that git does not know, a folder for all that it holds.

    `base` is a folder to make others in, which go with the rest.
    """

    base: Path
    repository: Path
    tree: Path
    ignored: Path
    beside: tuple[Beside, ...] = ()
    hidden: tuple[Path, ...] = ()
    unknown: tuple[Path, ...] = ()
    strange: tuple[Path, ...] = ()

    def folder(self, name: str) -> Path:
        """Make and return another folder, removed with the rest."""
        made = self.base / name
        made.mkdir()
        return made


@dataclass(frozen=True)
class Source:
    """Where a workspace comes from: the tree to run, `repository`, which is the user's own (the same folder if
    the user has named no other), `data` as the settings name it, and a file that takes the place of `script`."""

    repo: Path
    repository: Path
    data: tuple[str, ...] = ()
    train: Path | None = None
    largest: int = 1 << 30
    script: str = "train.py"


@contextlib.contextmanager
def private_copy(source: Source, *, short: bool = False) -> Iterator[Workspace]:
    """Copy the tree into a new temporary folder, without what is large or no business of a run; remove it at the
    end. With `short` the folder's path is short enough for unix sockets, whatever TMPDIR says.

    Raises `UserError` if the repository can't be read.
    """
    places = {Path(tempfile.gettempdir()), *([_short()] if short else [])}
    for place in places:
        _sweep(place)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_short() if short else None))
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        # Held while we live, even if we are killed: what is not locked any more may be swept.
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield _filled(source, folder)
        except shutil.Error as error:
            raise UserError(f"{source.repo}: can't be copied: {error.args[0][0][-1]}") from None
    finally:
        _remove(folder)
        os.close(lock)


def size_of(*folders: Path) -> int:
    """Return the bytes that copies of the folders take, in whole pages and with a page for each name."""
    total = 0
    for top in folders:
        for folder, names, files in os.walk(top):
            total += _PAGE * (1 + len(names) + len(files))
            for name in files:
                with contextlib.suppress(OSError):
                    total += -(-os.lstat(os.path.join(folder, name)).st_size // _PAGE) * _PAGE  # noqa: PTH118
    return total


def expanded(word: str) -> Path:
    """Return a path with `~` for the user's home folder; one of a user that is not known stays as it is."""
    return Path(os.path.expanduser(word))  # noqa: PTH111  (Path.expanduser raises there)


def places_of(word: str, source: Source) -> Iterator[tuple[Path, Path]]:
    """Yield where a path of the settings may lie: its place in the tree and on this machine, the tree first.

    What lies outside of the repository has an absolute place, its own. Links are not followed.
    """
    place = Path(os.path.normpath(source.repository / expanded(word)))
    if not place.is_relative_to(source.repository):
        if place.is_relative_to(source.repo):
            yield place.relative_to(source.repo), place
        else:
            yield place, place
        return
    within = place.relative_to(source.repository)
    yield within, source.repo / within
    if source.repo != source.repository:
        yield within, place


def _short() -> Path:
    """Return the folder for temporary files, or a shorter one if its path is long."""
    usual = Path(tempfile.gettempdir())
    found = Path("/tmp") if len(str(usual)) > _LONG else usual
    return found if os.access(found, os.W_OK | os.X_OK) else usual


def _filled(source: Source, folder: Path) -> Workspace:
    tree, ignored = folder / "tree", folder / "ignored"
    ignored.mkdir()
    own = source.repo == source.repository
    unknown = untracked.not_tracked(source.repository, ignored=own) or []
    strangers = untracked.not_tracked(source.repository, ignored=False) if own else []
    data = _data(source)
    held = {path for path, _ in data}
    plan = Copying(source.repo, tree, "large", _MOST_BYTES, _MOST_FILES, source.largest, _LARGE)
    plan.leave = held | (set(unknown) if own else set())
    # What a user has not given to git is copied too, but for what looks like a secret.
    secrets = (
        None if strangers is None else {each for each in strangers if untracked.is_unfit(source.repo / each)}
    )
    plan.unfit = lambda place: own and _is_secret(place, secrets)
    plan.carry_out([Path()])
    if source.train is not None:
        (tree / source.script).unlink(missing_ok=True)
        shutil.copyfile(source.train, tree / source.script)
    more = Copying(
        source.repository, ignored, "ignored", _MOST_IGNORED_BYTES, _MOST_IGNORED_FILES, source.largest,
        _LARGE,
    )  # fmt: skip
    more.leave = held
    more.unfit = lambda place: (
        untracked.is_unfit(source.repository / place)
        or any(untracked.is_needless(part) or untracked.is_secret(part) for part in place.parts)
        or _stands_in(tree, place)
    )
    more.carry_out(unknown)
    found = [Beside(place, at, "data") for place, at in data if not place.is_absolute()]
    inside = {source.repo / each for each in (*plan.leave, *(secrets or ()))}
    shown = [each.source for each in plan.beside]
    inside = {each for each in inside if any(each.is_relative_to(folder) for folder in shown)}
    unfit = {each for each in inside if untracked.is_unfit(each)}
    return Workspace(
        folder, source.repository, tree, ignored, (*plan.beside, *more.beside, *found),
        (*more.hidden, *sorted(unfit)), tuple(sorted(inside - unfit)),
        tuple(unknown),
    )  # fmt: skip


def _data(source: Source) -> list[tuple[Path, Path]]:
    """Return where the settings' `data` lies: places in the tree (absolute ones elsewhere) and on this machine,
    those behind symbolic links too."""
    found: dict[Path, Path] = {}
    for word in source.data:
        for place, at in places_of(word, source):
            if not os.path.lexists(at):
                continue
            found.setdefault(place, at)
            real = Path(os.path.realpath(at))
            for top in (source.repo, source.repository):
                if not place.is_absolute() and real.is_relative_to(top) and real != top:
                    found.setdefault(real.relative_to(top), real)
            break
    return list(found.items())


def _is_secret(place: Path, secrets: set[Path] | None) -> bool:
    """Whether something looks like a secret that git does not track: one of `secrets`, or if git knows nothing,
    told by its name."""
    return untracked.is_secret(place.name) if secrets is None else place in secrets


def _stands_in(tree: Path, place: Path) -> bool:
    """Whether the tree has something of its own at `place`, or no folder where one above it would have to be."""
    at = tree / place
    if os.path.lexists(at) and (at.is_symlink() or not at.is_dir()):
        return True
    above = [tree / each for each in place.parents if each != Path()]
    return any(os.path.lexists(each) and (each.is_symlink() or not each.is_dir()) for each in above)


def _sweep(place: Path) -> None:
    """Remove what runs that were killed left behind."""
    for folder in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid != os.getuid() or time.time() - folder.stat().st_mtime < _STALE_SECONDS:
                continue
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(folder)
            finally:
                os.close(lock)


def _remove(folder: Path) -> None:
    """Remove a folder whatever permissions the candidate left in it."""
    for root, names, _ in os.walk(folder):
        for name in names:
            path = Path(root, name)
            if not path.is_symlink():
                with contextlib.suppress(OSError):
                    path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
