"""A second filter of system calls, for a jail that shares the machine's namespaces (`landlock`): what they would keep
from others has to be refused here.

Landlock rules over what is opened, made, moved and removed, over who is traced and, from its sixth version on, over
signals. It does not rule over sockets in the file system, memory and queues of System V, other processes' limits and
processors, nor over modes, owners and times of files that one may not even read (landlock(7)).

A change of mode, owner or time succeeds and changes nothing: what copies files asks for it by the way. Stacked on the
first filter (`seccomp`); of both answers the kernel takes the stricter.
"""

from __future__ import annotations

from evaluator.jail.seccomp import (
    ALLOW,
    ENOSYS,
    EOPNOTSUPP,
    EPERM,
    EQUAL,
    ERROR,
    KEEP,
    LOAD,
    RETURN,
    Jump,
    Line,
    Numbers,
    argument,
    assemble,
    beginning,
    column_of,
    jumps,
)

# Stand for the number of the jail's first process, which is known only when it is there, and for its group's.
OWN, OWN_GROUP = 0x7FFFFFF1, 0x8000000F

_ECONNREFUSED = 111
_UNIX = 1
_STREAM, _PACKETS = 1, 5  # SOCK_SEQPACKET; of neither a message names another receiver
_KIND = 0xF  # the rest of a socket's type are flags
_OF_A_USER = 2  # PRIO_USER; IOPRIO_WHO_USER is 3
_ACCESS, _READ_ONLY, _TRUNCATE = 3, 0, 0x200
# Magic numbers of the requests of file systems ('f', 'X', 'v', that of btrfs): flags, attributes, subvolumes.
_MAGIC, _OF_FILE_SYSTEMS = 0xFF00, (0x6600, 0x5800, 0x7600, 0x9400)
# F_SETOWN, F_SETSIG, F_SETOWN_EX; FIOSETOWN, SIOCSPGRP: a signal to somebody whenever a file is ready.
_WHO_IS_TOLD, _REQUESTS_WHO_IS_TOLD = (8, 10, 15), (0x8901, 0x8902)

REFUSED: Numbers = {
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    # those of others can be guessed
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_unlink": (241, 181),
    "inotify_init": (253, None),
    "migrate_pages": (256, 238),
    "process_mrelease": (448, 448),
}
UNHEEDED: Numbers = {
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
}
NOBODY_LISTENS: Numbers = {"connect": (42, 203)}  # what programs expect where a service is missing
CHECKED: Numbers = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "ioctl": (16, 29),
    "prlimit64": (302, 261),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274),
    "sched_setaffinity": (203, 122),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
}
_ONLY_ITSELF = ("prlimit64", "sched_setparam", "sched_setscheduler", "sched_setattr")
# Before Landlock's third version nothing holds who empties a file that he may only read.
TRUNCATING: Numbers = {"truncate": (76, 45)}
OPENING: Numbers = {"open": (2, None), "openat": (257, 56)}
OPENING_BY_POINTER: Numbers = {"openat2": (437, 437)}
# Before its sixth version nothing holds signals.
SIGNALS: Numbers = {
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
}
SIGNALS_BY_DESCRIPTOR: Numbers = {"pidfd_send_signal": (424, 424)}
TELLING: Numbers = {"fcntl": (72, 25)}
TRUNCATES_FROM, SIGNALS_FROM = 3, 6  # versions of Landlock that hold them


def program(abi: int, machine: str | None = None) -> bytes:
    """Return the filter as an array of struct sock_filter, for Landlock in its version `abi`; empty for machines whose
    calls are not known. `OWN` and `OWN_GROUP` are to be replaced in it."""
    column = column_of(machine)
    return b"" if column is None else assemble(_lines(column, abi))


