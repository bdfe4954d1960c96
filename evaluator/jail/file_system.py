"""What a jailed process sees. Paths are the same inside and outside, so that no jail needs to translate them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TreeCopy:
    """A writable working folder: `place` begins as a copy of the folders `sources`, and is gone with the jail.

    `size` is what they take, in bytes of whole pages: room for that is given besides `FileSystem.scratch_bytes`.
    """

    place: Path
    sources: tuple[Path, ...]
    size: int


@dataclass(frozen=True)
class FileSystem:
    """The file system of a jail: a read-only system, and nothing else but what is named here.

    `read_only` and `writable` are files and folders bound at their own paths (missing ones are left out, and
    a later one may lie inside an earlier one); `hidden` are files and folders that appear empty, whatever
    holds them, and `replaced` are files (the first of each pair) that appear as others. `scratch` is a
    writable folder of at most `scratch_bytes`, the only place to write besides `writable`, and gone with
    the jail; so are /tmp and /dev/shm, of the same size each. `devices` binds the nodes of GPUs, where there
    are any.

    `tree` is the working folder, of the same size besides what it begins with. `placed` are files and folders
    (the first of each pair) that appear read-only at another path, most often inside `tree`; if `tree` itself
    has something at that path, they are left out. `links` are symbolic links: a place relative to `scratch`, and
    where it leads.
    """

    read_only: tuple[Path, ...]
    scratch: Path
    scratch_bytes: int
    writable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    replaced: tuple[tuple[Path, Path], ...] = ()
    devices: bool = False
    tree: TreeCopy | None = None
    placed: tuple[tuple[Path, Path], ...] = ()
    links: tuple[tuple[str, Path], ...] = ()
