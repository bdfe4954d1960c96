"""The working folder of a jail: a copy that may be written to, within its bound, and that is gone afterwards."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from evaluator.jail import bubblewrap, unjailed
from evaluator.jail.file_system import FileSystem, TreeCopy
from evaluator.jail.launch import Jail
from evaluator.jail.limits import ProcessLimits
from evaluator.jail.mounts import mounts
from tests.evaluator.jail.world import skip_unless_possible

MIB = 1 << 20
KINDS = ("bubblewrap", "none")
PLACE = "/home/somebody/their repository"


def jail_of(kind: str) -> Jail:
    skip_unless_possible(jail=kind)
    if kind == "bubblewrap":
        found = bubblewrap.find_bubblewrap()
        assert found is not None
        return found
    return unjailed.Unjailed()


def run(
    jail: Jail, file_system: FileSystem, line: str, env: dict[str, str] | None = None, below: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a shell in the working folder of `file_system`, or in the folder `below` it."""
    assert file_system.tree is not None
    words = ("/bin/sh", "-c", line)
    launch = jail.launch(
        words,
        env=env or {},
        folder=file_system.tree.place / below,
        file_system=file_system,
        limits=ProcessLimits(),
    )
    try:
        return subprocess.run(
            launch.argv, env=dict(launch.env), cwd=launch.folder, pass_fds=launch.fds, capture_output=True,
            text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        launch.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("tree/pkg", "more/pkg", "large/inner"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "tree/pkg/code.py").write_text("first")
    (tmp_path / "tree/run.sh").write_text("#!/bin/sh\necho ran\n")
    (tmp_path / "tree/run.sh").chmod(0o755)
    os.utime(tmp_path / "tree/run.sh", (1e9, 1e9))
    (tmp_path / "tree/out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "more/pkg/code.py").write_text("second")
    (tmp_path / "more/pkg/data.txt").write_text("data")
    (tmp_path / "large/inner/big").write_text("big")
    return tmp_path


def view_of(folder: Path, kind: str, size: int = 64 << 10, **more: object) -> FileSystem:
    place = folder / "place" if kind == "none" else Path(PLACE)
    scratch = folder / "scratch" if kind == "none" else Path("/tmp/nocturne/run")
    placed = (
        (folder / "large", place / "pkg" / "large"),
        (folder / "large", place / "out" / "large"),
        (folder / "large", place / "pkg" / "code.py"),
        (folder / "gone", place / "gone"),
    )
    tree = TreeCopy(place, (folder / "tree", folder / "more"), size)
    return FileSystem(read_only=(), scratch=scratch, scratch_bytes=MIB, tree=tree, placed=placed, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_it_begins_as_a_copy_and_may_be_changed(folder: Path, kind: str) -> None:
    line = (
        "cat pkg/code.py pkg/data.txt pkg/large/inner/big && ./run.sh && stat -c %Y run.sh && readlink out"
        " && echo changed > pkg/code.py && mkdir -p ckpt/1 && echo x > ckpt/1/model.pt && rm run.sh && ls gone"
    )
    done = run(jail_of(kind), view_of(folder, kind), line)
    assert done.stdout == f"firstdatabigran\n1000000000\n{folder}/elsewhere\n"
    assert "gone" in done.stderr and done.stderr.count("\n") == 1
    assert (folder / "tree/pkg/code.py").read_text() == "first" and (folder / "tree/run.sh").exists()
    assert not (folder / "tree/ckpt").exists() and not (folder / "elsewhere").exists()


def test_a_command_may_begin_in_a_folder_of_it(folder: Path) -> None:
    done = run(jail_of("bubblewrap"), view_of(folder, "bubblewrap"), "pwd && cat code.py", below="pkg")
    place = Path(PLACE)
    assert done.stdout == f"{place}/pkg\nfirst", done.stderr


def test_each_jail_has_its_own_and_what_is_placed_stays_as_it_is(folder: Path) -> None:
    file_system = view_of(folder, "bubblewrap")
    first = run(
        jail_of("bubblewrap"), file_system, "echo planted > pkg/code.py; echo x > pkg/large/inner/big"
    )
    assert "Read-only file system" in first.stderr and first.stderr.count("\n") == 1
    assert (
        run(jail_of("bubblewrap"), file_system, "cat pkg/code.py; ls pkg").stdout
        == "firstcode.py\ndata.txt\nlarge\n"
    )
    assert (folder / "large/inner/big").read_text() == "big"
    assert not Path(PLACE).exists()


def test_it_holds_the_bound_besides_what_it_began_with(folder: Path) -> None:
    jail = jail_of("bubblewrap")
    if isinstance(jail, bubblewrap.Bubblewrap) and not jail.holds_quota:
        pytest.skip("this bubblewrap holds no quota")
    (folder / "tree/weights").write_bytes(bytes(2 * MIB))
    file_system = view_of(folder, "bubblewrap", 2 * MIB + (64 << 10))
    loop = 'while head -c 4096 /dev/zero > "f$i"; do i=$((i+1)); test $i -lt 600 || break; done'
    fill = f"i=0; {loop} 2>/dev/null; echo $i"
    written = int(run(jail, file_system, fill).stdout)
    assert 200 < written < 300, written


def test_the_command_gets_the_environment_that_was_given_and_no_more(folder: Path) -> None:
    done = run(
        jail_of("bubblewrap"),
        view_of(folder, "bubblewrap"),
        "exec /usr/bin/env",
        {"ONLY": "this", "OLDPWD": "/x"},
    )
    given = {line for line in done.stdout.splitlines() if not line.startswith(("PWD=", "_=", "SHLVL="))}
    assert given == {"ONLY=this", "OLDPWD=/x"}


def test_what_is_hidden_is_never_copied_in(folder: Path) -> None:
    with pytest.raises(ValueError, match="can't be hidden"):
        mounts(view_of(folder, "bubblewrap", hidden=(folder / "tree/pkg/code.py",)))


def test_a_working_folder_may_hold_what_else_is_shown_and_lie_in_it(folder: Path) -> None:
    outer = folder / "outer"
    (outer / "repository" / ".venv").mkdir(parents=True)
    (outer / "repository" / ".venv" / "tool").write_text("tool")
    (outer / "repository" / "own").write_text("the user's own copy")
    (outer / "near.txt").write_text("near")
    tree = TreeCopy(outer / "repository", (folder / "more",), 64 << 10)
    shown = (outer, outer / "repository" / ".venv")
    file_system = FileSystem(read_only=shown, scratch=Path("/tmp/nocturne/run"), scratch_bytes=MIB, tree=tree)
    done = run(
        jail_of("bubblewrap"), file_system, "cat .venv/tool ../near.txt pkg/code.py; ls -A; echo x > .venv/y"
    )
    assert done.stdout == "toolnearsecond.venv\npkg\n"
    assert "Read-only" in done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_links_lead_out_of_the_scratch_folder(folder: Path, kind: str) -> None:
    links = ((".cache/hub/models--a", folder / "large"), (".cache/hub/models--b", folder / "gone"))
    file_system = view_of(folder, kind, links=links)
    if kind != "none":
        file_system = FileSystem(**{**vars(file_system), "read_only": (folder / "large",)})
    hub = f"{file_system.scratch}/.cache/hub"
    line = f"cd '{hub}' && cat models--a/inner/big && touch .lock && ls"
    assert run(jail_of(kind), file_system, line).stdout == "bigmodels--a\nmodels--b\n"
