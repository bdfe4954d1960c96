"""The jail of Landlock against all that the probes try, in the kernel's version of it and in the first, as root and as
a plain user: what its gaps name stays open, and nothing else."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluator.jail import seccomp, shared_calls
from tests.evaluator.jail.conftest import Facts, facts_of
from tests.evaluator.jail.test_seccomp import (
    ALLOW,
    ARCHITECTURE,
    ENOSYS,
    EOPNOTSUPP,
    EPERM,
    KILL,
    UNHEEDED,
    decide,
)
from tests.evaluator.jail.world import HERE, MIB, SECRET, World, as_user, interpreter, run, start

CASES = [("landlock", "self"), ("landlock", "plain"), ("landlock 1", "self"), ("landlock 1", "plain")]
REFUSED = ("EPERM", "EACCES")


QUICK, *OTHERS = CASES
IN_CI = CASES[3]  # another user and an older kernel at once


@pytest.fixture(
    scope="session",
    params=[
        QUICK,
        *(
            pytest.param(each, marks=pytest.mark.long if each == IN_CI else pytest.mark.slow)
            for each in OTHERS
        ),
    ],
    ids=lambda pair: " as ".join(pair),
)
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Landlock in one of its versions, and the user who makes the jail."""
    jail, user = request.param
    return jail, user


@pytest.fixture(scope="session")
def facts(host: World, case: tuple[str, str]) -> Facts:
    """What probe.py reports from inside."""
    return facts_of(host, *case)


