"""Trees and commits in a store: only what a change touches is read or written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from bot.git.command import Damaged
from bot.git.store import Store
from bot.rules.scope import FileChange

FOLDER, SUBMODULE = b"40000", b"160000"  # modes, as trees hold them
_NOTHING = (b"0", "0" * 40)


@dataclass(frozen=True)
class TreeEntry:
    """One entry of a tree: `mode` as git writes it (`100644`), `kind` is blob, tree or commit."""

    path: str
    mode: str
    kind: str
    sha: str


@dataclass
class _Folder:
    """What changes below one folder: contents by name (None deletes), and folders by name."""

    files: dict[bytes, bytes | None]
    folders: dict[bytes, _Folder]


def commit_headers(store: Store, commit: str) -> tuple[str, list[str]]:
    """Return the names of the tree and the parents that `commit` itself has written down."""
    content = store.read(commit, "commit")
    if content is None:
        raise Damaged(f"commit {commit} is missing")
    lines = content.partition(b"\n\n")[0].decode(errors="replace").split("\n")
    parents = [line.removeprefix("parent ") for line in lines if line.startswith("parent ")]
    return lines[0].removeprefix("tree "), parents


def read_tree(store: Store, tree: str) -> dict[bytes, tuple[bytes, str]]:
    """Return a tree as {name: (mode, sha)}; raise `Damaged` if it is not here, or holds a name twice."""
    entries: dict[bytes, tuple[bytes, str]] = {}
    for name, mode, sha in _entries(store, tree):
        if entries.setdefault(name, (mode, sha)) != (mode, sha):
            raise Damaged(f"tree {tree} holds {name!r} twice")
    return entries


def _entries(store: Store, tree: str) -> Iterator[tuple[bytes, bytes, str]]:
    """Yield name, mode and object of each entry of a tree."""
    content = store.read(tree, "tree")
    if content is None:
        raise Damaged(f"tree {tree} is missing")
    at = 0
    while at < len(content):
        space = content.index(b" ", at)
        end = content.index(b"\0", space)
        yield content[space + 1 : end], content[at:space], content[end + 1 : end + 21].hex()
        at = end + 21


def find_entry(store: Store, tree: str, path: str) -> tuple[bytes, str] | None:
    """Return mode and name of what is at `path` below a tree, None if there is nothing."""
    found = (FOLDER, tree)
    for name in path.encode(errors="surrogateescape").split(b"/"):
        if found[0] != FOLDER:
            return None
        below = read_tree(store, found[1]).get(name)
        if below is None:
            return None
        found = below
    return found


def walk_tree(store: Store, tree: str, prefix: bytes = b"", *, recursive: bool = True) -> Iterator[TreeEntry]:
    """Yield the entries of a tree in git's order; with `recursive`, files of folders in the place of folders."""
    for name, mode, sha in _entries(store, tree):
        path = prefix + name
        if recursive and mode == FOLDER:
            yield from walk_tree(store, sha, path + b"/")
        else:
            kind = {FOLDER: "tree", SUBMODULE: "commit"}.get(mode, "blob")
            yield TreeEntry(path.decode(errors="surrogateescape"), _written(mode), kind, sha)


def tree_changes(store: Store, old: str | None, new: str | None, prefix: bytes = b"") -> Iterator[FileChange]:
    """Yield every file that differs between two trees (None: an empty one); only trees that differ are read."""
    befores = read_tree(store, old) if old else {}
    afters = read_tree(store, new) if new else {}
    for name in sorted({*befores, *afters}):
        before, after = befores.get(name, _NOTHING), afters.get(name, _NOTHING)
        if before == after:
            continue
        if FOLDER in (before[0], after[0]):
            below = [each[1] if each[0] == FOLDER else None for each in (before, after)]
            yield from tree_changes(store, below[0], below[1], prefix + name + b"/")
            before, after = (_NOTHING if each[0] == FOLDER else each for each in (before, after))
        if before != after:
            path = (prefix + name).decode(errors="surrogateescape")
            status = _status(before[0], after[0])
            yield FileChange(path, status, _written(before[0]), _written(after[0]), before[1], after[1])


def _status(before: bytes, after: bytes) -> str:
    if before == _NOTHING[0] or after == _NOTHING[0]:
        return "A" if before == _NOTHING[0] else "D"
    return "M" if int(before, 8) >> 12 == int(after, 8) >> 12 else "T"


def _written(mode: bytes) -> str:
    return mode.decode().rjust(6, "0")


def write_tree(store: Store, base: str | None, files: Mapping[str, bytes | None]) -> str:
    """Return the tree `base` (None: an empty one) with `files` written (None deletes), touching no other folder.

    A file keeps the mode it had if that is a regular one; links and submodules become plain files.
    """
    return _build(store, base, _as_folders(files)) or store.write("tree", b"")


def write_commit(
    store: Store, tree: str, parents: Sequence[str], message: str, when: datetime, author: str
) -> str:
    """Write a commit object: the same arguments give the same name on every machine."""
    moment = int((when if when.tzinfo else when.replace(tzinfo=timezone.utc)).timestamp())
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    lines += [f"author {author} {moment} +0000", f"committer {author} {moment} +0000", ""]
    text = "\n".join(lines) + "\n" + message.rstrip().replace("\0", "") + "\n"
    return store.write("commit", text.encode(errors="backslashreplace"))


def check_path(path: str) -> None:
    """Raise `ValueError` for a path that must not be written into a tree."""
    parts = path.split("/")
    bad = any(part in ("", ".", "..") or part.lower() == ".git" for part in parts)
    if bad or any(character in path for character in "\n\0"):
        raise ValueError(f"not a path inside a repository: {path!r}")


def _as_folders(files: Mapping[str, bytes | None]) -> _Folder:
    top = _Folder({}, {})
    for path, content in sorted(files.items()):
        check_path(path)
        *folders, name = path.encode(errors="surrogateescape").split(b"/")
        at = top
        for folder in folders:
            at = at.folders.setdefault(folder, _Folder({}, {}))
        at.files[name] = content
    return top


def _build(store: Store, base: str | None, change: _Folder) -> str | None:
    """Write this folder, children first, and return its name, None if nothing is left in it."""
    entries = read_tree(store, base) if base else {}
    for name, new in change.files.items():
        if new is None:
            entries.pop(name, None)
            continue
        mode = entries.get(name, _NOTHING)[0]
        entries[name] = (mode if mode in (b"100644", b"100755") else b"100644", store.write("blob", new))
    for name, folder in change.folders.items():
        mode, old = entries.get(name, _NOTHING)
        sha = _build(store, old if mode == FOLDER else None, folder)
        if sha is not None:
            entries[name] = (FOLDER, sha)
        elif mode == FOLDER:
            del entries[name]
    if not entries:
        return None
    # Git sorts a folder as if its name ended in a slash.
    ordered = sorted(entries.items(), key=lambda each: each[0] + b"/" if each[1][0] == FOLDER else each[0])
    body = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(sha) for name, (mode, sha) in ordered)
    return store.write("tree", body)
