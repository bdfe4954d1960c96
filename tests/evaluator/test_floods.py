"""Floods of every kind end within their bound: as root and as a plain user, in a control group and without one."""

from __future__ import annotations

import subprocess

import pytest

from evaluator.jail import control_group
from tests.evaluator.jail.world import as_user, interpreter, skip_unless_possible

CHECK = """
import os, sys, tempfile, time
from pathlib import Path
from evaluator import proctree
from evaluator.candidate import Bounds, Candidate
from evaluator.errors import CandidateFailed
from evaluator.jail import choose, control_group
from evaluator.jail.file_system import FileSystem
from evaluator.log import Log
from tests.evaluator.pythons import running_paths

text, counted, processes, kind = sys.argv[1:]
if counted == "by looking":
    control_group.make = lambda *bounds: None
given = os.memfd_create("ours")
os.write(given, bytes(300 << 20))
jail = choose(kind)
base = tempfile.TemporaryDirectory()
scratch = Path(base.name if jail.in_place else "/tmp", "scratch")
file_system = FileSystem(read_only=running_paths(), scratch=scratch, scratch_bytes=1 << 30)
log = Log()
candidate = Candidate(
    [sys.executable, "-c", text], jail=jail, file_system=file_system, folder=scratch, env={},
    log=log, bounds=Bounds(memory_mb=300, scratch_mb=1000, processes=int(processes)), fds=(given,),
    threads=1 if "affinity" in text else None,
)
until = time.monotonic() + 60
try:
    while time.monotonic() < until and candidate.returncode is None:
        candidate.listen(0.02)
        candidate.check()
    candidate.check()
    print("fine", candidate.returncode)
except CandidateFailed as failure:
    print(failure.kind, failure.defence)
candidate.drain()
candidate.close()
print(*log.lines, sep="\\n", file=sys.stderr)
"""

# A full pipe whose one end is on its way in a socket, and which nobody has open; of a user so many at the most.
PIPES = """
import os, socket
kept, beside = [], bytearray(b"x") * (60 << 20)
def send_full(near, count=8):
    for _ in range(count):
        ends = os.pipe()
        os.set_blocking(ends[1], False)
        try:
            while True:
                os.write(ends[1], bytes(4096))
        except BlockingIOError:
            pass
        try:
            socket.send_fds(near, [b"x"], ends[:1])
        except OSError:
            return
        finally:
            os.close(ends[0])
            os.close(ends[1])
"""

