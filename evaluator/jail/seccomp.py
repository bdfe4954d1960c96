"""A filter of system calls for jails: what no training needs, and what has broken out of sandboxes before.

Assembled by hand as classic BPF over `struct seccomp_data` (seccomp(2), linux/filter.h). Everything is
allowed but what stands here; the namespaces do the rest.

Files that jails share are a memory between them, although nobody can write to them: which of their pages are cached.
What asks for that without a clock is refused, and so is what leaves a mark on a file that is only read. Advice to the
kernel about its cache succeeds and changes nothing, as a kernel is free to do: honest programs give it, too.
"""

from __future__ import annotations

import platform
import struct
from collections.abc import Mapping
from dataclasses import dataclass

# linux/audit.h, linux/seccomp.h, asm/errno.h
_X86_64, _AARCH64 = 0xC000003E, 0xC00000B7
KILL, ALLOW, ERROR = 0x80000000, 0x7FFF0000, 0x00050000
EPERM, EAGAIN, EINVAL, ENOSYS, EOPNOTSUPP = 1, 11, 22, 38, 95

# linux/bpf_common.h: load a word, keep some of its bits, compare and jump, return
LOAD, KEEP, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE = 0, 4  # where they stand in struct seccomp_data
_X32 = 0x40000000

# All flags of clone(2) that make a namespace, the user namespace among them.
_NEW_NAMESPACE = 0x7E020000
# A thread with descriptors of its own, which /proc shows beside no process: CLONE_THREAD without CLONE_FILES, and
# CLOSE_RANGE_UNSHARE.
_THREAD, _SAME_DESCRIPTORS, _DESCRIPTORS_OF_ITS_OWN = 0x00010000, 0x00000400, 2
_FILTER_CALLS = 22  # PR_SET_SECCOMP
# What sockets there are: whatever waits in those can be counted from outside. AF_UNIX; AF_INET and AF_INET6 with the
# default, TCP or UDP; AF_NETLINK with NETLINK_ROUTE, which tells what networks there are.
_LOCAL, _INTERNET, _OF_THE_KERNEL = 1, (2, 10), 16
_TCP, _UDP, _DEFAULT = 6, 17, 0
# TIOCSTI, TIOCLINUX; FS_IOC_ADD_ENCRYPTION_KEY, which a whole file system remembers
_REFUSED_REQUESTS = (0x5412, 0x541C, 0xC0506617)
# F_SETLEASE, F_NOTIFY: who else opens or reads a file. F_GET_RW_HINT and the next three: a number that its inode keeps.
# F_SETPIPE_SZ: how much a pipe holds, which nobody can see from outside.
_REFUSED_COMMANDS = (1024, 1026, 1031, 1035, 1036, 1037, 1038)
_WITHOUT_WAITING = 8  # RWF_NOWAIT
_ABOUT_THE_CACHE = (1, 20, 21)  # MADV_RANDOM, MADV_COLD, MADV_PAGEOUT
_SOCKETS_THEMSELVES = 1  # SOL_SOCKET
_SIZES_OF_BUFFERS = (7, 8, 32, 33)  # SO_SNDBUF, SO_RCVBUF, and both by force
# SO_ATTACH_FILTER, SO_ATTACH_BPF, and those of groups: programs that the kernel translates, and counts in part.
_PROGRAMS_OF_SOCKETS = (26, 50, 51, 52)
_COUNTED_ACROSS_JAILS = (57, 71)  # SO_COOKIE, SO_NETNS_COOKIE: how many were given out on this machine

Numbers = Mapping[str, tuple[int | None, int | None]]
"""Calls with their numbers on x86_64 and on aarch64; None if there is no such call."""

