"""Locks itself in by Landlock and becomes a command: `python -I -S -B landlock_stage.py FD`

FD holds an order as JSON (see `landlock.Landlock.launch`). Three processes come of it. The first is what was launched;
it waits for the second, the keeper, to which all orphans of the command come; the third locks itself in and becomes
the command. Whichever of the first two is killed, the other ends everything; neither can be signalled or traced from
inside. When the command ends, all that it started does, and what was launched ends as it did.

One file, standard library only. Sources: landlock(7), linux/landlock.h, seccomp(2), capabilities(7), prctl(2).
"""

# ruff: noqa: PTH123, PTH208
# Paths are text here: pathlib would double the time it takes to start.

from __future__ import annotations

import ctypes
import json
import os
import signal
import struct
import sys
import time
from typing import Any, NoReturn

# linux/prctl.h
_DIE_WITH_PARENT, _FILTER_CALLS, _LEAVE_BOUND, _SUBREAPER, _NO_NEW_PRIVILEGES, _AMBIENT = (
    1,
    22,
    24,
    36,
    38,
    47,
)
_FILTER, _CLEAR_ALL = 2, 4
# asm/unistd.h: the same on every machine
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
_NET_BOTH, _SCOPE_BOTH = 3, 3  # bind and connect of TCP; abstract sockets and signals
_NET_FROM, _SCOPE_FROM = 4, 6  # versions of Landlock
_CAPABILITIES = 0x20080522  # _LINUX_CAPABILITY_VERSION_3
_JUMPS = (0x15, 0x35, 0x45)

_NOT_STARTED, _NOT_FOUND = 126, 127  # as shells say it
_PATIENCE = 10.0  # seconds until all that was killed has ended
_LIBC = ctypes.CDLL(None, use_errno=True)


def main(descriptor: int) -> NoReturn:
    """Carry out the order; end as the command does."""
    with open(descriptor, "rb") as file:
        order = json.load(file)
    me = os.getpid()
    _prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != order["launcher"]:
        os._exit(_NOT_STARTED)
    _prctl(_SUBREAPER, 1)
    _kill_us(last=True)
    keeper = os.fork()
    if keeper == 0:
        _keep(order, me)
    _let_go(order["fds"])
    status = _until_ended(keeper)
    _end_all()
    os._exit(_code(status))


def _keep(order: dict[str, Any], launched: int) -> NoReturn:
    """Start the command, and end all of it when it has ended, or when what was launched has."""
    awaited = {signal.SIGCHLD, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    _prctl(_SUBREAPER, 1)
    _prctl(_DIE_WITH_PARENT, signal.SIGTERM)
    if os.getppid() != launched:
        os._exit(_NOT_STARTED)
    ready, go = os.pipe()
    me = os.getpid()
    pinned = [_opened(f"/proc/{name}") for name in order["proc"]]
    command = os.fork()
    if command == 0:
        os.close(go)
        _become(order, me, ready)
    # What /proc shows is made anew whenever it is forgotten, and is another file to Landlock then: held open, it stays.
    pinned += [_opened(f"/proc/{command}/{name}") for name in order["own_proc"]]
    os.write(go, b"\0")
    os.close(go)
    os.close(ready)
    _let_go(order["fds"])
    status = None
    while status is None:
        if signal.sigwaitinfo(awaited).si_signo == signal.SIGTERM:
            _end_all()
            os._exit(128 + signal.SIGKILL)
        status = _reaped(command)
    _end_all()
    os._exit(_code(status))


def _become(order: dict[str, Any], keeper: int, ready: int) -> NoReturn:
    """Lock this process in and become the command; exit with a line on stderr if that can't be."""
    try:
        os.setsid()
        _prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != keeper or os.read(ready, 1) != b"\0":
            os._exit(_NOT_STARTED)
        os.close(ready)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        _kill_us(last=False)
        for each in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and so would the command
            signal.signal(each, signal.SIG_DFL)
        os.chdir(order["folder"])
        ruleset = _ruleset(order)
        _give_up_privileges()
        _checked("landlock_restrict_self", _LIBC.syscall(_RESTRICT_SELF, ruleset, 0))
        os.close(ruleset)
        for code in order["filters"]:
            _filter(_with_own_number(bytes.fromhex(code), order["own"]))
    except OSError as error:
        _fail(_NOT_STARTED, f"{error.filename or 'landlock'}: {error.strerror}")
    try:
        os.execvpe(order["command"][0], order["command"], order["env"])
    except OSError as error:
        _fail(_NOT_FOUND, f"{order['command'][0]}: {error.strerror}")


def _ruleset(order: dict[str, Any]) -> int:
    """Return a ruleset by which only what the order names is allowed."""
    abi = order["abi"]
    attributes = struct.pack("=Q", order["handled"])
    attributes += struct.pack("=Q", _NET_BOTH) if abi >= _NET_FROM else b""
    attributes += struct.pack("=Q", _SCOPE_BOTH) if abi >= _SCOPE_FROM else b""
    size = ctypes.c_size_t(len(attributes))
    ruleset = _checked("landlock_create_ruleset", _LIBC.syscall(_CREATE_RULESET, attributes, size, 0))
    rules = [
        *order["rules"],
        *((f"/proc/{name}", order["read"]) for name in order["proc"]),
        *((f"/proc/{os.getpid()}/{name}", order["read"]) for name in order["own_proc"]),
    ]
    for path, rights in rules:
        _add(ruleset, path, rights, order["of_files"])
    return ruleset


def _add(ruleset: int, path: str, rights: int, of_files: int) -> None:
    """Allow `rights` for what is at `path` and below it; what is not there, or not for us, is left out."""
    opened = _opened(path)
    if opened is None:
        return
    try:
        folder = os.fstat(opened).st_mode & 0o170000 == 0o040000
        rule = struct.pack("=Qi", rights if folder else rights & of_files, opened)
        if rights and (folder or rights & of_files):
            _checked(path, _LIBC.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0))
    finally:
        os.close(opened)