MEMORY = {
    "memory": "kept = [bytearray(b'x') * (16 << 20) for _ in range(40)]",
    "memory of many": """
import os
for _ in range(8):
    if os.fork() == 0:
        kept = bytearray(b"x") * (80 << 20)
        break
""",
    "files without a name": """
import os
kept = [os.memfd_create("hoard") for _ in range(8)]
for each in kept:
    os.posix_fallocate(each, 0, 64 << 20)
""",
    "files without a name and a descriptor": """
import ctypes, mmap, os
kept = []
for _ in range(8):
    file = os.memfd_create("hoard")
    os.posix_fallocate(file, 0, 64 << 20)
    kept.append(mmap.mmap(file, 64 << 20))
    os.close(file)
libc = ctypes.CDLL(None)
for each in kept:  # mmap has a descriptor of its own
    os.close(max(int(name) for name in os.listdir("/proc/self/fd") if int(name) != 3))
""",
    "shared memory that nobody has in sight": """
import mmap
kept = [mmap.mmap(-1, 64 << 20) for _ in range(8)]
for each in kept:
    for start in range(0, 64 << 20, 4096):
        each[start] = 1
    each.madvise(mmap.MADV_DONTNEED)
""",
    "files in flight": """
import os, socket
kept = []
for _ in range(8):
    near, far = socket.socketpair()
    file = os.memfd_create("flying")
    os.posix_fallocate(file, 0, 64 << 20)
    socket.send_fds(near, [b"x"], [file])
    os.close(file)
    kept += [near, far]
""",
    "pipes in flight": PIPES
    + """
for _ in range(512):
    kept.append(socket.socketpair())
    send_full(kept[-1][0])
""",
    "pipes in messages to somebody": PIPES
    + """
for _ in range(512):
    kept.append(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
    send_full(kept[-1][0])
""",
    "pipes in connections that nobody takes": PIPES
    + """
listener = socket.socket(socket.AF_UNIX)
listener.bind("/tmp/scratch/called")
listener.listen(1000)
for _ in range(512):
    kept.append(socket.socket(socket.AF_UNIX))
    kept[-1].connect("/tmp/scratch/called")
    send_full(kept[-1])
""",
    "pipes in sockets in flight": PIPES
    + """
outer = socket.socketpair()
for _ in range(200):
    pair = socket.socketpair()
    send_full(pair[0], 19)
    socket.send_fds(outer[0], [b"x"], [pair[1].fileno()])
    for end in pair:
        end.close()
""",
    "memory whose first thread has ended": """
import ctypes, threading, time
def hoard():
    time.sleep(0.1)
    kept = [bytearray(b"x") * (16 << 20) for _ in range(40)]
    time.sleep(20)
threading.Thread(target=hoard).start()
ctypes.CDLL(None).syscall({"x86_64": 60}.get(__import__("platform").machine(), 93), 0)
""",
    "files of a process whose first thread has ended": """
import ctypes, os, threading, time
def hoard():
    time.sleep(0.1)
    for _ in range(8):
        os.posix_fallocate(os.memfd_create("hoard"), 0, 64 << 20)
    time.sleep(20)
threading.Thread(target=hoard).start()
ctypes.CDLL(None).syscall({"x86_64": 60}.get(__import__("platform").machine(), 93), 0)
""",
    "files of which a page is mapped": """
import ctypes, os
libc = ctypes.CDLL(None)
for _ in range(8):
    file = os.memfd_create("hoard")
    os.posix_fallocate(file, 0, 64 << 20)
    libc.mmap(None, ctypes.c_size_t(4096), 1, 1, file, ctypes.c_long(0))
    os.close(file)
""",
    "shared memory that was given back but for a page": """
import ctypes
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
for _ in range(8):
    at = libc.mmap(None, ctypes.c_size_t(64 << 20), 3, 0x21, -1, ctypes.c_long(0))
    ctypes.memset(at, 1, 64 << 20)
    libc.munmap(ctypes.c_void_p(at + 4096), ctypes.c_size_t((64 << 20) - 4096))
""",
    "files that run": """
import os
program = open("/bin/sleep", "rb").read()
for _ in range(8):
    file = os.memfd_create("hoard")
    os.write(file, program)
    os.posix_fallocate(file, 0, 64 << 20)
    if os.fork() == 0:
        path = f"/proc/self/fd/{os.open(f'/proc/self/fd/{file}', os.O_RDONLY | os.O_CLOEXEC)}"
        os.close(file)
        os.execv(path, ["sleep", "20"])
    os.close(file)
""",
    "lines in terminals": """
import os, tty
for _ in range(8):
    if os.fork() == 0:
        break
kept = []
try:
    for _ in range(1900):
        kept += os.openpty()
        tty.setraw(kept[-1])
        for each in kept[-2:]:
            os.set_blocking(each, False)
            try:
                while True:
                    os.write(each, bytes(1 << 16))
            except BlockingIOError:
                pass
except OSError:  # there are no more
    pass
""",
    "groups that sockets are in": """
import os, socket, struct
for _ in range(3):
    if os.fork() == 0:
        break
kept = []
for _ in range(1500):
    kept.append(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    for number in range(100):
        try:
            group = socket.inet_pton(socket.AF_INET6, f"ff12::{number + 1:x}")
            kept[-1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group + struct.pack("=I", 1))
        except OSError:
            break
""",
    "what files of the kernel say": """
import os
for _ in range(15):
    if os.fork() == 0:
        break
kept = []
for _ in range(3900):
    kept.append(os.open("/proc/self/status", os.O_RDONLY))
    os.read(kept[-1], 1)
""",
    "bytes in sockets": """
import socket
kept = []
for _ in range(900):
    pair = socket.socketpair()
    for end in pair:
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)
        try:
            while True:
                end.send(bytes(1 << 16))
        except BlockingIOError:
            pass
    kept += pair
""",
    "bytes on loopback": """
import socket
kept = []
listener = socket.create_server(("127.0.0.1", 0))
for _ in range(150):
    near = socket.create_connection(listener.getsockname())
    far = listener.accept()[0]
    near.setblocking(False)
    try:
        while True:
            near.send(bytes(1 << 20))
    except BlockingIOError:
        pass
    kept += [near, far]
""",
    "small pieces on loopback": """
import socket
kept = []
listener = socket.create_server(("127.0.0.1", 0))
for _ in range(1700):
    near = socket.create_connection(listener.getsockname())
    far = listener.accept()[0]
    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    near.setblocking(False)
    try:
        for _ in range(300):
            near.send(b"x")
    except BlockingIOError:
        pass
    kept += [near, far]
""",
    "bytes of senders that are gone": """
import socket
kept = []
for _ in range(200):
    far = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    far.bind("")
    kept.append(far)
    try:
        while True:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as near:
                near.setblocking(False)
                near.sendto(bytes(160 << 10), far.getsockname())
    except BlockingIOError:
        pass
""",
    "answers of the kernel": """
import socket, struct
kept = []
for _ in range(1700):
    asks = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    asks.setblocking(False)
    kept.append(asks)
    try:
        for _ in range(400):
            asks.send(struct.pack("=IHHIIBxHiII", 32, 18, 1, 0, 0, 0, 0, 1, 0, 0))
    except (BlockingIOError, OSError):
        pass
""",
    "named pipes": """
import os
for _ in range(11):
    if os.fork() == 0:
        break
kept = []
for number in range(3900):
    name = f"/tmp/{os.getpid()}-{number}"
    os.mkfifo(name)
    kept.append(os.open(name, os.O_RDWR | os.O_NONBLOCK))
    os.unlink(name)
    try:
        while True:
            os.write(kept[-1], bytes(4096))
    except BlockingIOError:
        pass
""",
    "files": """
for place in ("/tmp/scratch", "/tmp", "/dev/shm"):
    with open(place + "/filled", "wb") as file:
        for _ in range(120):
            file.write(bytes(1 << 20))
""",
    "many small files": """
import os
os.fork() and os.fork()
os.mkdir(f"/tmp/{os.getpid()}")
os.chdir(f"/tmp/{os.getpid()}")
for number in range(300_000):
    os.mknod(str(number))
""",
    "tables of pages": """
import mmap
kept = mmap.mmap(-1, 1 << 38, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)
kept.madvise(15)  # no huge pages
for start in range(0, 1 << 38, 1 << 21):
    kept[start]
""",
}
THREADS = """
import threading, time
threading.stack_size(1 << 16)
for _ in range(1500):
    threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
"""
PROCESSES = "import os\nfor _ in range(80):\n    if os.fork() == 0:\n        break\n"
WAIT = "\nimport time\ntime.sleep(20)\n"