def _lines(column: int, abi: int) -> list[Line]:
    old_files, old_signals = abi < TRUNCATES_FROM, abi < SIGNALS_FROM
    refused = {
        **REFUSED,
        **(TRUNCATING if old_files else {}),
        **(SIGNALS_BY_DESCRIPTOR if old_signals else {}),
    }
    to = [
        *jumps(column, CHECKED),
        *(jumps(column, OPENING) if old_files else ()),
        *(jumps(column, OPENING_BY_POINTER, "absent") if old_files else ()),
        *(jumps(column, SIGNALS, "signal") if old_signals else ()),
        *(jumps(column, TELLING) if old_signals else ()),
        *jumps(column, refused, "refuse"),
        *jumps(column, UNHEEDED, "unheeded"),
        *jumps(column, NOBODY_LISTENS, "nobody listens"),
        (RETURN, ALLOW),
    ]
    return [
        *beginning(column),
        *to,
        *_sockets(),
        *_requests(old_signals),
        *_of_others(),
        *(_openings(column) if old_files else ()),
        *(_signals() if old_signals else ()),
        "allow",
        (RETURN, ALLOW),
        "unheeded",
        (RETURN, ERROR),
        "unsupported",
        (RETURN, ERROR | EOPNOTSUPP),
        "nobody listens",
        (RETURN, ERROR | _ECONNREFUSED),
        "refuse",
        (RETURN, ERROR | EPERM),
        "absent",
        (RETURN, ERROR | ENOSYS),
    ]


def _sockets() -> list[Line]:
    return [
        "socket",
        "socketpair",
        (LOAD, argument(0)),
        Jump(EQUAL, _UNIX, "local"),
        (RETURN, ERROR | EPERM),
        "local",
        (LOAD, argument(1)),
        (KEEP, _KIND),
        Jump(EQUAL, _STREAM, "allow"),
        Jump(EQUAL, _PACKETS, "allow"),
        (RETURN, ERROR | EPERM),
    ]


def _requests(old_signals: bool) -> list[Line]:
    return [
        "ioctl",
        (LOAD, argument(1)),
        *(Jump(EQUAL, request, "refuse") for request in _REQUESTS_WHO_IS_TOLD if old_signals),
        (KEEP, _MAGIC),
        *(Jump(EQUAL, magic, "unsupported") for magic in _OF_FILE_SYSTEMS),
        (RETURN, ALLOW),
    ]


def _of_others() -> list[Line]:
    """Who may change limits, processors and priorities: each its own."""
    return [
        *_ONLY_ITSELF,
        (LOAD, argument(0)),
        Jump(EQUAL, 0, "allow"),
        Jump(EQUAL, OWN, "allow"),
        (RETURN, ERROR | EPERM),
        "sched_setaffinity",  # libraries name their threads by numbers, which may stay where they are
        (LOAD, argument(0)),
        Jump(EQUAL, 0, "allow"),
        (RETURN, ERROR),
        "setpriority",
        "ioprio_set",
        (LOAD, argument(0)),
        Jump(EQUAL, _OF_A_USER, "of a user"),
        Jump(EQUAL, _OF_A_USER + 1, "of a user"),
        (LOAD, argument(1)),
        Jump(EQUAL, 0, "allow"),
        Jump(EQUAL, OWN, "allow"),
        "of a user",
        (RETURN, ERROR | EPERM),
    ]


def _openings(column: int) -> list[Line]:
    """Who opens a file only to read it, and empties it all the same."""
    named = [
        "open",
        (LOAD, argument(1)),
        (KEEP, _TRUNCATE | _ACCESS),
        Jump(EQUAL, _TRUNCATE | _READ_ONLY, "refuse"),
        Jump(EQUAL, _TRUNCATE | _ACCESS, "refuse"),
        (RETURN, ALLOW),
    ]
    relative = ["openat", (LOAD, argument(2)), *named[2:]]
    return [*(named if OPENING["open"][column] is not None else ()), *relative]


def _signals() -> list[Line]:
    return [
        "signal",
        (LOAD, argument(0)),
        Jump(EQUAL, 0, "allow"),
        Jump(EQUAL, OWN, "allow"),
        Jump(EQUAL, OWN_GROUP, "allow"),
        (RETURN, ERROR | EPERM),
        "fcntl",
        (LOAD, argument(1)),
        *(Jump(EQUAL, command, "refuse") for command in _WHO_IS_TOLD),
        (RETURN, ALLOW),
    ]
