"""What the processes of a jail hold in memory, as far as it can be seen from outside, where no control group counts it.

A process's resident memory is the smaller part: files in memory, bytes that wait in sockets and pipes, tables of pages
and lists of mappings belong to nobody, or to many. Each is taken for what it may hold at the most if the kernel does
not tell what it holds. Sources: proc(5), unix(7), pipe(7), tmpfs(5).
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from evaluator.jail.limits import ProcessLimits
from evaluator.proctree import living

_KIB, _MIB = 1 << 10, 1 << 20
_PIPE = 64 * _KIB  # pipe(7)
_TERMINAL = 160 * _KIB  # two buffers of 64 KiB, and what the line itself holds (tty_buffer.c)
# Objects of the kernel, about; a descriptor may hold a page of what it reads, such as a file of /proc.
_DESCRIPTOR, _MAPPING, _FILE, _THREAD = 8 * _KIB, 256, _KIB, 32 * _KIB
_MULTIPLEXER = (5, 2)  # /dev/ptmx, each time it is opened another terminal
# So many descriptors of a user are on their way in messages at the most, and one message more (unix(7)).
_MOST_IN_FLIGHT = ProcessLimits.open_files + 253
_DATAGRAMS, _WAITING = (
    "0002",
    11,
)  # a socket's type as unix(7) tells it, and how many messages may wait for one
_OVER = "06"  # TIME_WAIT: nothing waits there any more
_IN_MEMORY = re.compile(
    rb"^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ (\d+) +(?:/memfd:|/dev/zero \(deleted\))", re.MULTILINE
)
_OWN = ("RssAnon", "RssFile", "VmSwap", "VmPTE", "HugetlbPages")


@dataclass
class _Found:
    """Bytes, and things by their numbers, as they are found."""

    own: int = 0
    descriptors: int = 0
    files: dict[int, int] = field(default_factory=dict)  # by inode
    unknown: bool = False  # whether there are files of which the kernel tells us only the part that is mapped
    terminals: int = 0
    pipes: set[str] = field(default_factory=set)
    sockets: dict[str, str] = field(default_factory=dict)  # where the kernel tells about it


@dataclass(frozen=True)
class Machine:
    """What this machine has in all: bytes of files in memory, sockets of AF_UNIX, and open files."""

    shared: int
    sockets: int
    files: int


def held_mb(pids: Sequence[int], places: Sequence[Path], given: Set[int], before: Machine) -> float:
    """Return the MiB that the processes `pids` of one jail hold, whose file systems in memory are at `places`.

    Files whose inodes are in `given` are ours. `before` is what `machine` said before the jail was there: what is on
    its way from one process to another is nowhere to be seen, and as long as anything is, all files in memory and
    sockets that this machine has more than that are taken for theirs, and each descriptor on its way for a full one.
    """
    found = _Found()
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended, here and below
            _look_at_descriptors(living(pid), found)
    for pid in pids:
        with contextlib.suppress(OSError):
            _look_at_memory(living(pid), found)
    inside = next((pid for pid in reversed(pids) if _is_inside(pid)), None)
    shared = sum(size for inode, size in found.files.items() if inode not in given)
    waiting = len(found.pipes) * _PIPE + found.terminals * _TERMINAL
    unseen = 0  # sockets of AF_UNIX that are on their way themselves, and what is on its way in those
    if inside is None:
        waiting += len(found.sockets) * _most_in_a_socket()
    else:
        shared += sum(_used(Path(f"/proc/{inside}/root{place}")) for place in places)
        waiting += sum(_in_sockets(inside))
        local = {f"socket:[{words[6]}]" for words in _table(inside, "unix")}
        unseen = len(local - found.sockets.keys())
        waiting += len(found.sockets.keys() - local) * _setting("optmem_max")
    in_flight = sum(_in_flight(each) for each in found.sockets.values())
    if in_flight or found.unknown:
        now = machine()
        shared = max(shared, now.shared - before.shared)
    if in_flight:
        if inside is None:
            unseen = max(0, now.sockets - before.sockets - len(found.sockets))
            waiting += unseen * _most_in_a_socket()
        if unseen:
            more = now.files - before.files - found.descriptors
            in_flight = max(in_flight, min(more, _MOST_IN_FLIGHT))
        waiting += in_flight * max(_TERMINAL, _setting("optmem_max"))
    return (found.own + shared + waiting) / _MIB


def machine() -> Machine:
    """Return what this machine has now."""
    found = re.search(r"^Shmem: *(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    sockets = Path("/proc/net/unix").read_bytes().count(b"\n")
    files = int(Path("/proc/sys/fs/file-nr").read_bytes().split()[0])
    return Machine(int(found[1]) * _KIB if found else 0, sockets, files)


def _look_at_descriptors(folder: str, found: _Found) -> None:
    for entry in os.scandir(f"{folder}/fd"):
        found.own += _DESCRIPTOR
        found.descriptors += 1
        with contextlib.suppress(OSError):
            leads_to = os.readlink(entry.path)  # noqa: PTH115  (there may be thousands)
            if leads_to.startswith("/memfd:"):
                file = os.stat(entry.path)  # noqa: PTH116
                found.files[file.st_ino] = file.st_blocks * 512
            elif leads_to.startswith("pipe:"):
                found.pipes.add(leads_to)
            elif leads_to.startswith("socket:"):
                found.sockets.setdefault(leads_to, f"{folder}/fdinfo/{entry.name}")
            elif stat.S_ISFIFO((named := os.stat(entry.path)).st_mode):  # noqa: PTH116
                found.pipes.add(f"{named.st_dev}:{named.st_ino}")
            elif (os.major(named.st_rdev), os.minor(named.st_rdev)) == _MULTIPLEXER:
                found.terminals += 1


def _look_at_memory(folder: str, found: _Found) -> None:
    for line in Path(folder, "status").read_text(errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name in _OWN:
            found.own += int(value.split()[0]) * _KIB
        elif name == "Threads":
            found.own += int(value) * _THREAD
    maps = Path(folder, "maps").read_bytes()
    found.own += maps.count(b"\n") * _MAPPING
    for start, end, inode in _IN_MEMORY.findall(maps):
        if int(inode) not in found.files:  # nobody has it open, and what is mapped may be a page of it
            found.files[int(inode)] = int(end, 16) - int(start, 16)
            _look_at_file(f"{folder}/map_files/{os.fsdecode(start)}-{os.fsdecode(end)}", found)
    if os.readlink(f"{folder}/exe").startswith("/memfd:"):  # noqa: PTH115
        _look_at_file(f"{folder}/exe", found)


def _look_at_file(path: str, found: _Found) -> None:
    """Look how large a file is that is open nowhere; only the superuser is told of one that is mapped."""
    try:
        file = os.stat(path)  # noqa: PTH116
        found.files[file.st_ino] = file.st_blocks * 512
    except OSError:
        found.unknown = True


def _is_inside(pid: int) -> bool:
    """Whether a process has the root of its jail already."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/root/").stat().st_dev != Path("/").stat().st_dev
    return False


