"""Which jail is taken, and what is said where none can be had."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import evaluator.jail as jails
from evaluator.errors import UserError
from evaluator.jail import choose, install
from evaluator.jail.bubblewrap import Bubblewrap, find_bubblewrap
from tests.evaluator.jail.world import ROOT, SECRET, World, run, skip_unless_possible


@pytest.fixture(autouse=True)
def untried() -> None:
    jails._try.cache_clear()


@pytest.fixture
def possible() -> None:
    """For tests in which a real jail is made."""
    skip_unless_possible()


def program(folder: Path, text: str) -> str:
    """Make a bwrap of `text`, and return the PATH on which it comes first."""
    path = folder / "bwrap"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def installed() -> str:
    found = find_bubblewrap()
    assert found is not None
    return found.bwrap


@pytest.mark.usefixtures("possible")
def test_bubblewrap_is_what_is_taken() -> None:
    assert choose("auto").name == choose("bubblewrap").name == "bubblewrap"


@pytest.mark.usefixtures("possible")
def test_a_trial_is_made_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = installed()
    monkeypatch.setenv("PATH", program(tmp_path, f'echo x >> {tmp_path}/log\nexec {real} "$@"'))
    assert [choose("bubblewrap").name for _ in range(3)] == ["bubblewrap"] * 3
    asked_for_options = 3
    assert len((tmp_path / "log").read_text().split()) == asked_for_options + 1


def test_without_bubblewrap_and_without_a_package_there_is_no_jail(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(install, "BESIDE", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(jails, "find_landlock", lambda: None)
    for wanted in ("auto", "bubblewrap"):
        with pytest.raises(UserError, match=r"apt install bubblewrap.*dnf.*pacman.*`jail: none`") as caught:
            choose(wanted)
        assert "\n" not in str(caught.value)
        assert capfd.readouterr().err.count("\n") == 1


@pytest.mark.usefixtures("possible")
def test_where_there_is_none_the_package_is_unpacked_into_the_cache_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    real = installed()

    def unpack(folder: Path) -> Path:
        folder.mkdir(parents=True)
        (folder / "bwrap").symlink_to(Path(real).resolve())
        return folder / "bwrap"

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(install, "BESIDE", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(install, "unpack", unpack)
    assert [choose("auto").name for _ in range(2)] == ["bubblewrap"] * 2
    assert capfd.readouterr().err.count("unpacking the distribution's package") == 1
    found = find_bubblewrap()
    assert found is not None and found.bwrap == str(tmp_path / "cache/nocturne/bin/bwrap")


@pytest.mark.usefixtures("possible")
def test_one_beside_our_python_is_found_if_path_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    beside = tmp_path / "bin"
    beside.mkdir()
    (beside / "bwrap").symlink_to(Path(installed()).resolve())
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(install, "BESIDE", beside)
    found = find_bubblewrap()
    assert found is not None and found.bwrap == str(beside / "bwrap")
    assert choose("bubblewrap") == found


@pytest.mark.usefixtures("possible")
def test_a_broken_bubblewrap_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    refusal = "bwrap: setting up uid map: Permission denied"
    monkeypatch.setenv("PATH", program(tmp_path, f"echo '{refusal}' >&2; echo more >&2; exit 1"))
    with pytest.raises(UserError, match=refusal) as caught:
        choose("bubblewrap")
    assert "more" not in str(caught.value)
    assert "apt install bubblewrap" not in str(caught.value)


@pytest.mark.usefixtures("possible")
def test_an_old_bubblewrap_without_quotas_serves_and_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    real = shlex.quote(installed())
    old = f'[ "$1" = --help ] && {{ {real} --help | grep -v -e --size -e --disable-userns; exit; }}; exec {real} "$@"'
    monkeypatch.setenv("PATH", program(tmp_path, old))
    found = find_bubblewrap()
    assert isinstance(found, Bubblewrap)
    assert found.options == frozenset()
    assert choose("auto") == found
    assert capfd.readouterr().err == (
        f"{tmp_path}/bwrap: holds no quota of what a run writes; bubblewrap 0.7 and later do\n"
    )


def test_what_the_machine_forbids_is_named_with_the_mend(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    forbidden = {
        "kernel/apparmor_restrict_unprivileged_userns": "1",
        "kernel/unprivileged_userns_clone": "0",
        "user/max_user_namespaces": "0",
    }
    monkeypatch.setattr(jails, "_setting", lambda name: forbidden[name])
    monkeypatch.setenv("PATH", program(tmp_path, "exit 1"))
    with pytest.raises(UserError) as caught:
        choose("bubblewrap")
    said = str(caught.value)
    assert "\n" not in said
    for mend in (
        "bwrap-userns-restrict",
        "sysctl -w kernel.unprivileged_userns_clone=1",
        "sysctl -w user.max_user_namespaces=",
        "`jail: none`",
    ):
        assert mend in said


def in_container(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run our command where no namespace is to be had."""
    skip_unless_possible(jail="landlock")
    container = [sys.executable, "-B", "-m", "tests.evaluator.jail.container"]
    return subprocess.run(
        [*container, sys.executable, "-I", "-m", "evaluator", *words],
        env={**os.environ, **env}, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_where_no_namespace_is_to_be_had_auto_is_landlock_and_one_line_says_so() -> None:
    done = in_container("jail")
    assert (done.returncode, done.stdout) == (0, "landlock\n"), done.stderr
    assert "Landlock makes one, which leaves more open" in done.stderr and done.stderr.count("\n") == 1
    refused = in_container("jail", "bubblewrap")
    assert refused.returncode == 2 and "no jail can be made" in refused.stderr
    assert "or set `jail: none`" in refused.stderr and refused.stderr.count("\n") == 1
    asked_for = in_container("jail", "landlock")
    assert (asked_for.stdout, asked_for.stderr) == ("landlock\n", "")


def test_there_a_missing_bubblewrap_is_not_fetched_in_vain(tmp_path: Path) -> None:
    """It could make nothing."""
    code = (
        "import sys; from pathlib import Path; from evaluator.jail import choose, install\n"
        "install.find = lambda last=None: None\n"
        "print(choose('auto').name)\n"
    )
    skip_unless_possible(jail="landlock")
    container = [sys.executable, "-B", "-m", "tests.evaluator.jail.container", sys.executable, "-c", code]
    done = subprocess.run(container, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "landlock\n", done.stderr
    assert "unpacking" not in done.stderr and "make no user namespaces" in done.stderr


def test_without_either_all_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jails, "find_landlock", lambda: None)
    monkeypatch.setenv("PATH", program(tmp_path, "echo 'bwrap: No permissions' >&2; exit 1"))
    with pytest.raises(UserError, match=r"bwrap: No permissions; this kernel has no Landlock.*`jail: none`"):
        choose("auto")
    with pytest.raises(UserError, match=r"this kernel has no Landlock.*`jail: none`"):
        choose("landlock")


# Asked inside a jail, where nothing but this stands in the environment of any process.
_ASK = """
import sys
sys.path.insert(0, {root!r})
from evaluator.errors import UserError
from evaluator.jail import choose
try:
    print(choose("none").name)
except UserError as error:
    print(error)
"""


def ask(host: World, line: str, **env: str) -> str:
    """Return what `choose("none")` says where `line`, a shell's, runs it as "$@"."""
    words = ("PYTHON", "-I", "-c", _ASK.format(root=str(ROOT)))
    command = ("/bin/sh", "-c", f"{line}; exit $?", "sh", *words)
    file_system: dict[str, Any] = {"read_only": (str(ROOT / "evaluator"),)}
    done = run("self", host.order(*command, env={"PATH": "/usr/bin:/bin"} | env, **file_system))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_none_is_given_where_no_credentials_are_in_sight(host: World) -> None:
    harmless = {"TOKENIZERS_PARALLELISM": "false", "GITHUB_TOKEN": "", "HOME": "/tmp"}
    assert ask(host, '"$@"', **harmless) == "none"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "GITHUB_TOKEN",
            "hf_token",
            "CLIENT_SECRET",
            "DB_PASSWORD",
            "MYSQL_PASSWD",
            "ANTHROPIC_API_KEY",
            "APIKEY",
        ),
        *("GOOGLE_APPLICATION_CREDENTIALS", "SLACK_WEBHOOK_URL", "SSH_PRIVATE_KEY", "AWS_ACCESS_KEY_ID"),
    ],
)
def test_a_credential_of_ours_refuses_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for each in list(os.environ):
        monkeypatch.delenv(each)
    monkeypatch.setenv(name, SECRET)
    with pytest.raises(UserError) as caught:
        choose("none")
    assert f"{name} is in the environment of this process ({os.getpid()})" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_credential_of_a_process_above_refuses_none(host: World) -> None:
    said = ask(host, 'env -u SLACK_TOKEN sh -c \'"$@"; exit $?\' sh "$@"', SLACK_TOKEN=SECRET)
    assert "SLACK_TOKEN is in the environment of process" in said
    assert "(sh)" in said
    assert "env -u SLACK_TOKEN" in said
    assert SECRET not in said


def test_a_credential_taken_away_after_the_start_is_still_seen(host: World) -> None:
    code = "import os; del os.environ['MY_SECRET'];" + _ASK.format(root=str(ROOT))
    order = host.order(
        "PYTHON",
        "-I",
        "-c",
        code,
        env={"MY_SECRET": SECRET},
        read_only=(str(ROOT / "evaluator"),),
    )
    assert "MY_SECRET is in the environment of process" in run("self", order).stdout
