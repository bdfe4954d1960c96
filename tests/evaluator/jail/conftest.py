"""One world for all tests of jails, and what came of every attempt to get out of each of them."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluator.jail import seccomp
from tests.evaluator.jail.world import World, run, world
from tests.evaluator.pythons import running_paths

Facts = dict[str, Any]


@pytest.fixture(scope="session", autouse=True)
def cache() -> None:
    """In the place of the one for all tests of the evaluator: nothing here needs data prepared."""


@pytest.fixture(scope="session")
def host() -> Iterator[World]:
    with world() as made:
        yield made


@pytest.fixture(
    scope="session",
    params=[
        ("bubblewrap", "self"),
        pytest.param(("bubblewrap", "plain"), marks=pytest.mark.long),
        pytest.param(("bubblewrap 0.6", "self"), marks=pytest.mark.long),
    ],
    ids=lambda pair: " as ".join(pair),
)
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A jail, and the user who makes it."""
    jail, user = request.param
    return jail, user


@pytest.fixture(scope="session")
def facts(host: World, case: tuple[str, str]) -> Facts:
    """What probe.py reports from inside the jail."""
    return facts_of(host, *case)


def facts_of(host: World, jail: str, user: str) -> Facts:
    """Return what probe.py reports from inside a jail; `passed` is what it wrote to the one descriptor it got."""
    number = {"x86_64": 0, "aarch64": 1}.get(platform.machine())
    if number is None:
        pytest.skip("system calls are filtered on x86_64 and aarch64 only")
    shutil.rmtree(host.scratch, ignore_errors=True)  # of a jail whose keeper another test has killed
    reader, writer = os.pipe()
    stray = os.open(host.folder / "secret.txt", os.O_RDONLY)
    os.set_inheritable(stray, True)
    questions = {
        "tree": str(host.tree),
        "scratch": str(host.scratch),
        "shelf": str(host.folder / "shelf"),
        "library": str(host.folder / "library"),
        "alias": str(host.folder / "alias"),
        "secret_file": str(host.folder / "secret.txt"),
        "shared_memory": str(host.shared_memory),
        "port": host.port,
        "abstract": host.abstract,
        "installed": [str(path) for path in running_paths() if path.is_dir()] if user == "self" else [],
        "calls": {name: numbers[number] for name, numbers in seccomp.REFUSED.items()},
        "unshare": seccomp.REFUSED["unshare"][number],
        "clone": {"user": 0x10000000, "mount": 0x00020000, "net": 0x40000000},
        "fd": writer,
    }
    env = {"ONLY": "this", "EMPTY": "", "PYTHONCOERCECLOCALE": "0"}
    # Started now: a tried file that another test of this process ends takes all children of the process along.
    with subprocess.Popen(["/bin/sleep", "600"]) as victim:
        try:
            questions["victim"] = victim.pid
            probe = ("PYTHON", "-I", "-B", str(host.tree / "probe.py"), json.dumps(questions))
            done = run(user, host.order(*probe, jail=jail, env=env, fds=(writer,)))
            assert victim.poll() is None
        finally:
            victim.kill()
    os.close(stray)
    os.close(writer)
    passed = os.read(reader, 100)
    os.close(reader)
    assert done.returncode == 0, done.stderr
    assert not Path(host.scratch).exists()
    return {**json.loads(done.stdout), "passed": passed.decode(), "asked": questions, "env": env}
