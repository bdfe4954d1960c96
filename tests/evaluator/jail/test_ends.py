"""How a jail ends: with the command's exit code, with everything in it, and without a trace on the host."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.evaluator.jail.world import HERE, ROOT, World, run, skip_unless_possible, start
from tests.families import few

WAIT = 20.0

# A parent, and below it: a session of its own, a grandchild whose parent is gone, one deaf to SIGTERM, and one that
# looks dead, since its first thread has ended.
FAMILY = """
import ctypes, os, signal, sys, threading, time
def child(prepare):
    if os.fork() == 0:
        prepare()
        os.write(1, b"r")
        time.sleep(600)
        os._exit(0)
def orphan():
    if os.fork():
        os._exit(0)
child(os.setsid)
child(orphan)
child(lambda: [signal.signal(n, signal.SIG_IGN) for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)])
def headless():
    threading.Thread(target=lambda: [os.write(1, b"r"), time.sleep(600)]).start()
    ctypes.CDLL(None).syscall(60 if os.uname().machine == "x86_64" else 93, 0)
child(headless)
"""


@pytest.fixture(params=["bubblewrap", "landlock"])
def jail(request: pytest.FixtureRequest) -> str:
    """A jail that ends as any other does."""
    return str(request.param)


def until_silent(pipe: int) -> bytes:
    """Read until nobody holds the other end any more; the test fails where that takes longer than WAIT."""
    said = b""
    until = time.monotonic() + WAIT
    while select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
        piece = os.read(pipe, 1 << 16)
        if not piece:
            return said
        said += piece
    pytest.fail(f"something still holds the pipe; said so far: {said!r}")


def until_said(pipe: int, count: int) -> None:
    said = b""
    until = time.monotonic() + WAIT
    while len(said) < count:
        assert select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0], said
        said += os.read(pipe, 1)


@pytest.mark.parametrize(
    ("line", "code"),
    few([("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -15 $$", 143), ("kill -6 $$", 134)], 3),
)
def test_exit_codes_and_signals_come_through(host: World, jail: str, line: str, code: int) -> None:
    assert start(host.order("/bin/sh", "-c", line, jail=jail)).wait(WAIT) == code


def test_a_missing_command_and_a_missing_folder_fail_with_a_line(host: World, jail: str) -> None:
    done = run("self", host.order("/no/such/command", jail=jail))
    assert done.returncode == 127
    assert "/no/such/command" in done.stderr
    done = run("self", host.order("/bin/sh", "-c", "exit 0", folder="/no/such", jail=jail))
    assert done.returncode not in (0, 2)
    assert len(done.stderr.splitlines()) == 1
    assert "No such file or directory" in done.stderr


@pytest.mark.parametrize("end", ["sys.exit(3)", "os.kill(os.getpid(), 9)"])
def test_what_the_command_leaves_behind_ends_with_it(host: World, jail: str, end: str) -> None:
    code = FAMILY + f"time.sleep(0.3)\n{end}"
    process = start(host.order("PYTHON", "-c", code, jail=jail), stdout=subprocess.PIPE)
    assert process.stdout is not None
    until_said(process.stdout.fileno(), 4)
    until_silent(process.stdout.fileno())
    assert process.wait(WAIT) == (3 if "exit" in end else 137)


def test_an_orphan_that_ends_ends_nothing_else(host: World) -> None:
    """Its exit code is not the command's, and it does not stay a zombie."""
    code = (
        "import os, sys, time\n"
        "if os.fork() == 0:\n"
        "    if os.fork() == 0:\n"
        "        time.sleep(0.1)\n"
        "        os._exit(9)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "until = time.monotonic() + 10\n"
        "while sum(name.isdigit() for name in os.listdir('/proc')) > 2 and time.monotonic() < until:\n"
        "    time.sleep(0.02)\n"
        "sys.exit(5 if time.monotonic() < until else 6)\n"
    )
    assert start(host.order("PYTHON", "-c", code)).wait(WAIT) == 5


def test_the_file_mode_mask_is_ours(host: World, jail: str) -> None:
    mask = os.umask(0o027)
    try:
        process = start(host.order("/bin/sh", "-c", "umask", jail=jail), stdout=subprocess.PIPE, text=True)
    finally:
        os.umask(mask)
    assert process.communicate(timeout=WAIT)[0].strip() == "0027"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killing_what_was_launched_ends_everything(host: World, jail: str, number: signal.Signals) -> None:
    code = FAMILY + "time.sleep(600)"
    process = start(host.order("PYTHON", "-c", code, jail=jail), stdout=subprocess.PIPE)
    assert process.stdout is not None
    until_said(process.stdout.fileno(), 4)
    process.send_signal(number)
    until_silent(process.stdout.fileno())
    assert process.wait(WAIT) == -number


def test_the_jail_ends_with_its_launcher(host: World, jail: str) -> None:
    skip_unless_possible(jail=jail)
    order = host.order("PYTHON", "-c", FAMILY + "time.sleep(600)", jail=jail)
    command = [sys.executable, str(HERE / "launcher.py"), json.dumps(asdict(order))]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as process:
        assert process.stdout is not None
        until_said(process.stdout.fileno(), 4)
        process.kill()
        until_silent(process.stdout.fileno())


@pytest.mark.long
def test_killed_at_any_moment_of_its_start_it_leaves_nobody(host: World, jail: str) -> None:
    for tick in range(12):
        process = start(
            host.order("/bin/sleep", "600", jail=jail), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdout is not None
        time.sleep(tick * 0.006)
        below = _stopped(process)  # see the docstring of Bubblewrap
        for each in (process.pid, *below):
            os.kill(each, signal.SIGKILL)
        until_silent(process.stdout.fileno())
        assert process.wait(WAIT) == -signal.SIGKILL
        process.stdout.close()


def _stopped(process: subprocess.Popen[Any]) -> list[int]:
    """Stop a process, so that it has no more children, and return those it has."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    return [
        int(each) for each in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    ]


def test_nobody_but_the_command_keeps_its_descriptors_open(host: World, jail: str) -> None:
    reader, writer = os.pipe()
    process = start(
        host.order(
            "PYTHON", "-c", f"import os, time; os.close({writer}); time.sleep(600)", fds=(writer,), jail=jail
        )
    )
    os.close(writer)
    until_silent(reader)
    assert process.poll() is None
    process.kill()
    process.wait(WAIT)
    os.close(reader)


@pytest.mark.parametrize("number", [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT])
def test_signals_do_what_they_usually_do(host: World, jail: str, number: signal.Signals) -> None:
    process = start(host.order("/bin/sh", "-c", f"kill -{int(number)} $$; exit 0", jail=jail))
    assert process.wait(WAIT) == 128 + number


def test_no_mount_no_file_no_descriptor_is_left(host: World, temporary: Path) -> None:
    def traces() -> tuple[object, ...]:
        mounts = Path("/proc/self/mountinfo").read_text()
        return (
            mounts,
            len(list(Path("/proc/self/fd").iterdir())),
            list(temporary.iterdir()),
            sorted(host.folder.iterdir()),
        )

    before = traces()
    script = f"echo x > {host.scratch}/x && mkdir /tmp/y && exit 5"
    assert start(host.order("/bin/sh", "-c", script)).wait(WAIT) == 5
    killed = start(host.order("/bin/sleep", "600"))
    time.sleep(0.2)
    killed.kill()
    killed.wait(WAIT)
    assert traces() == before
