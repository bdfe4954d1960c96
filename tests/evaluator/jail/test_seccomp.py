"""The filter, run by an interpreter of our own for both machines, and by the kernel on this one."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import pytest

from evaluator.jail import bubblewrap, seccomp
from tests.evaluator.jail.world import World, run, start

ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL, EPERM, ENOSYS, EINVAL = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026, 0x00050016
EAGAIN, EOPNOTSUPP, UNHEEDED = 0x0005000B, 0x0005005F, 0x00050000


def decide(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """Run classic BPF as linux/filter.h describes it; return what the filter answers."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("=IIQ6Q", number, architecture, 0, *padded)
    code = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    loaded, at = 0, 0
    while True:
        operation, then, otherwise, value = code[at]
        at += 1
        if operation == 0x20:
            loaded = struct.unpack_from("=I", data, value)[0]
        elif operation == 0x54:
            loaded &= value
        elif operation == 0x06:
            assert isinstance(value, int)
            return value
        else:
            test = {0x15: loaded == value, 0x35: loaded >= value, 0x45: loaded & value != 0}[operation]
            at += then if test else otherwise


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_decisions(machine: str) -> None:
    column = list(ARCHITECTURE).index(machine)
    program = seccomp.program(machine)

    def ask(number: int, *arguments: int) -> int:
        return decide(program, ARCHITECTURE[machine], number, *arguments)

    refused = {numbers[column] for numbers in seccomp.REFUSED.values()}
    special = {numbers[column] for numbers in seccomp.CHECKED.values()}
    answered = dict.fromkeys((numbers[column] for numbers in seccomp.ABSENT.values()), ENOSYS)
    answered |= dict.fromkeys((numbers[column] for numbers in seccomp.UNSUPPORTED.values()), EOPNOTSUPP)
    for number in set(range(600)) - special:
        assert ask(number) == (EPERM if number in refused else answered.get(number, ALLOW))
    clone, socket, pair, ioctl = (
        seccomp.CHECKED[name][column] for name in ("clone", "socket", "socketpair", "ioctl")
    )
    assert ask(clone, 0x003D0F00) == ALLOW  # a thread
    assert ask(clone, 0x01200011) == ALLOW  # a process
    for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert ask(clone, 0x01200011 | flag) == EPERM
    assert ask(clone, 0x003D0F00 & ~0x400) == EPERM  # a thread with descriptors of its own
    for value in range(64):
        assert ask(seccomp.CHECKED["close_range"][column], 3, 4, value) == (EINVAL if value & 2 else ALLOW)
        assert ask(seccomp.CHECKED["prctl"][column], value) == (EINVAL if value == 22 else ALLOW)
    for family in range(64):
        assert (
            ask(socket, family, 1) == ask(pair, family, 1) == (ALLOW if family in (1, 2, 10, 16) else EPERM)
        )
        assert ask(socket, family | 1 << 32) == ask(socket, family)  # the kernel looks at 32 bits
        for protocol in range(
            300
        ):  # UDP-Lite, SCTP, MPTCP, messages between users: nobody counts what waits there
            counted = {1: True, 2: protocol in (0, 6, 17), 10: protocol in (0, 6, 17), 16: protocol == 0}
            assert ask(socket, family, 1, protocol) == (ALLOW if counted.get(family) else EPERM)
    assert ask(ioctl, 0, 0x5412) == ask(ioctl, 0, 0x541C) == EPERM
    assert ask(ioctl, 0, 0xC0506617) == EPERM
    assert ask(ioctl, 0, 0x5413) == ALLOW
    fcntl, preadv2, madvise, setsockopt, getsockopt = (
        seccomp.CHECKED[name][column] for name in ("fcntl", "preadv2", "madvise", "setsockopt", "getsockopt")
    )
    refused = {1024, 1026, 1031, 1035, 1036, 1037, 1038}
    for command in range(2000):
        assert ask(fcntl, 3, command) == (EPERM if command in refused else ALLOW)
    answers = {0: ALLOW, 8: EAGAIN, 9: EAGAIN, 1: EOPNOTSUPP, 128: EOPNOTSUPP}
    for flags, answer in answers.items():
        assert ask(preadv2, 3, 0, 0, 0, 0, flags) == answer
    for advice in range(128):
        assert ask(madvise, 0, 0, advice) == (UNHEEDED if advice in (1, 20, 21) else ALLOW)
    for option in range(64):
        answer = EPERM if option in (26, 50, 51, 52) else ALLOW
        assert ask(setsockopt, 3, 1, option) == (UNHEEDED if option in (7, 8, 32, 33) else answer)
        assert ask(setsockopt, 3, 6, option) == ALLOW
    for option in range(100):
        assert ask(getsockopt, 3, 1, option) == (EPERM if option in (57, 71) else ALLOW)
        assert ask(getsockopt, 3, 6, option) == ALLOW
    for name in ("fadvise64", "readahead"):
        assert ask(seccomp.CHECKED[name][column], 3, 0, 0, 4) == UNHEEDED
    stay = seccomp.BINDING["sched_setaffinity"][column]
    assert ask(stay) == ALLOW
    bound = seccomp.program(machine, bound=True)
    assert decide(bound, ARCHITECTURE[machine], stay) == UNHEEDED
    assert decide(bound, ARCHITECTURE[machine], clone, 0x003D0F00) == ALLOW
    other = next(each for name, each in ARCHITECTURE.items() if name != machine)
    for foreign in (other, 0x40000003, 0):
        assert decide(program, foreign, 0) == KILL
    if machine == "x86_64":
        assert ask(0x40000000) == ask(0x40000000 + 59) == KILL


