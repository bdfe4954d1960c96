"""Runs inside a jail that has no namespaces of its own, tries what those would keep from it, and prints what came of
each attempt as JSON.

`python probe_shared.py ORDER`, as probe.py.
"""

from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import json
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ORDER = json.loads(sys.argv[1])
TREE, SCRATCH, SECRET = Path(ORDER["tree"]), Path(ORDER["scratch"]), Path(ORDER["secret_file"])
VICTIM = int(ORDER["victim"])
LIBC = ctypes.CDLL(None, use_errno=True)
FACTS: dict[str, object] = {}


def attempt(name: str, what: Callable[..., object], *arguments: Any) -> None:
    try:
        FACTS[name] = what(*arguments)
    except OSError as error:
        FACTS[name] = errno.errorcode.get(
            error.errno or 0, type(error).__name__
        )  # EOPNOTSUPP is ENOTSUP there


def called(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result


def opened(path: str | Path, flags: int) -> str:
    os.close(os.open(path, flags))
    return "opened"


def names(folder: str) -> list[str]:
    return [path.name for path in Path(folder).iterdir()]


def sent(kind: int) -> str:
    """Send to a service by its name, from an end of a pair: no socket of our own is needed for that."""
    near, _ = socket.socketpair(socket.AF_UNIX, kind)
    near.sendto(b"stop", ORDER["datagrams"])
    return "sent"


def asked() -> str:
    near, _ = socket.socketpair()
    near.connect(ORDER["service"])
    return "connected"


def told_by_a_file() -> str:
    """Have the kernel signal somebody as soon as a pipe can be read."""
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETOWN, VICTIM)
    fcntl.fcntl(reader, 10, signal.SIGKILL)  # F_SETSIG
    fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC)
    os.write(writer, b"x")
    return "asked for"


def attached(number: int) -> str:
    LIBC.shmat.restype = ctypes.c_void_p
    address = LIBC.shmat(number, None, 0)
    if address == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "")
    return ctypes.string_at(address, 30).decode(errors="replace")


def flagged(path: Path, request: int) -> str:
    with path.open("rb") as file:
        fcntl.ioctl(file, request, array.array("l", [0x40]).tobytes())  # FS_NODUMP_FL
    return "set"


def processes_of_ours() -> dict[str, str]:
    """Start some, end one, and let others work together: what honest programs do."""
    import multiprocessing
    import threading

    child = subprocess.Popen(["/bin/sleep", "60"])
    child.kill()
    found = {"killed": str(child.wait(10))}
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    near, far = multiprocessing.Pipe()
    near.send([1, 2])
    found["piped"] = str(far.recv())
    with mmap.mmap(-1, 1 << 16) as shared:
        if os.fork() == 0:
            shared[:2] = b"ok"
            os._exit(0)
        os.wait()
        found["shared"] = shared[:2].decode()
    return found


def main() -> None:
    for name in ("environ", "mem", "maps", "io", "cmdline", "stat", "status", "net/unix", "net/tcp"):
        attempt(f"{name} of the victim", opened, f"/proc/{VICTIM}/{name}", os.O_RDONLY)
    for name in ("cwd", "root", "exe"):
        attempt(f"{name} of the victim", os.readlink, f"/proc/{VICTIM}/{name}")
    attempt("descriptors of the victim", names, f"/proc/{VICTIM}/fd")
    attempt("file of the victim", lambda: Path(f"/proc/{VICTIM}/root{SECRET}").read_text())
    attempt("what a child has", lambda: subprocess.run(["/bin/cat", "/proc/self/net/unix"]).returncode)
    for name in (
        "net/unix",
        "net/tcp",
        "task",
        "oom_score_adj",
        "locks",
        "vmstat",
        "sys/fs/inode-nr",
        "keys",
        "stat",
        "loadavg",
    ):
        attempt(f"/proc {name}", opened, f"/proc/{name}", os.O_RDONLY)
    attempt("own network", opened, "/proc/self/net/unix", os.O_RDONLY)
    attempt("own network by a thread", opened, f"/proc/self/task/{os.getpid()}/net/unix", os.O_RDONLY)

    for number in (0, signal.SIGSTOP, signal.SIGKILL):
        attempt(f"signal {int(number)}", os.kill, VICTIM, number)
    attempt("signal to its group", os.kill, -VICTIM, signal.SIGSTOP)
    attempt("signal to its thread", lambda: called(LIBC.syscall(ORDER["tgkill"], VICTIM, VICTIM, 19)))
    attempt("signal by a descriptor", lambda: signal.pidfd_send_signal(os.pidfd_open(VICTIM), signal.SIGSTOP))
    attempt("signal by a file", told_by_a_file)
    attempt("limits", resource.prlimit, VICTIM, resource.RLIMIT_CPU, (1, 1))
    attempt("priority", os.setpriority, os.PRIO_PROCESS, VICTIM, 19)
    attempt("priority of a user", os.setpriority, os.PRIO_USER, os.getuid(), 19)
    attempt("scheduling", os.sched_setscheduler, VICTIM, os.SCHED_IDLE, os.sched_param(0))
    attempt("processors", os.sched_setaffinity, VICTIM, {min(os.sched_getaffinity(0))})
    attempt("own limits", resource.prlimit, 0, resource.RLIMIT_STACK)
    attempt("own priority", os.setpriority, os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0))

    attempt("pathname socket", asked)
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        attempt(f"datagram by a pair of kind {int(kind)}", sent, kind)
    for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
        attempt(f"socket {int(family)}", lambda family=family: socket.socket(family).close())

    attempt("segment", attached, ORDER["segment"])
    attempt("shared memory", names, "/dev/shm")
    attempt("new shared memory", lambda: Path("/dev/shm", "planted").write_text("x"))

    for path in (SECRET, TREE / "train.py"):
        which = "secret" if path == SECRET else "shown"
        attempt(f"{which} emptied by name", os.truncate, path, 0)
        attempt(f"{which} emptied by opening", opened, path, os.O_RDONLY | os.O_TRUNC)
        attempt(f"{which} emptied by an odd opening", opened, path, 3 | os.O_TRUNC)
        attempt(f"{which} mode", os.chmod, path, 0o777)
        attempt(f"{which} owner", os.chown, path, os.getuid(), os.getgid())
        attempt(f"{which} times", os.utime, path, (0, 0))
        attempt(f"{which} attribute", lambda path=path: os.setxattr(path, "user.mark", b"x"))
        attempt(f"{which} linked", os.link, path, SCRATCH / f"{which} linked")
        attempt(f"{which} moved", os.rename, path, SCRATCH / f"{which} moved")
        attempt(f"{which} removed", os.unlink, path)
        attempt(f"{which} flagged", flagged, path, 0x40086602)
    attempt("mode by a descriptor", lambda: os.fchmod(os.open(TREE / "train.py", os.O_RDONLY), 0o777))
    attempt("subvolume", flagged, TREE / "train.py", 0x5000940E)
    attempt("run the secret", lambda: subprocess.run([str(SECRET)]).returncode)

    attempt("honest", processes_of_ours)
    attempt("a signal to itself", os.kill, os.getpid(), 0)
    json.dump(FACTS, sys.stdout)


main()