HONEST = """
import mmap, multiprocessing, os, socket, threading, time
shared = mmap.mmap(-1, 40 << 20)
shared[:] = bytes(40 << 20)
kept = bytearray(b"x") * (10 << 20)
with open("/dev/shm/batch", "wb") as file:
    file.write(bytes(40 << 20))
pairs = [socket.socketpair() for _ in range(10)]
for near, far in pairs:
    near.send(bytes(1000))
for _ in range(8):
    threading.Thread(target=time.sleep, args=(1,), daemon=True).start()
for _ in range(4):
    if os.fork() == 0:
        shared[::4096]
        break
time.sleep(1.5)
"""
ALONE = "import time; time.sleep(1)"
# What a filter refuses, since nobody could count it: the ways of a kind, each by another call.
CLOSED = """
import ctypes, errno, os, socket, struct, threading
libc = ctypes.CDLL(None, use_errno=True)
COLUMN = os.uname().machine != "x86_64"
def fails(error, call, *arguments):
    assert call(*arguments) == -1 and ctypes.get_errno() == error, (call, arguments, ctypes.get_errno())
def raises(error, call, *arguments):
    try:
        call(*arguments)
    except OSError as found:
        assert found.errno == error, found
    else:
        raise AssertionError(call)
near, far = socket.socketpair()
file = os.memfd_create("hoard")
os.pwrite(file, bytes(9000), 0)
# descriptors that belong to a thread alone
fails(errno.EINVAL, libc.syscall, 436, 1000, 1 << 30, 2)
fails(errno.EPERM, libc.unshare, 0x400)
fails(errno.EPERM, libc.syscall, (56, 220)[COLUMN], 0x10900, 0, 0, 0, 0)
# bytes that keep their pages, programs, attributes
raises(errno.ENOSYS, os.sendfile, near.fileno(), file, 0, 1)
one = struct.pack("HBBI", 6, 0, 0, 0xFFFF)
program = struct.pack("HxxxxxxP", 1, ctypes.addressof(ctypes.create_string_buffer(one)))
for option in (26, 51):
    raises(errno.EPERM, near.setsockopt, socket.SOL_SOCKET, option, program)
for option in (50, 52):
    raises(errno.EPERM, near.setsockopt, socket.SOL_SOCKET, option, file)
fails(errno.ENOSYS, libc.syscall, (317, 277)[COLUMN], 1, 0, program)
fails(errno.EINVAL, libc.prctl, 22, 2, program, 0, 0)
fails(errno.ENOSYS, libc.syscall, 444, 0, 0, 1)
raises(errno.EOPNOTSUPP, os.setxattr, file, "user.hoard", bytes(1000))
# what honest programs do is as it was
import shutil, tempfile
with tempfile.TemporaryDirectory() as folder:
    shutil.copy2("/etc/passwd" if os.path.exists("/etc/passwd") else os.__file__, folder + "/copied")
    assert os.path.getsize(folder + "/copied")
os.closerange(1000, 2000)
done = threading.Event()
threading.Thread(target=done.set).start()
assert done.wait(10)
with open(file, "rb", closefd=False) as said:
    assert near.sendfile(said, 0, 5000) == 5000
"""
FREE = """
import os, threading
cores = {*range(os.cpu_count())}
os.sched_setaffinity(0, cores)
threading.Thread(target=os.sched_setaffinity, args=(0, cores)).start()
assert len(os.sched_getaffinity(0)) == 1  # sched_setaffinity
"""
SELF_LOOKING, SELF_GROUP, PLAIN_LOOKING = (
    ("self", "by looking"),
    ("self", "by a group"),
    ("plain", "by looking"),
)
WAYS = (SELF_LOOKING, SELF_GROUP, PLAIN_LOOKING)
# Everything is counted by looking once in CI, but for what shows no more than its neighbour does. A group is the
# kernel's to count, and a plain user looks as root does, but that root is told how large a file is.
MORE_OF_A_KIND = {
    "pipes in messages to somebody",
    "pipes in connections that nobody takes",
    "files of a process whose first thread has ended",
    "shared memory that was given back but for a page",
    "groups that sockets are in",
    "what files of the kernel say",
}
IN_CI = {
    SELF_LOOKING: tuple(kind for kind in MEMORY if kind not in MORE_OF_A_KIND),
    SELF_GROUP: ("files in flight",),
    PLAIN_LOOKING: ("shared memory that nobody has in sight", "files of which a page is mapped"),
}
FLOODS = [
    pytest.param(
        way,
        kind,
        id=f"{' '.join(way)}-{kind}",
        marks=pytest.mark.long if kind in IN_CI[way] else pytest.mark.slow,
    )
    for way in WAYS
    for kind in MEMORY
]