# Name: number on x86_64, number on aarch64 (asm/unistd_64.h, asm-generic/unistd.h).
REFUSED = {
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # the kernel's own machines
    "perf_event_open": (298, 241),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "syslog": (103, 116),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    # keys, which no namespace holds
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # mounts and namespaces
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "setns": (308, 268),
    "unshare": (272, 97),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    # memory that belongs to no process, so that nobody could count it
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "memfd_secret": (447, 447),
    "vmsplice": (278, 75),
    "splice": (275, 76),
    "tee": (276, 77),
    # what is cached of a file, and who else uses it
    "mincore": (27, 232),
    "cachestat": (451, 451),
    "io_setup": (206, 0),  # its requests may ask not to wait, as preadv2 does
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
}
CHECKED = {
    "clone": (56, 220),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "ioctl": (16, 29),
    "fcntl": (72, 25),
    "preadv2": (327, 286),
    "madvise": (28, 233),
    "setsockopt": (54, 208),
    "getsockopt": (55, 209),
    "close_range": (436, 436),
    "prctl": (157, 167),
    "fadvise64": (221, 223),
    "readahead": (187, 213),
}
BINDING = {"sched_setaffinity": (203, 122)}  # not heeded if a jail is bound to some of the cores
# Refused to who stays alone.
STARTING: Numbers = {"clone": (56, 220), "fork": (57, None), "vfork": (58, None)}
# As on older kernels: who asks does without.
ABSENT = {
    "clone3": (435, 435),  # its flags lie behind a pointer; libc falls back to clone
    "sendfile": (40, 71),  # a byte in a socket's queue keeps its whole page
    # filters and rules of its own: memory of the kernel's that nobody could count
    "seccomp": (317, 277),
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
}
# Attributes of files, as file systems without them say: those of files without a name are counted nowhere.
UNSUPPORTED = {
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "setxattrat": (463, 463),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
}


@dataclass(frozen=True)
class Jump:
    """Compare what was loaded with `value`; go on at label `then` if it holds, else at the next line."""

    test: int
    value: int
    then: str


Line = Jump | tuple[int, int] | str  # a str is a label


def program(machine: str | None = None, *, bound: bool = False, alone: bool = False) -> bytes:
    """Return the filter as an array of struct sock_filter; empty for machines it does not know.

    With `bound` a process stays on the cores that it was given; `alone` it starts neither processes nor threads.
    """
    column = column_of(machine)
    return b"" if column is None else assemble(_lines(column, bound, alone))


def column_of(machine: str | None = None) -> int | None:
    """Return which of a call's numbers is this machine's, or that of `machine`; None if its numbers are not known."""
    return {"x86_64": 0, "aarch64": 1}.get(machine or platform.machine())


def beginning(column: int) -> list[Line]:
    """Return the lines that end a call of another architecture, and load the number of every other."""
    return [
        (LOAD, ARCHITECTURE),
        Jump(EQUAL, (_X86_64, _AARCH64)[column], "native"),
        (RETURN, KILL),
        "native",
        (LOAD, NUMBER),
    ]


def jumps(column: int, calls: Numbers, then: str | None = None) -> list[Line]:
    """Return lines that go from each call's number to the label `then`, by default that of its name."""
    return [
        Jump(EQUAL, number, then or name)
        for name, numbers in calls.items()
        if (number := numbers[column]) is not None
    ]


