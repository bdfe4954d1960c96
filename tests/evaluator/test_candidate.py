"""When a candidate is closed, nothing of it is left: not a moment later, at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.evaluator.jail.world import skip_unless_possible
from tests.families import few

FAMILY = """
import os, sys, time
memory = bytearray(b"x") * (400 << 20)  # what takes a while to be taken down
for _ in range(7):
    os.fork()
for start in range(0, len(memory), 4096 * 16):
    memory[start] = 1
{then}
"""
FIRST_THREAD_ENDS = """
import ctypes, threading
threading.Thread(target=time.sleep, args=(60,)).start()
ctypes.CDLL(None).syscall(60 if os.uname().machine == "x86_64" else 93, 0)
"""
RUN = """
import sys, time
from pathlib import Path
from evaluator.candidate import Bounds, Candidate
from evaluator.jail import choose
from evaluator.jail.file_system import FileSystem
from evaluator.log import Log
from tests.evaluator.pythons import running_paths
from tests.evaluator.cheats import traces

jail, text, marker = sys.argv[1:]
scratch = Path("/tmp/scratch") if jail != "none" else Path.cwd()
file_system = FileSystem(read_only=running_paths(), scratch=scratch, scratch_bytes=1 << 20)
candidate = Candidate(
    [sys.executable, "-c", text, marker], jail=choose(jail), file_system=file_system, folder=scratch,
    env={}, log=Log(), bounds=Bounds(1e6, 1e3, 1000),
)
until = time.monotonic() + 60
while time.monotonic() < until and candidate.returncode is None and candidate.measure().processes < 100:
    candidate.listen(0.01)
candidate.close()
print("all" if candidate.peak_memory_mb > 400 else "none", *traces.of_processes(marker))
"""


@pytest.mark.long
@pytest.mark.parametrize("jail", ["bubblewrap", pytest.param("none", marks=pytest.mark.long)])
@pytest.mark.parametrize(
    "then",
    [
        "time.sleep(60)",
        pytest.param("os._exit(0) if os.getppid() < 3 else time.sleep(60)", marks=pytest.mark.slow),
        pytest.param(FIRST_THREAD_ENDS, marks=pytest.mark.slow),
    ],
)
def test_nothing_is_alive_when_close_returns(tmp_path: Path, jail: str, then: str) -> None:
    skip_unless_possible(jail=jail)
    marker = f"marked-{tmp_path.name}-{jail}"
    done = subprocess.run(
        [sys.executable, "-c", RUN, jail, FAMILY.format(then=then), marker],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "all\n", "")


HOARD = """
import os, time
kept = [os.memfd_create("hoard") for _ in range(4)]
for each in kept:
    os.write(each, bytes(64 << 20))
time.sleep(60)
"""
IN_THREADS = """
import threading, time
threading.stack_size(1 << 16)
for _ in range(60):
    threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
time.sleep(5)
"""
CHECK = """
import os, sys, time
from pathlib import Path
from evaluator.candidate import Bounds, Candidate
from evaluator.errors import CandidateFailed
from evaluator.jail import choose
from evaluator.jail.file_system import FileSystem
from evaluator.log import Log
from tests.evaluator.pythons import running_paths

given = os.memfd_create("ours")
os.write(given, bytes(300 << 20))
scratch = Path("/tmp/scratch")
file_system = FileSystem(read_only=running_paths(), scratch=scratch, scratch_bytes=1 << 30)
candidate = Candidate(
    [sys.executable, "-c", sys.argv[1]], jail=choose("auto"), file_system=file_system, folder=scratch, env={},
    log=Log(), bounds=Bounds(memory_mb=200, scratch_mb=1000, processes=10), fds=(given,),
)
until = time.monotonic() + float(sys.argv[2])
try:
    while time.monotonic() < until:
        candidate.listen(0.05)
        candidate.check()
    print("fine")
except CandidateFailed as failure:
    print(failure.kind, failure.defence)
candidate.close()
"""


@pytest.mark.parametrize(
    ("text", "seconds", "said"),
    few([(HOARD, "60", "out_of_memory limits\n"), ("import time; time.sleep(60)", "2", "fine\n")], 1),
)
def test_files_in_memory_count_as_memory_and_ours_do_not(text: str, seconds: str, said: str) -> None:
    assert checked(text, seconds) == said


def test_threads_count_like_processes() -> None:
    assert checked(IN_THREADS, "2") == "refused limits\n"


def checked(text: str, seconds: str) -> str:
    """Return how a candidate of this text ends, with 200 MiB and 10 processes."""
    done = subprocess.run(
        [sys.executable, "-c", CHECK, text, seconds],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