@pytest.fixture(
    params=[
        pytest.param(way, id=" ".join(way), marks=pytest.mark.long if way == PLAIN_LOOKING else ())
        for way in WAYS
    ]
)
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    user, counted = request.param
    skip_unless_possible(user)
    if counted == "by a group" and not group_possible():
        pytest.skip("this machine lets nobody here make a control group")
    return user, counted


def group_possible() -> bool:
    group = control_group.make(1 << 30, 100)
    if group is not None:
        group.close()
    return group is not None


def ends(way: tuple[str, str], text: str, processes: int = 20, jail: str = "auto") -> str:
    user, counted = way
    done = subprocess.run(
        [interpreter(user), "-c", CHECK, text, counted, str(processes), jail],
        **as_user(user),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    said: str = done.stdout.strip()
    return said if said.startswith(("out", "refused", "fine 0")) else said + done.stderr


@pytest.mark.parametrize(("way", "kind"), FLOODS, indirect=["way"])
def test_memory_of_every_kind_ends_within_its_bound(way: tuple[str, str], kind: str) -> None:
    assert ends(way, MEMORY[kind] + WAIT) == "out_of_memory limits"


SOCKETS_IN_FLIGHT = """
import socket
kept = []
for _ in range(40):
    near, far = socket.socketpair()
    kept += [near, far]
    for _ in range(40):
        pair = socket.socketpair()
        for end in pair:
            end.setblocking(False)
            try:
                while True:
                    end.send(bytes(1 << 15))
            except BlockingIOError:
                pass
        socket.send_fds(near, [b"x"], [end.fileno() for end in pair])
        for end in pair:
            end.close()
"""


@pytest.mark.long
def test_sockets_in_flight_are_counted_without_a_network_of_the_jail_s_own() -> None:
    skip_unless_possible(jail="landlock")
    assert ends(SELF_LOOKING, SOCKETS_IN_FLIGHT + WAIT, jail="landlock") == "out_of_memory limits"


def test_threads_and_processes_end_within_their_bound(way: tuple[str, str]) -> None:
    assert ends(way, THREADS + WAIT) == "refused limits"
    assert ends(way, PROCESSES + WAIT) == "refused limits"


def test_what_is_within_its_bounds_is_let_be(way: tuple[str, str]) -> None:
    """Workers share memory, and a page that several have in sight is one page."""
    assert ends(way, HONEST) == "fine 0"
    assert ends(way, ALONE, processes=1) == "fine 0"


@pytest.mark.parametrize("user", ["self", "plain"])
def test_what_no_group_counts_is_said(user: str) -> None:
    skip_unless_possible(user)
    asked = "from evaluator.jail import control_group; print(*control_group.gaps(), sep='\\n')"
    done = subprocess.run(
        [interpreter(user), "-c", asked], **as_user(user), capture_output=True, text=True, timeout=60
    )
    possible = user == "self" and group_possible()
    told = done.stdout.splitlines()
    assert done.stderr == "" and (told == [""] if possible else len(told) == 3), done
    assert (
        all(len(each) < 300 for each in told) and len(told) + 3 <= 8
    )  # as the ledger keeps them, with a jail's own


@pytest.mark.parametrize("jail", ["bubblewrap", "landlock"])
def test_what_nobody_could_count_is_refused(jail: str) -> None:
    skip_unless_possible(jail=jail)
    assert ends(SELF_LOOKING, CLOSED, jail=jail) == "fine 0"


def test_one_thread_stays_on_its_core(way: tuple[str, str]) -> None:
    assert ends(way, FREE) == "fine 0"