class TestTheProbesOfEveryJail:
    """What bubblewrap's namespaces keep from a process, Landlock and the filters do."""

    def test_no_network_and_nobody_to_talk_to(self, facts: Facts) -> None:
        for fact in ("loopback", "far", "interfaces", "vsock", "crypto"):
            assert facts[fact] == "EPERM", fact
        assert facts["abstract"] == "ECONNREFUSED"
        assert facts["names"] == "no name service"

    def test_other_processes_are_neither_listed_nor_reached(self, facts: Facts) -> None:
        assert facts["processes"] in REFUSED and facts["kill victim"] == "EPERM"
        for fact in ("environ of 1", "cmdline of 1", "memory of 1", "root of 1", "descriptors of 1"):
            assert facts[fact] in REFUSED, fact
        for fact in ("SIGKILL to 1", "SIGTERM to 1", "SIGINT to 1", "SIGUSR1 to 1"):
            assert facts[fact] == "EPERM", fact

    def test_the_environment_and_the_descriptors_are_those_that_were_given(self, facts: Facts) -> None:
        given = sorted(f"{name}={value}" for name, value in facts["env"].items())
        assert sorted(facts["own environ"].split("\0")[:-1]) == given
        assert facts["descriptors"] == [facts["asked"]["fd"]] and facts["passed"] == "hello"

    def test_secrets_are_out_of_reach_by_any_way(self, facts: Facts) -> None:
        asked = [fact for fact in facts if fact.startswith("secret ")]
        assert len(asked) == 10
        for fact in (*asked, "way out", "own way out"):
            assert facts[fact] in (*REFUSED, "ENOENT"), fact
        assert facts["own link"] is None and facts["hard link"] in ("EXDEV", "EPERM")

    def test_only_what_was_given_can_be_written_to(self, facts: Facts, host: World) -> None:
        asked = [fact for fact in facts if fact.startswith("write /")]
        assert len(asked) >= 8
        for fact in (
            *asked,
            "unlink",
            "library",
            "write hidden",
            "write hidden folder",
            "unlink hidden",
            "rename",
        ):
            assert facts[fact] in (*REFUSED, "ENOENT", "EXDEV"), (fact, facts[fact])
        assert facts["writable in proc"] == [] and facts["oom score"] in REFUSED and facts["oom"] == "1000"
        assert facts["write shelf"] == "written"
        assert (host.tree / "hidden.txt").read_text() == SECRET and not list(host.tree.glob("planted*"))

    def test_modes_owners_and_times_stay_what_they_are(self, facts: Facts, host: World) -> None:
        assert facts["mode"] is facts["owner"] is facts["times"] is None  # said, not done
        status = (host.tree / "train.py").stat()
        assert (status.st_mode & 0o777, status.st_uid) == (0o644, os.getuid()) and status.st_mtime > 1e9

    def test_no_devices_and_no_privileges(self, facts: Facts) -> None:
        for fact in ("block device", "character device", "devices", "terminal"):
            assert facts[fact] in REFUSED, fact
        assert {int(facts[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
        assert facts["NoNewPrivs"] == "1" and facts["Seccomp:"] == "2" and facts["session"] is True
        assert facts["setuid"] == str(facts["user"]) and facts["become root"] in ("EPERM", "EINVAL")

    def test_dangerous_system_calls_are_refused(self, facts: Facts) -> None:
        calls = {fact: said for fact, said in facts.items() if fact.startswith(("call ", "unshare "))}
        assert len(calls) > 40 and set(calls.values()) == {"EPERM"}

    def test_hidden_files_can_t_be_read_by_any_path(self, facts: Facts) -> None:
        hidden = [fact for fact in facts if fact.startswith("hidden ") and "folder" not in fact]
        assert len(hidden) == 8
        for fact in hidden:
            assert facts[fact] == "EACCES", fact

    def test_limits_are_set(self, facts: Facts) -> None:
        assert facts["limits"] == [[100, 100], [64 * MIB, 64 * MIB], [1, 1]]
        for place in ("/tmp", "/dev/shm"):
            assert facts[f"flood {place}"] == "ENOENT"  # nothing could be made there

    def test_what_stays_open_is_what_the_gaps_name(self, facts: Facts) -> None:
        assert [fact for fact in facts if fact.startswith("see ") and facts[fact]]  # names
        assert facts["hidden folder by "] == ["more.txt"]
        assert facts["left of /tmp"] > 4 * MIB  # no quota
        assert facts["host name"] == socket.gethostname() and len(facts["users"]) > 1


@pytest.fixture(scope="session")
def around(host: World) -> Iterator[dict[str, Any]]:
    """What else a machine has: services at names of the file system, memory of System V."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    segment = libc.shmget(0, 4096, 0o1666)  # IPC_CREAT
    assert segment >= 0
    text = SECRET.encode() + b"\0"
    ctypes.memmove(libc.shmat(segment, None, 0), text, len(text))
    service, datagrams = host.folder / "service", host.folder / "datagrams"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as box:
        listener.bind(str(service))
        listener.listen()
        box.bind(str(datagrams))
        box.setblocking(False)
        for path in (service, datagrams):
            path.chmod(0o777)
        yield {"service": str(service), "datagrams": str(datagrams), "segment": segment, "box": box}
    libc.shmctl(segment, 0, None)


@pytest.fixture(scope="session")
def shared(host: World, case: tuple[str, str], around: dict[str, Any]) -> Iterator[Facts]:
    """What probe_shared.py reports, with a process of the same user to do harm to, which is `victim`."""
    jail, user = case
    (host.tree / "probe_shared.py").write_bytes((HERE / "probe_shared.py").read_bytes())
    interpreter(user)  # skips if there is none
    secret = host.folder / f"secret of {user}.sh"
    secret.write_text(f"#!/bin/sh\necho {SECRET}\n")
    shown = host.tree / "train.py"
    before = shown.stat()
    if user == "plain":
        for path in (secret, shown):
            os.chown(path, 65534, 65534)
    with subprocess.Popen(["/bin/sleep", "600"], **as_user(user), start_new_session=True) as victim:
        questions = {
            "tree": str(host.tree), "scratch": str(host.scratch), "secret_file": str(secret), "victim": victim.pid,
            "tgkill": shared_calls.SIGNALS["tgkill"][0 if os.uname().machine == "x86_64" else 1],
            **{name: around[name] for name in ("service", "datagrams", "segment")},
        }  # fmt: skip
        try:
            words = ("PYTHON", "-I", "-B", str(host.tree / "probe_shared.py"), json.dumps(questions))
            done = run(user, host.order(*words, jail=jail))
            assert done.returncode == 0, done.stderr
            yield {
                **json.loads(done.stdout.splitlines()[-1]),
                "alive": victim.poll() is None,
                "state": Path(f"/proc/{victim.pid}/stat").read_text().rpartition(")")[2].split()[0],
                "nice": os.getpriority(os.PRIO_PROCESS, victim.pid),
                "cores": os.sched_getaffinity(victim.pid),
                "text": secret.read_text(),
                "after": (secret.stat(), shown.stat(), shown.read_text()),
                "attributes": os.listxattr(shown) + os.listxattr(secret),
            }
        finally:
            victim.kill()
            os.chown(shown, before.st_uid, before.st_gid)
            secret.unlink()


class TestWhatTheMachineShares:
    """What needs no namespace to be refused."""

    def test_another_process_of_the_same_user_can_t_be_looked_into(self, shared: Facts) -> None:
        asked = [fact for fact in shared if fact.endswith("of the victim")]
        assert len(asked) == 14
        for fact in asked:
            assert shared[fact] in REFUSED, (fact, shared[fact])

    def test_nor_signalled_nor_slowed(self, shared: Facts) -> None:
        for fact in (fact for fact in shared if fact.startswith("signal ") and fact != "signal by a file"):
            assert shared[fact] == "EPERM", (fact, shared[fact])
        for fact in ("limits", "priority", "priority of a user", "scheduling"):
            assert shared[fact] == "EPERM", fact
        assert shared["signal by a file"] in ("EPERM", "asked for") and shared["processors"] is None
        assert (shared["alive"], shared["state"]) == (True, "S")
        assert shared["nice"] == os.getpriority(os.PRIO_PROCESS, 0)
        assert shared["cores"] == os.sched_getaffinity(0)

    def test_services_and_shared_memory_are_out_of_reach(self, shared: Facts, around: dict[str, Any]) -> None:
        assert (
            shared["pathname socket"] == "ECONNREFUSED" and shared["datagram by a pair of kind 2"] == "EPERM"
        )
        assert all(shared[f"datagram by a pair of kind {kind}"] in ("EISCONN", "sent") for kind in (1, 5))
        with pytest.raises(BlockingIOError):
            around["box"].recv(10)
        assert shared["socket 1"] is None  # one that reaches nobody
        assert [shared[f"socket {family}"] for family in (2, 10, 16)] == ["EPERM"] * 3
        assert shared["segment"] == "EPERM"
        assert shared["shared memory"] == shared["new shared memory"] == "EACCES"

    def test_files_that_are_not_given_stay_as_they_are(self, shared: Facts) -> None:
        refused = (
            "emptied by name",
            "emptied by opening",
            "emptied by an odd opening",
            "linked",
            "moved",
            "removed",
        )
        for which in ("secret", "shown"):
            for what in refused:
                assert shared[f"{which} {what}"] in (*REFUSED, "EXDEV"), (
                    which,
                    what,
                    shared[f"{which} {what}"],
                )
            assert shared[f"{which} attribute"] == "ENOTSUP"
            assert shared[f"{which} mode"] is shared[f"{which} owner"] is shared[f"{which} times"] is None
        assert shared["secret flagged"] == "EACCES" and shared["shown flagged"] == "ENOTSUP"
        assert shared["subvolume"] == "ENOTSUP" and shared["run the secret"] in REFUSED
        secret, shown, text = shared["after"]
        assert SECRET in shared["text"] and text == "print('training')\n" and shared["attributes"] == []
        for status in (secret, shown):
            assert status.st_mode & 0o777 == 0o644 and status.st_mtime > 1e9 and status.st_nlink == 1

    def test_what_proc_tells_of_others_is_not_shown(self, shared: Facts) -> None:
        for fact in (fact for fact in shared if fact.startswith(("/proc ", "own network"))):
            assert shared[fact] in (*REFUSED, "ENOENT"), (fact, shared[fact])
        assert shared["what a child has"] != 0

    def test_what_honest_programs_do_works(self, shared: Facts, case: tuple[str, str]) -> None:
        if case[0] == "landlock 1":  # before signals had a scope its programs can't end each other
            assert shared["honest"] == "EPERM" and shared["a signal to itself"] is None
        else:
            assert shared["honest"] == {"killed": "-9", "piped": "[1, 2]", "shared": "ok"}
        assert shared["own priority"] is None and isinstance(shared["own limits"], list)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("abi", [1, 2, 3, 6])
def test_the_filter_decides_by_what_landlock_holds(machine: str, abi: int) -> None:
    """Run by an interpreter of our own, for both machines and every version."""
    column = list(ARCHITECTURE).index(machine)
    program = shared_calls.program(abi, machine)
    tables = (shared_calls.REFUSED, shared_calls.UNHEEDED)

    def ask(table: seccomp.Numbers, name: str, *arguments: int) -> int:
        number = table[name][column]
        assert number is not None
        return decide(program, ARCHITECTURE[machine], number, *arguments)

    for table, answer in zip(tables, (EPERM, UNHEEDED), strict=True):
        for name, numbers in table.items():
            assert numbers[column] is None or ask(table, name) == answer, name
    checked = shared_calls.CHECKED
    for kind in range(16):
        for flags in (0, 0x800, 0x80000, 0x80800):
            allowed = kind in (1, 5)
            for name in ("socket", "socketpair"):
                assert ask(checked, name, 1, kind | flags) == (ALLOW if allowed else EPERM)
                assert all(ask(checked, name, family, kind | flags) == EPERM for family in (2, 10, 16, 40))
    assert ask(shared_calls.NOBODY_LISTENS, "connect", 3) == 0x0005006F
    for magic, answer in ((0x66, EOPNOTSUPP), (0x58, EOPNOTSUPP), (0x76, EOPNOTSUPP), (0x94, EOPNOTSUPP)):
        assert ask(checked, "ioctl", 3, 0x40080000 | magic << 8 | 2) == answer
    for request in (
        0x5401,
        0xC020462A,
        0x30000001,
        0x541B,
    ):  # a terminal, an NVIDIA driver, its uvm, bytes to read
        assert ask(checked, "ioctl", 3, request) == ALLOW
    for name in ("prlimit64", "sched_setparam", "sched_setscheduler", "sched_setattr"):
        answers = [ask(checked, name, who) for who in (0, shared_calls.OWN, 1, 4711)]
        assert answers == [ALLOW, ALLOW, EPERM, EPERM]
    assert [ask(checked, "sched_setaffinity", who) for who in (0, 4711)] == [ALLOW, UNHEEDED]
    for name in ("setpriority", "ioprio_set"):
        for of_a_user in (2, 3):
            assert ask(checked, name, of_a_user, 0) == EPERM
        assert [ask(checked, name, 0, who) for who in (0, shared_calls.OWN, 4711)] == [ALLOW, ALLOW, EPERM]

    files = EPERM if abi < 3 else ALLOW
    assert ask(shared_calls.TRUNCATING, "truncate") == files
    for flags, answer in (
        (0x200, files),
        (0x203, files),
        (0x201, ALLOW),
        (0x202, ALLOW),
        (0, ALLOW),
        (3, ALLOW),
    ):
        assert ask(shared_calls.OPENING, "openat", 0, 0, flags) == answer
    assert ask(shared_calls.OPENING_BY_POINTER, "openat2") == (ENOSYS if abi < 3 else ALLOW)
    signals = EPERM if abi < 6 else ALLOW
    for name in shared_calls.SIGNALS:
        assert [ask(shared_calls.SIGNALS, name, who) for who in (0, 4711, 0xFFFFFFFF)] == [
            ALLOW,
            signals,
            signals,
        ]
        for who in (shared_calls.OWN, shared_calls.OWN_GROUP):
            assert ask(shared_calls.SIGNALS, name, who) == ALLOW
    assert ask(shared_calls.SIGNALS_BY_DESCRIPTOR, "pidfd_send_signal") == signals
    for command, answer in ((8, signals), (10, signals), (15, signals), (2, ALLOW), (1030, ALLOW)):
        assert ask(shared_calls.TELLING, "fcntl", 3, command) == answer
    assert ask(checked, "ioctl", 3, 0x8901) == ask(checked, "ioctl", 3, 0x8902) == signals
    other = next(each for name, each in ARCHITECTURE.items() if name != machine)
    assert decide(program, other, 0) == KILL and decide(program, ARCHITECTURE[machine], 600) == ALLOW
    assert shared_calls.program(abi, "riscv64") == b""


@pytest.mark.long
def test_its_own_proc_stays_readable_when_the_kernel_forgets_names(host: World) -> None:
    """What nobody holds open is made anew by /proc, and a rule does not follow it there."""
    if os.geteuid() != 0 or not os.access("/proc/sys/vm/drop_caches", os.W_OK):
        pytest.skip("only root can drop the kernel's caches")
    code = (
        "import sys\nprint('ready', flush=True)\nsys.stdin.readline()\n"
        "names = 'self/status', 'self/maps', 'meminfo', 'sys/vm/overcommit_memory'\n"
        "print(sum(len(open(f'/proc/{name}').read()) > 0 for name in names))"
    )
    process = start(host.order("PYTHON", "-c", code, jail="landlock"), stdin=-1, stdout=-1, text=True)
    assert process.stdout is not None and process.stdin is not None
    assert process.stdout.readline() == "ready\n"
    Path("/proc/sys/vm/drop_caches").write_text("2\n")
    assert process.communicate("go\n", timeout=30)[0] == "4\n"


def test_a_new_kernel_s_versions_are_used_as_far_as_they_are_known() -> None:
    from evaluator.jail.landlock import Landlock, find_landlock

    found = find_landlock()
    if found is None:
        pytest.skip("this kernel has no Landlock")
    assert 1 <= found.abi <= 7 and found.name == "landlock" and isinstance(found, Landlock)
    assert len(found.gaps) <= 6 and all(len(each) < 300 for each in found.gaps)  # as many as the ledger keeps


def test_what_a_jail_leaves_is_out_of_the_next_one_s_sight(host: World, tmp_path: Path) -> None:
    """Names alone would tell it what the one before it saw."""
    from evaluator.jail.in_place import put_away

    first = host.order(
        "/bin/sh", "-c", f"mkdir {tmp_path}/a/saw-it && echo done", scratch_bytes=MIB, jail="landlock"
    )
    for turn, expected in (("left", "known\n"), ("put away", "")):
        order = type(first)(**{**vars(first), "scratch": str(tmp_path / "a")})
        assert start(order, stdout=-1).wait(20) == 0
        if turn == "put away":
            put_away([tmp_path / "a"])
        look = f"for each in {tmp_path}/a/saw-it {tmp_path}/.a-away/a/saw-it; do test -e $each && echo known; done; :"
        order = type(first)(
            **{**vars(first), "scratch": str(tmp_path / "b"), "command": ("/bin/sh", "-c", look)}
        )
        process = start(order, stdout=-1, text=True)
        assert process.communicate(timeout=20)[0] == expected
        if turn == "left":
            (tmp_path / "a" / "saw-it").rmdir()
    (tmp_path / ".a-away").chmod(0o700)


def test_it_ends_with_whoever_is_killed(host: World) -> None:
    """What was launched, or the keeper behind it: nothing of the command outlives either."""
    code = (
        "import os, time\nos.fork()\nos.setsid() if os.fork() == 0 else 0\nos.write(1, b'r')\ntime.sleep(600)"
    )
    for which in ("launched", "keeper"):
        process = start(host.order("PYTHON", "-c", code, jail="landlock"), stdout=subprocess.PIPE)
        assert process.stdout is not None
        said = b""
        while len(said) < 4:
            said += os.read(process.stdout.fileno(), 4)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 1
        os.kill(process.pid if which == "launched" else int(children[0]), 9)
        until = time.monotonic() + 20
        assert process.stdout.read() == b""  # nobody holds it any more
        assert time.monotonic() < until
        process.wait(20)
        process.stdout.close()
