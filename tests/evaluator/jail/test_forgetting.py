"""What a jail has read or looked up is not in the kernel's caches any more when the next one begins."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluator.candidate import Bounds, Candidate
from evaluator.jail import choose, control_group
from evaluator.jail.control_group import ControlGroup
from evaluator.jail.file_system import FileSystem
from evaluator.log import Log
from tests.evaluator.pythons import running_paths
from tests.evaluator.runs import eventually

NAMES, PAGES, PAGE = 20_000, 512, 4096


@pytest.fixture
def group() -> ControlGroup:
    made = control_group.make(1 << 30, 100)
    if made is None or made.clock is None:
        pytest.skip("this machine lets nobody here make a control group")
    return made


def within(group: ControlGroup, work: Callable[[], object]) -> None:
    """Do something in a process of the group, after its turn, which ends then."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        group.join()
        os.write(writer, b"!")
        signal.sigwait({signal.SIGUSR1})
        work()
        os._exit(0)
    os.close(writer)
    assert os.read(reader, 1) == b"!"
    os.close(reader)
    assert group.holds(pid)
    group.turn()
    assert group.holds(pid)
    os.kill(pid, signal.SIGUSR1)
    assert os.waitpid(pid, 0)[1] == 0
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})


def not_there() -> int:
    """Return how many names that are not there the kernel remembers (proc(5), dentry-state)."""
    return int(Path("/proc/sys/fs/dentry-state").read_text().split()[4])


def cached(file: Path) -> int:
    """Return how many pages of the file are in memory (mincore(2))."""
    told = (ctypes.c_ubyte * PAGES)()
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY) as seen:
        first = ctypes.c_char.from_buffer(seen)
        assert ctypes.CDLL(None).mincore(ctypes.byref(first), ctypes.c_size_t(PAGES * PAGE), told) == 0
        del first
    return sum(each & 1 for each in told)


def dropped(file: Path) -> bool:
    """Take the file out of memory, if nobody is at work on it; return whether that was done."""
    with file.open("rb") as opened:
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return cached(file) < 0.1 * PAGES


def test_names_that_were_looked_up_in_vain_are_forgotten(group: ControlGroup, tmp_path: Path) -> None:
    before = not_there()
    within(group, lambda: [(tmp_path / str(number)).exists() for number in range(NAMES)])
    known = not_there()
    assert known - before > 0.9 * NAMES
    group.forget()
    group.close()
    assert not group.folders[0].exists()
    assert known - not_there() > 0.9 * NAMES


def test_pages_that_were_read_are_forgotten(group: ControlGroup, tmp_path: Path) -> None:
    file = tmp_path / "large"
    with file.open("wb") as out:
        out.write(os.urandom(PAGES * PAGE))
        out.flush()
        os.fsync(out.fileno())
    assert eventually(lambda: dropped(file))
    within(group, file.read_bytes)
    assert cached(file) > 0.9 * PAGES
    group.forget()
    group.close()
    assert cached(file) < 0.1 * PAGES


def test_children_that_nobody_waits_for_are_counted(group: ControlGroup) -> None:
    group.close()
    text = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "for _ in range(150):\n"
        "    reader, writer = os.pipe()\n"
        "    if os.fork() == 0:\n"
        "        until = time.process_time() + 0.009\n"
        "        while time.process_time() < until:\n"
        "            pass\n"
        "        os._exit(0)\n"
        "    os.close(writer)\n"
        "    os.read(reader, 1)\n"
    )
    scratch = Path("/tmp/scratch")
    shown = FileSystem(read_only=running_paths(), scratch=scratch, scratch_bytes=1 << 20)
    candidate = Candidate(
        [sys.executable, "-c", text], jail=choose("auto"), file_system=shown, folder=scratch, env={}, log=Log(),
        bounds=Bounds(memory_mb=300, scratch_mb=100, processes=20),
    )  # fmt: skip
    while candidate.returncode is None:
        candidate.listen(0.1)
        candidate.check()
    candidate.close()
    assert candidate.returncode == 0 and candidate.cpu_seconds > 150 * 0.009