def test_no_filter_where_the_numbers_are_not_known() -> None:
    assert seccomp.program("riscv64") == b""
    assert len(seccomp.program("x86_64", bound=True)) < 8 * 200


@pytest.mark.parametrize(
    ("machine", "header"),
    [
        ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        ("aarch64", "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_numbers_are_the_kernel_s(machine: str, header: str) -> None:
    if not Path(header).exists():
        pytest.skip(f"no {header} (package linux-libc-dev)")
    names = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\n", Path(header).read_text()))
    column = list(ARCHITECTURE).index(machine)
    known = 0
    for name, numbers in (
        seccomp.REFUSED | seccomp.CHECKED | seccomp.BINDING | seccomp.ABSENT | seccomp.UNSUPPORTED
    ).items():
        if name in names:  # an older header lacks the latest
            assert int(names[name]) == numbers[column], name
            known += 1
    assert known > 45


def test_foreign_system_calls_kill(host: World) -> None:
    """One of x32, made by a process for itself: SIGSYS."""
    if not seccomp.program().startswith(seccomp.program("x86_64")):
        pytest.skip("only x86_64 has foreign system calls at hand")
    code = "import ctypes; ctypes.CDLL(None).syscall(0x40000000 + 39)"
    assert start(host.order("PYTHON", "-c", code)).wait(20) == 128 + 31


def test_without_the_filter_there_are_no_user_namespaces_either(
    host: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second line of defence, by itself: no capability and no room for one more namespace."""
    found = bubblewrap.find_bubblewrap()
    if found is not None and "--disable-userns" not in found.options:
        pytest.skip("before 0.8 bubblewrap leaves this to the filter")
    monkeypatch.setattr(bubblewrap, "program", lambda **_: b"")
    code = (
        "import ctypes, os; libc = ctypes.CDLL(None, use_errno=True)\n"
        "for flag in (0x10000000, 0x00020000, 0x40000000):\n"
        "    print(libc.unshare(flag), os.strerror(ctypes.get_errno()))\n"
        "print(libc.mount(b'x', b'/tmp', b'tmpfs', 0, None), os.strerror(ctypes.get_errno()))\n"
    )
    process = start(host.order("PYTHON", "-c", code), stdout=-1, text=True)
    said = process.communicate(timeout=20)[0].splitlines()
    assert said == ["-1 No space left on device", *["-1 Operation not permitted"] * 3]


TORCH = """
import torch
from torch.utils.data import DataLoader
if __name__ == "__main__":
    x = torch.randn(64, 64, requires_grad=True)
    (x @ x).sum().backward()
    batches = list(DataLoader(torch.arange(64.0), batch_size=8, num_workers=2))
    print(torch.isfinite(x.grad).all().item(), sum(batch.sum().item() for batch in batches))
"""

COMPILE = """
import torch
f = torch.compile(lambda x: torch.nn.functional.gelu(x) * 2)
x = torch.randn(1000)
print(torch.allclose(f(x), torch.nn.functional.gelu(x) * 2, atol=1e-4))  # fused, it rounds otherwise
"""


def test_torch_trains_and_loads_data_with_workers(host: World) -> None:
    done = run("self", host.order("PYTHON", "-c", TORCH, scratch_bytes=1 << 28, open_files=4096))
    assert done.stdout.split() == ["True", "2016.0"], done.stderr
    assert done.stderr == ""


@pytest.mark.slow  # a minute of compiling; that torch trains and starts workers is shown above
def test_torch_compiles(host: World) -> None:
    if not Path("/usr/bin/g++").exists():
        pytest.skip("torch.compile needs g++ on a CPU")
    room: dict[str, Any] = {
        "scratch_bytes": 1 << 30,
        "file_bytes": 1 << 30,
        "open_files": 4096,
    }  # for precompiled headers in /tmp
    order = host.order("PYTHON", "-c", COMPILE, env={"PATH": "/usr/bin:/bin"}, **room)
    done = run("self", order, seconds=250)
    assert done.stdout.split() == ["True"], done.stderr
