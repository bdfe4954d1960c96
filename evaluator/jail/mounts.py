"""The file system of a jail as a plain list of mounts.

It starts from an empty root, is carried out in order, and says where everything comes from outside with all symbolic
links resolved, so that a link can't lead a mount elsewhere.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from evaluator.jail.file_system import FileSystem

# What every program needs. Neither /usr/share nor /usr/local as a whole: nothing there is needed to run.
_SYSTEM = (
    *(f"/usr/{name}" for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "libexec", "include")),
    *(f"/usr/local/{name}" for name in ("bin", "sbin", "lib", "lib32", "lib64", "libexec", "include")),
    *(f"/{name}" for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32")),
    "/usr/share/zoneinfo",
)
_SYSTEM_GLOBS = ("cuda*", "nvidia*")  # below /usr/local: toolkits that ld.so.cache or nvcc point to
_ETC = (
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives"),
    *("/etc/localtime", "/etc/nsswitch.conf", "/etc/ssl/certs", "/etc/ssl/openssl.cnf"),
    *("/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted"),
)
# Nodes that are missing outside can't be made inside: `nvidia-modprobe -u` makes /dev/nvidia-uvm after a boot.
_DEVICES = ("nvidia*", "dri", "kfd", "dxg")
_SYSFS = ("/sys/devices/system/cpu", "/sys/devices/system/node")  # torch counts cores there
_SYSFS_OF_DEVICES = ("/sys/bus", "/sys/class", "/sys/dev", "/sys/devices", "/sys/module")

# Files of /proc that tell about the machine: root, who may read them even without capabilities, about everything, and
# everybody what others have locked, and by their counters what was in the kernel's caches and what was not.
TELLING = (
    "kcore",
    "keys",
    "key-users",
    "kpagecgroup",
    "kpagecount",
    "kpageflags",
    "sched_debug",
    "timer_list",
    *("locks", "vmstat", "diskstats", "zoneinfo", "buddyinfo", "pagetypeinfo", "slabinfo", "vmallocinfo"),
    *("interrupts", "softirqs", "schedstat", "softnet_stat", "cgroups"),
    *("pressure/cpu", "pressure/io", "pressure/irq", "pressure/memory"),
    *("sys/fs/dentry-state", "sys/fs/file-nr", "sys/fs/inode-nr", "sys/fs/inode-state"),
)
# Folders there that count for each file system and each device, what was asked of it and what its cache had.
_TELLING_FOLDERS = ("/proc/fs", "/proc/irq", "/proc/sys/fs/quota")
# Counters of the whole machine that honest programs read: they stand still, at what they were when the jail began.
# Each would carry some bits from one jail to the next, such as how many processes were started meanwhile.
_STILL = (
    *("/proc/stat", "/proc/meminfo", "/proc/loadavg", "/proc/uptime", "/proc/swaps"),
    "/sys/devices/system/node/node*/meminfo",
)
_TELLING_OF_NODES = ("/sys/devices/system/node/node*/vmstat", "/sys/devices/system/node/node*/numastat")
_TELLING_OF_DISKS = ("/sys/class/block/*/stat", "/sys/class/block/*/inflight")  # seen where devices are

_EMPTY = Path(__file__).with_name("empty")
_PAGE = 4096


@dataclass(frozen=True)
class Mount:
    """One step. `source` is a path outside (for link: what the link says; for file and told: its text).

    kind    what appears at `target`
    bind    the file or folder `source` and all that is mounted below it, read-only, no devices, no setuid
    bind_rw the same, writable
    device  the device node, or folder of nodes, `source`
    tmpfs   an empty folder with `mode` that holds `size` bytes
    folder  a folder that others are to be mounted in, unless it is there already
    link    a symbolic link
    file    a small read-only file
    told    a small read-only file over one that is there
    proc    the processes of this jail
    dev     null, zero, full, random, urandom, tty, fd, stdin, stdout, stderr, core, pts, ptmx, shm
    fill    nothing new: `target` is filled with a copy of the folder `source`, but for what is there already
    seal    what is there already, read-only from now on (not what is mounted below it)
    """

    kind: str
    target: str
    source: str = ""
    size: int = 0
    mode: int = 0o755


def mounts(file_system: FileSystem) -> tuple[Mount, ...]:
    """Return all steps that make `file_system`, from an empty root to a sealed one."""
    hidden = _outermost(os.path.realpath(each) for each in file_system.hidden if _exists(each))
    shown = [
        *(each for each in _system() if each.kind == "bind"),
        *_binds(_ETC, "bind"),
        *_binds(_SYSFS_OF_DEVICES if file_system.devices else _SYSFS, "bind"),
        *_binds((str(each) for each in file_system.read_only if not in_system(each)), "bind"),
        *_placed(file_system),
        *_binds(map(str, file_system.writable), "bind_rw"),
    ]
    shown = [
        each for each in _led_by_links(shown) if not any(_within(each.source, outer) for outer in hidden)
    ]
    around, tree, shown = _with_tree(file_system, shown, hidden)
    instead = {os.path.realpath(old): str(new) for old, new in file_system.replaced if _exists(old)}
    every = [*around, *shown]
    covers = tuple(dict.fromkeys([*_covers(every, hidden), *_covers(every, sorted(instead), instead)]))
    folders = [each for each in _TELLING_FOLDERS if Path(each).is_dir()]
    steps = (
        *(each for each in _system() if each.kind == "link"),
        *_accounts(file_system.scratch),
        Mount("proc", "/proc"),
        *(_cover(f"/proc/{name}", _EMPTY) for name in TELLING if Path("/proc", name).exists()),
        *_standing_still("/proc/"),
        *(Mount("tmpfs", each, size=_PAGE, mode=0o555) for each in folders),
        Mount("dev", "/dev"),
        *(_devices() if file_system.devices else ()),
        Mount("tmpfs", "/dev/shm", size=file_system.scratch_bytes, mode=0o1777),
        Mount("tmpfs", "/tmp", size=file_system.scratch_bytes, mode=0o1777),
        *around,
        *tree,
        *shown,
        *covers,
        *(_cover(str(path), _EMPTY) for path in _matching(_TELLING_OF_NODES)),
        *_standing_still("/sys/"),
        *(_cover(os.path.realpath(path), _EMPTY) for path in _matching(_of_disks(file_system))),
        Mount("tmpfs", str(file_system.scratch), size=file_system.scratch_bytes),
        *(Mount("link", f"{file_system.scratch}/{place}", str(to)) for place, to in file_system.links),
        *(Mount("seal", each.target) for each in covers if each.kind == "tmpfs"),
        *(Mount("seal", each) for each in folders),
        Mount("seal", "/dev"),
        Mount("seal", "/proc"),
        Mount("seal", "/"),
    )
    return tuple(_with_folders(steps))


def covers(file_system: FileSystem) -> tuple[tuple[str, str], ...]:
    """Return what covers the hidden and replaced paths of `file_system`, where it is done before all else: each path
    itself, and the file that appears there ("" for an empty folder). Files come first: what appears in their place may
    lie in a folder that is hidden."""
    hidden = _outermost(os.path.realpath(each) for each in file_system.hidden if _exists(each))
    empty = os.path.realpath(_EMPTY)
    replaced = {os.path.realpath(old): str(new) for old, new in file_system.replaced if _exists(old)}
    folders = [path for path in hidden if Path(path).is_dir()]
    return (
        *((path, empty) for path in hidden if path not in folders),
        *((old, new) for old, new in replaced.items() if not any(_within(old, outer) for outer in hidden)),
        *((path, "") for path in folders),
    )


def uncovered(file_system: FileSystem) -> FileSystem:
    """Return `file_system` with nothing hidden or replaced."""
    return replace(file_system, hidden=(), replaced=())


def counters() -> tuple[str, ...]:
    """Return the files with counters of the whole machine that are there, besides those of `TELLING`."""
    return tuple(map(str, (*_matching(_STILL), *_matching(_TELLING_OF_NODES))))


def in_system(path: Path) -> bool:
    """Whether `path` is seen in every jail, as part of the system."""
    return any(_within(_plain(path), each.target) for each in _system())


@functools.cache
def _system() -> tuple[Mount, ...]:
    local = (str(path) for glob in _SYSTEM_GLOBS for path in sorted(Path("/usr/local").glob(glob)))
    steps = []
    for name in (*_SYSTEM, *local):
        path = Path(name)
        if path.is_symlink():
            steps.append(Mount("link", name, str(path.readlink())))
        elif path.is_dir():
            steps.append(Mount("bind", name, name))
    return tuple(steps)


def _binds(paths: Iterable[str], kind: str) -> Iterator[Mount]:
    for path in paths:
        if _exists(path):
            yield Mount(kind, _plain(path), os.path.realpath(path))


def _placed(file_system: FileSystem) -> Iterator[Mount]:
    for source, target in file_system.placed:
        if _exists(source):
            yield Mount("bind", _plain(target), os.path.realpath(source))


def _with_tree(
    file_system: FileSystem, shown: list[Mount], hidden: list[str]
) -> tuple[list[Mount], list[Mount], list[Mount]]:
    """Return what holds the working folder, the steps that make it, and everything else.

    Nothing is mounted where the tree has a file or link of its own, or has one for a folder above: what somebody
    committed there can't lead a mount elsewhere.
    """
    if file_system.tree is None:
        return [], [], shown
    place = _plain(file_system.tree.place)
    sources = [os.path.realpath(each) for each in file_system.tree.sources]
    if any(_within(each, source) or _within(source, each) for each in hidden for source in sources):
        raise ValueError(f"{place}: what is copied into a jail can't be hidden there")
    around = [each for each in shown if _within(place, each.target) and each.target != place]
    inside = [
        each
        for each in shown
        if each not in around
        and each.target != place
        and not (_within(each.target, place) and is_taken(each.target[len(place) + 1 :], sources))
    ]
    made = [
        Mount("tmpfs", place, size=file_system.scratch_bytes + file_system.tree.size),
        *(Mount("fill", place, source) for source in sources),
    ]
    return around, made, inside


def is_taken(name: str, folders: Iterable[str | Path]) -> bool:
    """Whether one of the folders has something at `name` that is no folder, or a folder above it that is none."""
    parts = name.split("/")
    return any(
        os.path.lexists(path) and (os.path.islink(path) or not os.path.isdir(path))  # noqa: PTH112, PTH114
        for folder in folders
        for path in ("/".join([str(folder), *parts[: count + 1]]) for count in range(len(parts)))
    )


def _standing_still(below: str) -> Iterator[Mount]:
    for path in _matching(each for each in _STILL if each.startswith(below)):
        with contextlib.suppress(OSError):
            yield Mount("told", str(path), path.read_text())


def _of_disks(file_system: FileSystem) -> tuple[str, ...]:
    return _TELLING_OF_DISKS if file_system.devices else ()


def _matching(patterns: Iterable[str]) -> Iterator[Path]:
    for pattern in patterns:
        yield from sorted(Path("/").glob(pattern.lstrip("/")))


def _devices() -> Iterator[Mount]:
    for glob in _DEVICES:
        yield from _binds(map(str, sorted(Path("/dev").glob(glob))), "device")


def _accounts(home: Path) -> Iterator[Mount]:
    """One user, one group, one host: what programs look up, and nobody else's names."""
    user, group = os.getuid(), os.getgid()
    yield Mount("file", "/etc/passwd", f"jail:x:{user}:{group}:jail:{home}:/bin/sh\n")
    yield Mount("file", "/etc/group", f"jail:x:{group}:\n")
    yield Mount("file", "/etc/hosts", "127.0.0.1 localhost jail\n::1 localhost\n")


