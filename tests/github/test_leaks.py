"""The search for credentials finds one wherever it is planted."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable

import pytest

from tests import leaks
from tests.bot.repositories import git
from tests.github.context import Context
from tests.github.records import CheckRun
from tests.github.repository import now

pytestmark = pytest.mark.doubles

PLANTED = "ghs_" + "PlantedForTheSearch" * 2


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    """A credential that is one for the length of this test only."""
    monkeypatch.setattr(leaks, "_given", {PLANTED})
    monkeypatch.setattr(leaks, "_searched", set())
    return PLANTED


def check_run(context: Context, text: str) -> None:
    home = context.repository
    output = {"title": "t", "summary": "s", "text": text}
    who = home.owner.login
    home.contents.check_runs[1] = CheckRun(
        1, "0" * 40, "n", "completed", "success", now(), None, None, "", output, who
    )


def artifact(context: Context, text: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("handover.json", f"{text} " * 9)
    context.repository.artifact("handover", packed.getvalue())


def unreachable(context: Context, text: str) -> None:
    file = context.path.parent / "once"
    file.write_text(text)
    git(context.path, "hash-object", "-w", str(file))
    file.unlink()


def commit(context: Context, text: str) -> None:
    context.commit(text, {"a": "b"})
    context.push("exp-2")


PLACES: dict[str, Callable[[Context, str], object]] = {
    "an issue": lambda context, text: context.rest.create_issue("t", body=f"see {text}"),
    "a comment": lambda context, text: context.rest.create_pull(
        title="t", body="", head="exp-1", base="main"
    ).create_issue_comment(text),
    "a status": lambda context, text: context.rest.get_branch("main").commit.create_status(
        "success", description=text
    ),
    "a check run": check_run,
    "an artifact": artifact,
    "a git object": unreachable,
    "a commit": commit,
    "a file": lambda context, text: (context.path / "left").write_text(f"url = https://{text}@example.org"),
    "a header": lambda context, text: (
        (context.path / ".git/config")
        .open("a")
        .write(f"# basic {base64.b64encode(f'x-access-token:{text}'.encode()).decode()}\n")
    ),
    "what was printed": lambda context, text: leaks.PRINTED.append(text),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_planted_credential_is_found(context: Context, place: str, secret: str) -> None:
    assert leaks.search([context.path.parent], leaks.PRINTED) == []
    PLACES[place](context, secret)
    found = leaks.search([context.path.parent], leaks.PRINTED)
    assert found and secret not in "".join(found)
    leaks.PRINTED.clear()


@pytest.mark.parametrize("before", range(3))
def test_base64_is_seen_through(secret: str, before: int) -> None:
    for after in range(3):
        assert leaks.tells(base64.b64encode(b"x" * before + secret.encode() + b"y" * after))
    assert not leaks.tells(base64.b64encode(secret[:20].encode() * 2))


def seen(watch: leaks.Watch, command: list[str], environ: dict[str, str]) -> list[str]:
    """Run a command that waits until the watch has seen something; return what, and let it be forgotten."""

    def until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    with subprocess.Popen(command, env=environ) as process:
        try:
            until(lambda: bool(watch.found))
        finally:
            process.kill()
    looks = watch.looks
    until(lambda: watch.looks > looks + 1)
    found = list(watch.found)
    watch.found.clear()
    return found


def test_a_command_line_is_seen(context: Context, secret: str, processes: leaks.Watch) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)", f"--token={secret}"]
    found = seen(processes, command, {})
    assert all("command line" in each and secret not in each for each in found)


def test_the_environment_of_a_jailed_process_is_seen(
    context: Context, secret: str, processes: leaks.Watch
) -> None:
    jailed = ["unshare", "--pid", "--kill-child", "--user", "--map-root-user", "sleep", "60"]
    if subprocess.run([*jailed[:-2], "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine makes no namespaces")
    found = seen(processes, jailed, {"PATH": "/usr/bin:/bin", "KEY": secret})
    assert all("environment" in each and secret not in each for each in found)