def _lines(column: int, bound: bool, alone: bool) -> list[Line]:
    architecture = (_X86_64, _AARCH64)[column]
    return [
        *beginning(column),
        *([Jump(AT_LEAST, _X32, "kill")] if architecture == _X86_64 else []),
        *(jumps(column, STARTING, "refuse") if alone else ()),
        *jumps(column, CHECKED),
        *(jumps(column, BINDING, "unheeded") if bound else ()),
        *jumps(column, REFUSED, "refuse"),
        *jumps(column, ABSENT, "absent"),
        *jumps(column, UNSUPPORTED, "unsupported"),
        (RETURN, ALLOW),
        "clone",
        (LOAD, argument(0)),
        Jump(ANY_BIT, _NEW_NAMESPACE, "refuse"),
        Jump(ANY_BIT, _THREAD, "thread"),
        (RETURN, ALLOW),
        "thread",
        Jump(ANY_BIT, _SAME_DESCRIPTORS, "allow"),
        (RETURN, ERROR | EPERM),
        "close_range",
        (LOAD, argument(2)),
        Jump(ANY_BIT, _DESCRIPTORS_OF_ITS_OWN, "invalid"),
        (RETURN, ALLOW),
        "prctl",
        (LOAD, argument(0)),
        Jump(EQUAL, _FILTER_CALLS, "invalid"),
        (RETURN, ALLOW),
        "socket",
        "socketpair",
        (LOAD, argument(0)),
        Jump(EQUAL, _LOCAL, "allow"),
        *(Jump(EQUAL, family, "protocol") for family in _INTERNET),
        Jump(EQUAL, _OF_THE_KERNEL, "route"),
        (RETURN, ERROR | EPERM),
        "protocol",
        (LOAD, argument(2)),
        Jump(EQUAL, _TCP, "allow"),
        Jump(EQUAL, _UDP, "allow"),
        "route",
        (LOAD, argument(2)),
        Jump(EQUAL, _DEFAULT, "allow"),
        (RETURN, ERROR | EPERM),
        "ioctl",
        (LOAD, argument(1)),
        *(Jump(EQUAL, request, "refuse") for request in _REFUSED_REQUESTS),
        (RETURN, ALLOW),
        "fcntl",
        (LOAD, argument(1)),
        *(Jump(EQUAL, command, "refuse") for command in _REFUSED_COMMANDS),
        (RETURN, ALLOW),
        "preadv2",
        (LOAD, argument(5)),
        Jump(EQUAL, 0, "allow"),
        Jump(ANY_BIT, _WITHOUT_WAITING, "later"),
        "unsupported",
        (RETURN, ERROR | EOPNOTSUPP),
        "later",
        (RETURN, ERROR | EAGAIN),
        "madvise",
        (LOAD, argument(2)),
        *(Jump(EQUAL, advice, "unheeded") for advice in _ABOUT_THE_CACHE),
        (RETURN, ALLOW),
        "setsockopt",
        (LOAD, argument(1)),
        Jump(EQUAL, _SOCKETS_THEMSELVES, "size"),
        "allow",
        (RETURN, ALLOW),
        "size",
        (LOAD, argument(2)),
        *(Jump(EQUAL, option, "unheeded") for option in _SIZES_OF_BUFFERS),
        *(Jump(EQUAL, option, "refuse") for option in _PROGRAMS_OF_SOCKETS),
        (RETURN, ALLOW),
        "getsockopt",
        (LOAD, argument(1)),
        Jump(EQUAL, _SOCKETS_THEMSELVES, "number"),
        (RETURN, ALLOW),
        "number",
        (LOAD, argument(2)),
        *(Jump(EQUAL, option, "refuse") for option in _COUNTED_ACROSS_JAILS),
        (RETURN, ALLOW),
        "fadvise64",
        "readahead",
        "unheeded",
        (RETURN, ERROR),  # done, says error 0
        "refuse",
        (RETURN, ERROR | EPERM),
        "absent",
        (RETURN, ERROR | ENOSYS),
        "invalid",
        (RETURN, ERROR | EINVAL),
        "kill",
        (RETURN, KILL),
    ]


def argument(index: int) -> int:
    """Return where the low half of an argument stands (both machines are little-endian); all tests are on 32 bits."""
    return 16 + 8 * index


def assemble(lines: list[Line]) -> bytes:
    """Return the instructions as an array of struct sock_filter."""
    instructions = [line for line in lines if not isinstance(line, str)]
    labels: dict[str, int] = {}
    for place, line in enumerate(lines):
        if isinstance(line, str):
            labels[line] = sum(not isinstance(each, str) for each in lines[:place])
    code = b""
    for place, line in enumerate(instructions):
        if isinstance(line, Jump):
            code += struct.pack("=HBBI", line.test, labels[line.then] - place - 1, 0, line.value)
        else:
            code += struct.pack("=HBBI", line[0], 0, 0, line[1])
    return code