def _covers(
    shown: list[Mount], paths: list[str], instead: Mapping[str, str] | None = None
) -> Iterator[Mount]:
    """Yield what covers each path, at every place where a mount shows it: what is there `instead`, or nothing."""
    for path in paths:
        for mount in shown:
            if _within(path, mount.source):
                target = mount.target + path[len(mount.source) :]
                yield Mount("bind", target, instead[path]) if instead else _cover(target, Path(path))


def _led_by_links(binds: Iterable[Mount]) -> Iterator[Mount]:
    """Where a link inside a folder bound before stands at a target, mount at what it leads to instead."""
    before: list[Mount] = []
    for bind in binds:
        for holder in before:
            if _within(bind.target, holder.target):
                seen = holder.source + bind.target[len(holder.target) :]
                if os.path.realpath(seen) != seen:
                    bind = replace(bind, target=bind.source)
        before.append(bind)
        yield bind


def _with_folders(steps: Iterable[Mount]) -> Iterator[Mount]:
    """Put before each step the folders above it, where neither a folder nor a mount before it brought them."""
    looked_at = {"/"}
    brought: list[str] = []
    for step in steps:
        for parent in reversed(Path(step.target).parents):
            folder = str(parent)
            if folder not in looked_at:
                looked_at.add(folder)
                if not any(_within(folder, each) for each in brought):
                    yield Mount("folder", folder)
        if step.kind in ("bind", "bind_rw", "proc"):
            brought.append(step.target)
        yield step


def _cover(target: str, path: Path) -> Mount:
    if path.is_dir():
        return Mount("tmpfs", target, size=_PAGE, mode=0o555)
    return Mount("bind", target, os.path.realpath(_EMPTY))


def _outermost(paths: Iterable[str]) -> list[str]:
    kept: dict[str, None] = {}
    for path in sorted(set(paths)):  # a folder sorts before what it holds
        if not any(str(outer) in kept for outer in Path(path).parents):
            kept[path] = None
    return list(kept)


def _exists(path: str | Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110  (Path.exists raises if a folder above is closed to us)


def _plain(path: str | Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100  (Path.resolve would follow links)


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
