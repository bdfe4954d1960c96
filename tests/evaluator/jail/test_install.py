"""The distribution's bubblewrap is unpacked by whoever has no root, and one line says so if it can't be had."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from evaluator import cli
from evaluator.errors import UserError
from evaluator.jail import install
from tests.evaluator.jail.world import ROOT

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="makes a Debian package")


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH without bwrap, and nothing beside our Python or in the cache."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("dpkg", "dpkg-deb", "tar", "cp", "sh"):
        (folder / name).symlink_to(shutil.which(name) or "/bin/false")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(install, "BESIDE", tmp_path)
    return folder


def apt(tools: Path, text: str) -> None:
    (tools / "apt-get").write_text(f"#!/bin/sh\n{text}\n")
    (tools / "apt-get").chmod(0o755)


def package(folder: Path, tools: Path, program: str) -> str:
    """Make a Debian package whose bwrap is `program`, and return the line by which apt-get downloads it."""
    for name in ("DEBIAN", "usr/bin"):
        (folder / "content" / name).mkdir(parents=True)
    (folder / "content/DEBIAN/control").write_text(
        "Package: bubblewrap\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.invalid>\nDescription: x\n"
    )
    (folder / "content/usr/bin/bwrap").write_text(program)
    (folder / "content/usr/bin/bwrap").chmod(0o755)
    deb = folder / "bubblewrap_1_all.deb"
    words = [str(tools / "dpkg-deb"), "--build", str(folder / "content"), str(deb)]
    subprocess.run(words, check=True, capture_output=True, env={"PATH": os.defpath})
    return f"cp {deb} ."


@needs_dpkg
@pytest.mark.parametrize("lists", ["of the machine", "of our own"])
def test_the_package_is_unpacked_and_found(tmp_path: Path, temporary: Path, tools: Path, lists: str) -> None:
    copy = package(tmp_path, tools, "#!/bin/sh\necho bubblewrap 9\n")
    case = "*Dir::Cache=*download*" if lists == "of our own" else "*download*"
    apt(tools, f'case "$*" in {case}) {copy} ;; *Dir::State=*update*) ;; *) exit 100 ;; esac')
    assert install.find() is None
    made = install.unpack(install.cached())
    assert install.find() == str(made) == str(tmp_path / "cache/nocturne/bin/bwrap")
    said = subprocess.run([made, "--version"], capture_output=True, text=True, check=True)
    assert said.stdout == "bubblewrap 9\n"
    assert [path.name for path in made.parent.iterdir()] == ["bwrap"] and not list(temporary.iterdir())


@needs_dpkg
def test_one_that_does_not_start_here_is_named(tmp_path: Path, tools: Path) -> None:
    apt(tools, package(tmp_path, tools, "#!/bin/sh\necho libcap.so.2 is missing >&2\nexit 1\n"))
    with pytest.raises(
        UserError, match=r"could not be fetched \(libcap.so.2 is missing\): apt install bubblewrap"
    ):
        install.unpack(install.cached())
    assert not install.cached().exists()


@pytest.mark.parametrize(
    ("program", "said"),
    [("echo E: no network >&2; exit 100", "E: no network"), ("exit 0", "no package came")],
)
def test_no_package_to_be_had_is_one_line(tools: Path, program: str, said: str) -> None:
    apt(tools, program)
    with pytest.raises(UserError, match="bubblewrap is missing and could not be fetched") as caught:
        install.unpack(install.cached())
    assert f"({said}): apt install bubblewrap" in str(caught.value) and "\n" not in str(caught.value)


@needs_dpkg
def test_the_set_up_unpacks_it_beside_its_python_unless_there_is_one(tmp_path: Path, tools: Path) -> None:
    apt(tools, package(tmp_path, tools, "#!/bin/sh\n"))
    assert cli.main(["jail", "--into", str(tmp_path / "bin")]) == 0
    assert [path.name for path in (tmp_path / "bin").iterdir()] == ["bwrap"]
    (tools / "bwrap").symlink_to(tmp_path / "bin" / "bwrap")
    assert cli.main(["jail", "--into", str(tmp_path / "other")]) == 0
    assert not (tmp_path / "other").exists()


def test_a_set_up_needs_nothing_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "evaluator", "jail", "--help"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
