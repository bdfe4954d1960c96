"""Trees and commits in a store: only what a change touches is read or written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from operator import attrgetter

from bot.git.command import Damaged
from bot.git.store import Store
from bot.rules.scope import FileChange

FOLDER, SUBMODULE = b"40000", b"160000"  # modes, as trees hold them
_NOTHING = (b"0", "0" * 40)
Tree = dict[bytes, tuple[bytes, str]]  # {name: (mode, object)}, in git's order


@dataclass(frozen=True)
class TreeEntry:
    """One entry of a tree: `mode` as git writes it (`100644`), `kind` is blob, tree or commit."""

    path: str
    mode: str
    kind: str
    sha: str


def commit_headers(store: Store, commit: str) -> tuple[str, list[str]]:
    """Return the names of the tree and the parents that `commit` itself has written down."""
    return parse_commit(store.read(commit, "commit"))


def parse_commit(content: bytes) -> tuple[str, list[str]]:
    """Return the names of the tree and the parents in the content of a commit."""
    lines = content.partition(b"\n\n")[0].decode(errors="replace").split("\n")
    parents = [line.removeprefix("parent ") for line in lines if line.startswith("parent ")]
    return lines[0].removeprefix("tree "), parents


def commit_words(store: Store, commit: str) -> tuple[str, str, str]:
    """Return name and address of a commit's author, and its subject."""
    head, _, message = store.read(commit, "commit").partition(b"\n\n")
    lines = head.decode(errors="replace").split("\n")
    author = next((line.removeprefix("author ") for line in lines if line.startswith("author ")), "")
    name, _, rest = author.partition(" <")
    return (
        name.strip(),
        rest.partition(">")[0].strip(),
        message.decode(errors="replace").partition("\n")[0].strip(),
    )


def read_tree(store: Store, tree: str) -> Tree:
    """Return a tree by its names; raise `Damaged` if it is not here, or holds one of them twice."""
    entries: Tree = {}
    for name, mode, sha in parse_tree(store.read(tree, "tree")):
        if entries.setdefault(name, (mode, sha)) != (mode, sha):
            raise Damaged(f"tree {tree} holds {name!r} twice")
    return entries


def parse_tree(content: bytes) -> list[tuple[bytes, bytes, str]]:
    """Return name, mode and object of each entry in the content of a tree."""
    entries = []
    at = 0
    while at < len(content):
        space = content.index(b" ", at)
        end = content.index(b"\0", space)
        entries.append((content[space + 1 : end], content[at:space], content[end + 1 : end + 21].hex()))
        at = end + 21
    return entries


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


def walk_tree(store: Store, tree: str, prefix: bytes = b"", *, recursive: bool = True) -> list[TreeEntry]:
    """Return the entries of a tree by their paths; with `recursive`, files of folders in the place of folders."""
    found = []
    ahead = [(prefix, tree)]
    while ahead:
        prefix, folder = ahead.pop()
        for name, mode, sha in parse_tree(store.read(folder, "tree")):
            if recursive and mode == FOLDER:
                ahead.append((prefix + name + b"/", sha))
                continue
            kind = {FOLDER: "tree", SUBMODULE: "commit"}.get(mode, "blob")
            path = (prefix + name).decode(errors="surrogateescape")
            found.append(TreeEntry(path, _written(mode), kind, sha))
    return sorted(found, key=attrgetter("path"))


def tree_changes(store: Store, old: str, new: str) -> list[FileChange]:
    """Return every file that differs between two trees, by path; only trees that differ are read."""
    found = []
    ahead: list[tuple[bytes, str | None, str | None]] = [(b"", old, new)]
    while ahead:
        prefix, *pair = ahead.pop()
        befores, afters = (read_tree(store, tree) if tree else {} for tree in pair)
        for name in befores.keys() | afters.keys():
            before, after = befores.get(name, _NOTHING), afters.get(name, _NOTHING)
            if before == after:
                continue
            if FOLDER in (before[0], after[0]):
                below = [each[1] if each[0] == FOLDER else None for each in (before, after)]
                ahead.append((prefix + name + b"/", below[0], below[1]))
                before, after = (_NOTHING if each[0] == FOLDER else each for each in (before, after))
            if before != after:
                path = (prefix + name).decode(errors="surrogateescape")
                modes = _written(before[0]), _written(after[0])
                found.append(FileChange(path, _status(before[0], after[0]), *modes, before[1], after[1]))
    return sorted(found, key=attrgetter("path"))


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
    changes: dict[bytes, dict[bytes, bytes | None]] = {b"": {}}  # by folder, then by name in it
    for path, content in files.items():
        check_path(path)
        folder, _, name = path.encode(errors="surrogateescape").rpartition(b"/")
        changes.setdefault(folder, {})[name] = content
        while folder:
            folder = folder.rpartition(b"/")[0]
            changes.setdefault(folder, {})
    trees: dict[bytes, Tree] = {}
    for folder in sorted(changes):  # the one that holds another comes first
        above, _, name = folder.rpartition(b"/")
        mode, old = trees[above].get(name, _NOTHING) if folder else (FOLDER, base)
        tree = trees[folder] = read_tree(store, old) if old and mode == FOLDER else {}
        for name, new in sorted(changes[folder].items()):
            if new is None:
                tree.pop(name, None)
            else:
                mode = tree.get(name, _NOTHING)[0]
                kept = mode if mode in (b"100644", b"100755") else b"100644"
                tree[name] = kept, store.write("blob", new)
    written = ""
    for folder in sorted(changes, reverse=True):  # and is written last
        above, _, name = folder.rpartition(b"/")
        tree = trees[folder]
        if tree or not folder:
            # Git sorts a folder as if its name ended in a slash.
            ordered = sorted(tree.items(), key=lambda each: each[0] + b"/" * (each[1][0] == FOLDER))
            body = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(sha) for name, (mode, sha) in ordered)
            written = store.write("tree", body)
        if tree and folder:
            trees[above][name] = FOLDER, written
        elif trees[above].get(name, _NOTHING)[0] == FOLDER:
            del trees[above][name]
    return written


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