def _used(place: Path) -> int:
    with contextlib.suppress(OSError):
        now = os.statvfs(place)
        return (now.f_blocks - now.f_bfree) * now.f_frsize + (now.f_files - now.f_ffree) * _FILE
    return 0


def _in_sockets(pid: int) -> Iterator[int]:
    """Yield the bytes that wait in the sockets of a jail, which has a network of its own.

    What waits for a socket of datagrams may be of senders that are gone. Of TCP the kernel tells what was sent, and
    not how much room small pieces of it take.
    """
    most = _most_in_a_socket()
    for words in _table(pid, "unix"):
        yield most * (_WAITING if words[4] == _DATAGRAMS else 1)
    for words in (*_table(pid, "tcp"), *_table(pid, "tcp6")):
        if words[3] != _OVER:
            yield max(most, sum(int(each, 16) for each in words[4].split(":")))
    for words in (*_table(pid, "udp"), *_table(pid, "udp6")):
        yield sum(int(each, 16) for each in words[4].split(":"))
    for words in _table(pid, "netlink"):
        yield int(words[4]) + int(words[5])


def _table(pid: int, kind: str) -> Iterator[list[str]]:
    """Yield the sockets of one kind in the network of a process, in words (proc(5))."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]:
            if len(words := line.split()) > 5:
                yield words


def _most_in_a_socket() -> int:
    return _setting("wmem_default")


def _setting(name: str) -> int:
    """Return a setting of sockets in bytes (socket(7)): how much one may send, how much what is set for it may take."""
    with contextlib.suppress(OSError, ValueError):
        return int(Path("/proc/sys/net/core", name).read_text())
    return 0


def _in_flight(socket: str) -> int:
    """Return how many descriptors wait in a socket: on their way, they are open nowhere."""
    with contextlib.suppress(OSError):
        found = re.search(r"^scm_fds:\s*(\d+)", Path(socket).read_text(), re.MULTILINE)
        return int(found[1]) if found else 0
    return 0
