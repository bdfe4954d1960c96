"""Every way out of a jail that the probe tries, by a new bubblewrap and an old one, as root and as a plain user."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from evaluator.jail.bubblewrap import Bubblewrap
from tests.evaluator.jail.conftest import Facts
from tests.evaluator.jail.launcher import jail_named
from tests.evaluator.jail.world import MIB, NOBODY, SECRET, World

_GONE = ("ENOENT", "EACCES")


def test_no_network(facts: Facts) -> None:
    assert facts["loopback"] == "ECONNREFUSED"  # of its own loopback, where nobody listens
    assert facts["far"] == "ENETUNREACH"
    assert facts["names"] == "no name service"
    assert [name for _, name in facts["interfaces"]] == ["lo"]
    assert facts["abstract"] == "ECONNREFUSED"
    assert facts["vsock"] == facts["crypto"] == "EPERM"


def test_no_process_of_the_host_is_seen_or_reached(facts: Facts) -> None:
    assert 2 <= len(facts["processes"]) <= 3
    assert "1" in facts["processes"]
    assert facts["kill victim"] == "ESRCH"


def test_every_namespace_is_its_own(facts: Facts) -> None:
    for name, inside in facts["namespaces"].items():
        if name not in ("time", "time_for_children"):
            assert inside != str(Path("/proc/self/ns", name).readlink()), name
    assert {"user", "pid", "net", "ipc", "uts", "mnt"} <= set(facts["namespaces"])


def test_process_1_tells_nothing_and_takes_nothing(facts: Facts, case: tuple[str, str]) -> None:
    assert facts["environ of 1"] == ""
    assert facts["memory of 1"] in ("EACCES", "EROFS")
    for told in facts["processes"].values():
        assert SECRET not in told
        assert "--setenv" not in told
        assert "bind" not in told
    assert (
        facts["SIGKILL to 1"]
        is facts["SIGTERM to 1"]
        is facts["SIGINT to 1"]
        is facts["SIGUSR1 to 1"]
        is None
    )
    assert facts["descriptors of 1"] == "EACCES" or len(facts["descriptors of 1"]) <= 4  # an event counter


def test_environment_is_exactly_what_was_given(facts: Facts) -> None:
    given = sorted(f"{name}={value}" for name, value in facts["env"].items())
    assert sorted(facts["own environ"].split("\0")[:-1]) == given


def test_only_what_was_named_is_there(facts: Facts, host: World, case: tuple[str, str]) -> None:
    system = {"bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "sys", "tmp", "usr"}
    named = {path.split("/")[1] for path in facts["asked"]["installed"]}
    assert set(facts["root"]) <= system | named
    named_by_view = {f"/{name}" for name in named}
    for fact in (name for name in facts if name.startswith("see ")):
        if fact.removeprefix("see ") not in named_by_view:
            assert facts[fact] is False, fact


def test_secrets_are_out_of_reach_by_any_way(facts: Facts) -> None:
    asked = [fact for fact in facts if fact.startswith("secret ")]
    assert len(asked) == 10
    for fact in (*asked, "way out", "own way out"):
        assert facts[fact] in _GONE, fact
    assert facts["own link"] is None
    assert facts["hard link"] == "EXDEV"


def test_everything_but_the_scratch_is_read_only(facts: Facts, host: World) -> None:
    asked = [fact for fact in facts if fact.startswith("write /") and fact != "write shelf"]
    assert len(asked) >= 8
    for fact in (
        *asked,
        "mode",
        "owner",
        "times",
        "unlink",
        "library",
        "write hidden",
        "write hidden folder",
    ):
        assert facts[fact] in ("EROFS", "EACCES", "EPERM", "ENOENT"), (fact, facts[fact])
    assert facts["rename"] in ("EBUSY", "EROFS", "EXDEV")
    assert facts["unlink hidden"] in ("EBUSY", "EROFS", "EACCES", "EPERM")
    assert facts["writable in proc"] == []
    guarded = os.ST_RDONLY | os.ST_NOSUID | os.ST_NODEV
    assert [flags & guarded for flags in facts["flags"][:3]] == [guarded] * 3
    assert facts["flags"][3] & os.ST_RDONLY
    assert facts["write shelf"] == "written"
    assert (host.folder / "shelf" / f"planted{facts['user']}").read_text() == "x"
    assert (host.tree / "hidden.txt").read_text() == SECRET
    assert not list(host.tree.glob("planted*"))


def test_no_devices_no_privileges(facts: Facts, case: tuple[str, str]) -> None:
    assert facts["block device"] == facts["character device"] == "EPERM"
    minimal = "core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero"
    assert facts["devices"] == minimal.split()
    assert facts["terminal"] == "ENXIO"
    assert {int(facts[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert facts["NoNewPrivs"] == "1"
    assert facts["Seccomp:"] == "2"
    assert facts["setuid"] == str(facts["user"])
    assert facts["become root"] in ("EPERM", "EINVAL")
    assert facts["session"] is True


def test_the_setuid_program_of_these_tests_works_outside(host: World) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a setuid program of root's")
    done = subprocess.run([host.tree / "id", "-u"], user=NOBODY, capture_output=True, text=True)
    assert done.stdout.strip() == "0"


def test_dangerous_system_calls_are_refused(facts: Facts) -> None:
    calls = {fact: said for fact, said in facts.items() if fact.startswith(("call ", "unshare "))}
    assert len(calls) > 40
    assert set(calls.values()) == {"EPERM"}


def test_no_file_system_can_be_flooded(facts: Facts, case: tuple[str, str]) -> None:
    jail = jail_named(case[0])
    if isinstance(jail, Bubblewrap) and not jail.holds_quota:
        pytest.skip("this bubblewrap can't hold a quota: Limits.file_bytes is what is left")
    for place in (facts["asked"]["scratch"], "/tmp", "/dev/shm"):
        assert facts[f"left of {place}"] == 4 * MIB
        assert 3 * MIB <= facts[f"flood {place}"] <= 4 * MIB


def test_hidden_is_empty_by_every_path(facts: Facts) -> None:
    hidden = [fact for fact in facts if fact.startswith("hidden ")]
    assert len(hidden) == 10
    for fact in hidden:
        assert facts[fact] == ([] if "folder" in fact else ""), fact


def test_only_given_descriptors_are_open(facts: Facts) -> None:
    assert facts["descriptors"] == [facts["asked"]["fd"]]
    assert facts["passed"] == "hello"


def test_limits_are_set(facts: Facts) -> None:
    assert facts["limits"] == [[100, 100], [64 * MIB, 64 * MIB], [1, 1]]
    assert facts["oom score"] == "EROFS"
    assert facts["oom"] == "1000"


def test_one_user_of_its_own_and_one_host(facts: Facts, case: tuple[str, str]) -> None:
    assert facts["users"] == [["jail", facts["user"]]]
    assert (facts["user"] == os.getuid()) == (case[1] == "self")
    assert facts["host name"] == "jail"
    assert facts["folder"] == "/tmp"
