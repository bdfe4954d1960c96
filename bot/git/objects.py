"""Blobs, trees and commits by plumbing: only what a change touches is read or written."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from bot.git.command import Damaged, raise_for_disk

# Runs git in one repository: (arguments, standard input) -> standard output.
Runner = Callable[[Sequence[str], bytes | None], bytes]
_FOLDER = b"40000"


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


def read_objects(run: Runner, names: Sequence[str], kind: str = "") -> list[bytes | None]:
    """Return the contents of the objects `names`, in order, in one process; None where there is none.

    A name is anything git resolves (`<commit>:<path>`), without a line break; an object of
    another `kind`, where one is given, is none. Raises `Damaged` where one is there and cannot be read.
    """
    if not names:
        return []
    said = run(["cat-file", "--batch"], "".join(f"{name}\n" for name in names).encode())
    contents: list[bytes | None] = []
    at = 0
    for name in names:
        end = said.index(b"\n", at)
        header = said[at:end]
        if header.endswith((b" missing", b" ambiguous")):
            contents.append(None)
            at = end + 1
            continue
        size = int(header.rsplit(b" ", 1)[1])
        if len(said) < end + 1 + size:
            raise Damaged(f"object {name} is cut off")
        wanted = not kind or header.split(b" ")[-2] == kind.encode()
        contents.append(said[end + 1 : end + 1 + size] if wanted else None)
        at = end + 1 + size + 1
    return contents


def parse_tree(content: bytes, name_bytes: int) -> dict[bytes, tuple[bytes, str]]:
    """Return a raw tree object as {name: (mode, sha)}; `name_bytes` is 20 for SHA-1, 32 for SHA-256."""
    entries: dict[bytes, tuple[bytes, str]] = {}
    at = 0
    while at < len(content):
        space = content.index(b" ", at)
        end = content.index(b"\0", space)
        sha = content[end + 1 : end + 1 + name_bytes]
        entries[content[space + 1 : end]] = (content[at:space], sha.hex())
        at = end + 1 + name_bytes
    return entries


def write_blobs(run: Runner, contents: Sequence[bytes]) -> list[str]:
    """Write `contents` as blobs, byte for byte, and return their names."""
    if len(contents) == 1:
        return run(["hash-object", "-w", "--no-filters", "--stdin"], contents[0]).decode().split()
    if not contents:
        return []
    try:
        with tempfile.TemporaryDirectory(prefix="nocturne-") as scratch:
            paths = [Path(scratch) / str(number) for number in range(len(contents))]
            for path, content in zip(paths, contents, strict=True):
                path.write_bytes(content)
            named = "".join(f"{path}\n" for path in paths).encode()
            return run(["hash-object", "-w", "--no-filters", "--stdin-paths"], named).decode().split()
    except OSError as error:
        raise_for_disk(error)
        raise


def write_tree(run: Runner, base: str | None, files: Mapping[str, bytes | None]) -> str:
    """Return the tree of commit `base` with `files` written (None deletes), touching no other folder.

    A file keeps the mode it had where that is a regular one; links and submodules become plain files.
    """
    change = _as_folders(files)
    paths = _folder_paths(change)
    raw: dict[bytes, bytes | None] = {}
    if base is not None:
        names = [f"{base}^{{tree}}", *(f"{base}:{path.decode()}" for path in paths[1:])]
        raw = dict(zip(paths, read_objects(run, names, "tree"), strict=True))
        if raw[b""] is None:
            raise Damaged(f"commit {base} or its tree is missing")
    wanted = [content for _, content in _walk_files(change) if content is not None]
    blobs = iter(write_blobs(run, wanted))
    name_bytes = len(base) // 2 if base else len(run(["hash-object", "--stdin"], b"").strip()) // 2
    trees: list[bytes] = []
    top = _build(change, b"", raw, blobs, name_bytes, trees)
    if top is None:  # everything is gone: the empty tree
        trees.append(b"")
        top = _tree_name({}, name_bytes)
    # One blank line between the trees; --missing, because a partial clone need not hold every blob.
    written = run(["mktree", "--batch", "--missing", "-z"], b"\0".join(trees) + b"\0").decode().split()
    if written[-1] != top:
        raise Damaged(f"git wrote tree {written[-1]} where {top} was meant")
    return top


def write_commit(
    run: Runner, tree: str, parents: Sequence[str], message: str, when: datetime, author: str
) -> str:
    """Write a commit object: the same arguments give the same name on every machine."""
    moment = int((when if when.tzinfo else when.replace(tzinfo=timezone.utc)).timestamp())
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    lines += [f"author {author} {moment} +0000", f"committer {author} {moment} +0000", ""]
    text = "\n".join(lines) + "\n" + message.rstrip().replace("\0", "") + "\n"
    content = text.encode(errors="backslashreplace")
    return run(["hash-object", "-t", "commit", "-w", "--stdin"], content).decode().strip()


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


def _folder_paths(change: _Folder, prefix: bytes = b"") -> list[bytes]:
    paths = [prefix]
    for name, folder in change.folders.items():
        paths += _folder_paths(folder, prefix + b"/" + name if prefix else name)
    return paths


def _walk_files(change: _Folder) -> list[tuple[bytes, bytes | None]]:
    """Return the files in the order in which `_build` asks for their blobs."""
    found = list(change.files.items())
    for folder in change.folders.values():
        found += _walk_files(folder)
    return found


def _build(
    change: _Folder,
    path: bytes,
    raw: Mapping[bytes, bytes | None],
    blobs: Iterator[str],
    name_bytes: int,
    trees: list[bytes],
) -> str | None:
    """Append the listing of this folder (children first) to `trees`; return its name, None when empty."""
    content = raw.get(path)
    entries = parse_tree(content, name_bytes) if content else {}
    for name, new in change.files.items():
        if new is None:
            entries.pop(name, None)
            continue
        mode = entries.get(name, (b"", ""))[0]
        entries[name] = (mode if mode in (b"100644", b"100755") else b"100644", next(blobs))
    for name, folder in change.folders.items():
        below = path + b"/" + name if path else name
        old = entries.get(name, (b"", ""))[0]
        known = raw if old == _FOLDER else {}
        if old == _FOLDER and raw.get(below) is None:
            raise Damaged(f"tree {entries[name][1]} of {below.decode(errors='replace')} is missing")
        sha = _build(folder, below, known, blobs, name_bytes, trees)
        if sha is not None:
            entries[name] = (_FOLDER, sha)
        elif old == _FOLDER:
            del entries[name]
    if not entries:
        return None
    lines = [
        mode.rjust(6, b"0") + b" " + _kind(mode) + b" " + sha.encode() + b"\t" + name + b"\0"
        for name, (mode, sha) in entries.items()
    ]
    trees.append(b"".join(lines))
    return _tree_name(entries, name_bytes)


def _kind(mode: bytes) -> bytes:
    return {_FOLDER: b"tree", b"160000": b"commit"}.get(mode, b"blob")


def _tree_name(entries: Mapping[bytes, tuple[bytes, str]], name_bytes: int) -> str:
    """Return the name git gives to a tree: it sorts a folder as if its name ended in a slash."""
    ordered = sorted(entries.items(), key=lambda e: e[0] + b"/" if e[1][0] == _FOLDER else e[0])
    body = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(sha) for name, (mode, sha) in ordered)
    hasher = hashlib.sha1 if name_bytes == 20 else hashlib.sha256
    return hasher(b"tree %d\0" % len(body) + body).hexdigest()