def _opened(path: str) -> int | None:
    try:
        return os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None


def _give_up_privileges() -> None:
    for number in range(64):
        _LIBC.prctl(_LEAVE_BOUND, number, 0, 0, 0)  # as far as this process may
    _LIBC.prctl(_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    head, none = struct.pack("=Ii", _CAPABILITIES, 0), struct.pack("=6I", *[0] * 6)
    _checked("capset", _LIBC.capset(head, none))
    _checked("no_new_privs", _LIBC.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))


def _with_own_number(code: bytes, own: dict[str, int]) -> bytes:
    """Put our number, and that of our group, into a filter in the places that stand for them."""
    numbers = {own["process"]: os.getpid(), own["group"]: -os.getpid() & 0xFFFFFFFF}
    lines = [struct.unpack_from("=HBBI", code, at) for at in range(0, len(code), 8)]
    return b"".join(
        struct.pack("=HBBI", test, then, other, numbers.get(value, value) if test in _JUMPS else value)
        for test, then, other, value in lines
    )


def _filter(code: bytes) -> None:
    held = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(held))
    _checked("seccomp", _LIBC.prctl(_FILTER_CALLS, _FILTER, program, 0, 0))


def _until_ended(child: int) -> int:
    """Return the status of a child; orphans that come to us meanwhile are taken away."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return status


def _reaped(child: int) -> int | None:
    """Take away all children that have ended; return the status of `child` if it is one of them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == child:
            found = status


def _end_all() -> None:
    """Kill all that is below this process until nothing is: what loses its parent comes to us."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        for pid in _below(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return
        time.sleep(0.001)


def _below(root: int) -> list[int]:
    """Return all processes below `root`, parents before children."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read(4096).rpartition(b")")[2].split()[1])
            except OSError:
                continue  # it has ended
            children.setdefault(parent, []).append(int(name))
    found: list[int] = []
    waiting = [root]
    while waiting:
        new = children.get(waiting.pop(), [])
        found += new
        waiting += new
    return found


def _let_go(descriptors: list[int]) -> None:
    """Hold nothing open that is the command's: who reads its output waits for the last who has it."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for each in (0, 1, 2):
        os.dup2(nothing, each)
    os.close(nothing)
    for each in descriptors:
        os.close(each)


def _kill_us(*, last: bool) -> None:
    """If memory runs out, the kernel takes the command first, and those who end it with all it started last."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("0" if last else "1000")
    except OSError:
        return  # as it is then: /proc may be read-only


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _prctl(option: int, value: int) -> None:
    _checked("prctl", _LIBC.prctl(option, value, 0, 0, 0))


def _checked(what: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def _fail(code: int, line: str) -> NoReturn:
    os.write(2, f"{line}\n".encode(errors="surrogateescape"))
    os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]))
