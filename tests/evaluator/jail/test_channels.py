"""What a jail can't ask of the caches that it shares with others, and what honest programs do there all the same."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.evaluator.jail.world import World, run, start

ASKING = """
import ctypes, fcntl, glob, json, mmap, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
said = {}
def attempt(name, what):
    try:
        said[name] = what()
    except OSError as error:
        said[name] = error.errno
def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")
    return "answered"
file = os.open(os.__file__, os.O_RDONLY)
size = os.fstat(file).st_size
page = mmap.mmap(file, size, prot=mmap.PROT_READ)
page[0]
attempt("without waiting", lambda: os.preadv(file, [bytearray(1)], 0, os.RWF_NOWAIT))
attempt("uncached", lambda: os.preadv(file, [bytearray(1)], 0, 0x80))
attempt("at ease", lambda: os.preadv(file, [bytearray(1)], 0))
attempt("lease", lambda: fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK))
attempt("watch", lambda: fcntl.fcntl(os.open(os.path.dirname(os.__file__), 0), fcntl.F_NOTIFY, fcntl.DN_ACCESS))
attempt("hint", lambda: fcntl.fcntl(file, 1036, (2).to_bytes(8, "little")))
attempt("hint read", lambda: fcntl.fcntl(file, 1035, bytes(8)))
attempt("advice", lambda: os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED))
attempt("out", lambda: page.madvise(21))
HIDDEN = "locks vmstat diskstats zoneinfo sys/fs/dentry-state sys/fs/inode-nr pressure/io interrupts softirqs"
for name in HIDDEN.split():
    attempt("/proc/" + name, lambda: len(open("/proc/" + name).read()))
still = ["/proc/stat", "/proc/meminfo", "/proc/loadavg", "/proc/uptime", "/proc/swaps"]
first = [open(name).read() for name in still]
kept = bytearray(b"x") * (64 << 20)
for _ in range(20):
    if os.fork() == 0:
        os._exit(0)
    os.wait()
said["move"] = [name for name, text in zip(still, first) if open(name).read() != text or not text]
said["folders"] = [name for name in ("fs", "irq", "sys/fs/quota") if os.path.exists("/proc/" + name)
                   and os.listdir("/proc/" + name)]
nodes = glob.glob("/sys/devices/system/node/node*/")
said["nodes move"] = [name for name in nodes for file in ("vmstat", "numastat") if open(name + file).read()]
near, far = socket.socketpair()
before = near.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)
said["larger buffer"] = near.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) - before
json.dump(said, sys.stdout)
"""

HONEST = """
import fcntl, multiprocessing, os, shutil, socket, sqlite3, subprocess, tempfile
def work(queue):
    queue.put(sum(range(10)))
if __name__ == "__main__":
    base = sqlite3.connect("kept.db")
    base.execute("pragma journal_mode=wal")
    base.execute("create table losses (step, loss)")
    base.execute("insert into losses values (1, 2.5)")
    base.commit()
    print(sqlite3.connect("kept.db").execute("select loss from losses").fetchone()[0])
    with open("lock", "w") as mine, open("lock") as other:
        fcntl.flock(mine, fcntl.LOCK_EX)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("locked")
        fcntl.lockf(mine, fcntl.LOCK_EX)
    queue = multiprocessing.get_context("spawn").Queue()
    worker = multiprocessing.get_context("spawn").Process(target=work, args=(queue,))
    worker.start()
    print(queue.get())
    worker.join()
    shutil.copyfile("kept.db", "copy.db")
    os.posix_fadvise(os.open("copy.db", os.O_RDONLY), 0, 0, os.POSIX_FADV_SEQUENTIAL)
    print(subprocess.run("cat lock | wc -c", shell=True, capture_output=True, text=True).stdout.strip())
    if shutil.which("git"):
        subprocess.run(["git", "init", "-q", "repo"], check=True)
        subprocess.run(["git", "-C", "repo", "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q",
            "--allow-empty", "-m", "x"], check=True)
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    print("done")
"""


@pytest.mark.parametrize("user", ["self", "plain"])
def test_nothing_tells_what_is_cached_without_a_clock(host: World, user: str) -> None:
    done = run(user, host.order("PYTHON", "-c", ASKING))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    covered = {name: told for name, told in said.items() if name.startswith("/proc/")}
    assert len(covered) == 9 and set(covered.values()) <= {0, 2}
    assert {name: told for name, told in said.items() if name not in covered} == {
        "without waiting": 11,
        "uncached": 95,
        "at ease": 1,
        "lease": 1,
        "watch": 1,
        "hint": 1,
        "hint read": 1,
        "advice": None,
        "out": None,
        "move": [],
        "folders": [],
        "nodes move": [],
        "larger buffer": 0,
    }


def test_locks_databases_workers_and_git_work(host: World) -> None:
    order = host.order(
        "PYTHON",
        "-B",
        str(host.scratch / "honest.py"),
        folder=str(host.scratch),
        env={"PATH": "/usr/bin:/bin"},
    )
    shell = f'cat > honest.py <<"END"\n{HONEST}\nEND\nexec "$@"'
    process = start(
        host.order(
            *("/bin/sh", "-c", shell, "sh", *order.command),
            folder=order.folder,
            env={**order.env, "HOME": order.folder},
            scratch_bytes=64 << 20,
        ),
        stdout=subprocess.PIPE,
        text=True,
    )
    said = process.communicate(timeout=60)[0].split()
    assert (process.returncode, said) == (0, ["2.5", "locked", "45", "0", "done"])
