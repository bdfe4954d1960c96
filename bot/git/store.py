"""One git folder's objects and refs, read and written in this process: no hook, filter or helper can run.

Libgit2 finds and reads; what is written is written here, put on the disk before it is told, and with the reason if the
disk refuses.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pygit2
from pygit2.enums import ConfigLevel, ObjectType, RepositoryOpenFlag, SortMode

from bot.base.whole import written
from bot.errors import UserError
from bot.git.command import Damaged, Missing, raise_for_disk
from bot.git.moving import Moves, in_the_way, move_refs

_KINDS = {
    "commit": ObjectType.COMMIT,
    "tree": ObjectType.TREE,
    "blob": ObjectType.BLOB,
    "tag": ObjectType.TAG,
}

_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git knows it without having it


@functools.cache
def _prepare() -> None:
    """Have libgit2 read nobody's settings but the repository's."""
    settings = pygit2.Settings()
    settings.owner_validation = False  # git itself has looked at the owner when the repository was opened
    for level in (ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL, ConfigLevel.PROGRAMDATA):
        settings.search_path[level] = ""


class Store:
    """Objects and refs of one repository. Threads may share it.

    `bring` is asked for objects that are not here, which a partial clone gets from its remote.
    """

    def __init__(self, folder: Path, bring: Callable[[Sequence[str]], None] | None = None) -> None:
        """`folder` is a working tree or a git folder; raise `UserError` if libgit2 can't open it."""
        _prepare()
        self._bring = bring
        try:
            self._repository = pygit2.Repository(os.fspath(folder), RepositoryOpenFlag.NO_SEARCH)
        except (pygit2.GitError, ValueError) as error:
            raise UserError(
                f"cannot open {error}: Nocturne needs a repository with SHA-1 names and refs in files"
            ) from None

    # Objects

    def read(self, sha: str, kind: str) -> bytes:
        """Return the content of an object of `kind` (commit, tree, blob, tag).

        Raises `Missing` if there is none here, and `Damaged` if it can't be read.
        """
        if sha == _EMPTY_TREE and kind == "tree":
            return b""
        for attempt in range(2):
            try:
                # What has a file of its own is read here: libgit2 1.9 never returns from one whose end is cut off.
                with suppress(FileNotFoundError):
                    said = zlib.decompress(self.loose_path(sha).read_bytes())
                    if hashlib.sha1(said, usedforsecurity=False).hexdigest() != sha:
                        raise ValueError("its content is another one's")
                    header, _, content = said.partition(b"\0")
                    if not header.startswith(b"%s " % kind.encode()):
                        break
                    return content
                found, content = self._repository.odb.read(sha)
                if found != _KINDS[kind]:
                    break
                return content
            except KeyError:
                if attempt or self._bring is None or not self._is_partial:
                    break
                self._bring([sha])
            except (pygit2.GitError, OSError, ValueError, zlib.error) as error:
                raise Damaged(f"object {sha} cannot be read: {error}") from error
        raise Missing(f"{kind} {sha} is missing")

    def loose_path(self, sha: str) -> Path:
        """Return where the file of an object is, if it has one of its own."""
        return self.folder / "objects" / sha[:2] / sha[2:]

    def size(self, sha: str) -> int:
        """Return how many bytes an object has, 0 if it is not here or can't be read."""
        try:
            return self._repository.odb.read_header(sha)[1]
        except (KeyError, pygit2.GitError, OSError, ValueError):
            return 0

    def has(self, sha: str) -> bool:
        """Say whether an object is here."""
        return self._repository.odb.exists(sha)

    def write(self, kind: str, content: bytes) -> str:
        """Write an object and return its name. Raises `UserError` for a full disk or a missing permission."""
        whole = b"%s %d\0%s" % (kind.encode(), len(content), content)
        sha = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
        place = self.loose_path(sha)
        if self.has(sha):
            with suppress(OSError):  # as new, so that a `git gc` does not take it for long forgotten
                os.utime(place)
            return sha
        try:
            place.parent.mkdir(exist_ok=True)
            with written(place, durable=True, prefix="tmp_obj_") as file:  # which `git gc` knows
                file.write(zlib.compress(whole, 1))
                os.fchmod(file.fileno(), 0o444)
        except OSError as error:
            raise_for_disk(error)
            raise
        return sha

    def is_ancestor(self, one: str, other: str) -> bool:
        """Say whether commit `one` is `other` or one of its ancestors; False if that can't be told here."""
        try:
            return one == other or self._repository.descendant_of(other, one)
        except (KeyError, pygit2.GitError, ValueError):
            return False

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the best common ancestor of two commits, None if there is none here."""
        try:
            found = self._repository.merge_base(one, other)
        except (KeyError, pygit2.GitError, ValueError):
            return None
        return None if found is None else str(found)

    def between(self, older: str, newer: str) -> list[str]:
        """Return the commits that `newer` has and `older` has not, newest first."""
        try:
            walker = self._repository.walk(newer, SortMode.TIME)
            walker.hide(older)
            return [str(commit.id) for commit in walker]
        except (KeyError, pygit2.GitError, ValueError) as error:
            raise Damaged(f"the commits between {older} and {newer} cannot be read: {error}") from error

    @functools.cached_property
    def _is_partial(self) -> bool:
        return any(
            (entry.name or "").endswith(".promisor") and entry.value == "true"
            for entry in self._repository.config
        )

    @functools.cached_property
    def folder(self) -> Path:
        """The git folder with the objects and the refs that all working trees share."""
        there = Path(self._repository.path or "")
        with suppress(OSError):
            return (there / (there / "commondir").read_text().strip()).resolve()
        return there

    # Refs

    def commit(self, name: str) -> str | None:
        """Return the commit that a full name of a ref, a branch, a tag, `HEAD` or an object's name means."""
        try:
            return str(self._repository.revparse_single(name).peel(pygit2.Commit).id)
        except (KeyError, pygit2.GitError, OSError, ValueError):
            return None

    def ref(self, name: str) -> str | None:
        """Return the object that the ref of this full name points at, None if none can be read."""
        try:
            return str(self._repository.references[name].resolve().target)
        except (KeyError, pygit2.GitError, OSError, ValueError):
            return None

    def refs(self, names: Sequence[str]) -> dict[str, str]:
        """Return {full name: sha} of the refs that `names` (names, or patterns with `*`) ask for."""
        wanted = [name for name in names if "*" not in name]
        patterns = [_pattern(name) for name in names if "*" in name]
        if patterns:
            there = (
                name.decode(errors="surrogateescape") for name in self._repository.raw_listall_references()
            )
            wanted += [name for name in there if any(pattern.fullmatch(name) for pattern in patterns)]
        found = {name: self.ref(name) for name in dict.fromkeys(wanted)}
        return {name: sha for name, sha in found.items() if sha is not None}

    def move(self, moves: Moves, message: str) -> None:
        """Move refs, all or none; see `moving.move_refs`."""
        for name, (before, new) in moves.items():
            if before is None and new is not None and self.ref(name) is None:
                self._check_room(name)
        move_refs(self.folder, moves, self.ref, message)

    def _check_room(self, name: str) -> None:
        for raw in self._repository.raw_listall_references():
            there = raw.decode(errors="surrogateescape")
            if name.startswith(there + "/") or there.startswith(name + "/"):
                raise in_the_way(there, name, self.folder)


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in name.split("*")), re.DOTALL)
