"""What a file system becomes: in the list of mounts, and where it is easier to see, inside a jail."""

from __future__ import annotations

import dataclasses
import os
import shutil
import stat
from pathlib import Path

import pytest

from evaluator.jail import bubblewrap, install
from evaluator.jail import mounts as module
from evaluator.jail.file_system import FileSystem
from evaluator.jail.mounts import Mount, in_system, mounts
from tests.evaluator.jail.world import World, start


def made(
    folder: Path,
    *,
    read_only: tuple[str, ...] = (),
    writable: tuple[str, ...] = (),
    hidden: tuple[str, ...] = (),
) -> list[tuple[str, str]]:
    """Return the mounts below `folder` that a file system of names below `folder` becomes, but for folders."""
    file_system = FileSystem(
        read_only=tuple(folder / name for name in read_only),
        writable=tuple(folder / name for name in writable),
        hidden=tuple(folder / name for name in hidden),
        scratch=Path("/scratch"),
        scratch_bytes=1000,
    )
    return [
        (each.kind, each.target.removeprefix(f"{folder}/"))
        for each in mounts(file_system)
        if each.target.startswith(f"{folder}/") and each.kind != "folder"
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("tree/data/deep", "other"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("tree/a.txt", "tree/data/b.txt", "other/c.txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "link").symlink_to("tree")
    return tmp_path


def test_missing_paths_are_left_out(folder: Path) -> None:
    assert made(folder, read_only=("tree", "gone"), hidden=("tree/gone", "gone")) == [("bind", "tree")]


def test_a_later_bind_may_lie_inside_an_earlier_one(folder: Path) -> None:
    assert made(folder, read_only=("tree",), writable=("tree/data",)) == [
        ("bind", "tree"),
        ("bind_rw", "tree/data"),
    ]


def test_hidden_is_covered_wherever_it_is_seen(folder: Path) -> None:
    assert made(folder, read_only=("tree", "link", "other"), hidden=("link/a.txt", "tree/data")) == [
        *(("bind", "tree"), ("bind", "link"), ("bind", "other")),
        *(("bind", "tree/a.txt"), ("bind", "link/a.txt")),
        *(("tmpfs", "tree/data"), ("tmpfs", "link/data")),
        *(("seal", "tree/data"), ("seal", "link/data")),
    ]


def test_what_nobody_sees_needs_no_cover(folder: Path) -> None:
    assert made(folder, read_only=("other",), hidden=("tree/a.txt",)) == [("bind", "other")]


def test_inside_something_hidden_nothing_is_shown(folder: Path) -> None:
    assert made(folder, read_only=("tree/data/deep", "other"), hidden=("tree",)) == [("bind", "other")]
    hidden = ("tree/data/deep", "tree/data", "tree/data/b.txt")
    assert made(folder, read_only=("tree",), hidden=hidden) == [
        ("bind", "tree"),
        ("tmpfs", "tree/data"),
        ("seal", "tree/data"),
    ]


def test_what_two_binds_show_is_covered_once(folder: Path) -> None:
    shown = made(folder, read_only=("tree",), writable=("tree/data",), hidden=("tree/data/b.txt",))
    assert shown == [("bind", "tree"), ("bind_rw", "tree/data"), ("bind", "tree/data/b.txt")]


def test_a_link_inside_a_bound_folder_is_followed(folder: Path) -> None:
    (folder / "tree" / "data" / "inner").symlink_to(folder / "other")
    shown = made(folder, read_only=("tree", "tree/data/inner"), hidden=("other/c.txt",))
    assert shown == [("bind", "tree"), ("bind", "other"), ("bind", "other/c.txt")]


def test_paths_with_links_in_them_are_seen(host: World, folder: Path) -> None:
    (folder / "other" / "d.txt").write_text("through a link")
    (folder / "tree" / "data" / "inner").symlink_to(folder / "other")
    (folder / "way").symlink_to(folder / "tree")
    paths = (folder / "tree", folder / "tree/data/inner", folder / "way/data/inner", folder / "way/a.txt")
    line = f"cat {folder}/tree/data/inner/d.txt {folder}/way/data/inner/d.txt {folder}/way/a.txt"
    process = start(host.order("/bin/sh", "-c", line, read_only=tuple(map(str, paths))), stdout=-1, text=True)
    assert process.communicate(timeout=20)[0] == "through a link" * 2 + "x"


def test_what_is_mounted_below_is_as_read_only(host: World) -> None:
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    below = [path for path in mounted if path.startswith("/sys/fs/")]
    if not below:
        pytest.skip("nothing is mounted below /sys here")
    code = f"import os; print([os.statvfs(path).f_flag & 7 for path in {below!r}])"
    process = start(host.order("PYTHON", "-c", code, read_only=("/sys",)), stdout=-1, text=True)
    guarded = os.ST_RDONLY | os.ST_NOSUID | os.ST_NODEV
    assert process.communicate(timeout=20)[0].strip() == str([guarded] * len(below))


@pytest.mark.parametrize("stage", ["works", "refused"])
def test_hundreds_are_hidden_and_replaced(
    host: World, stage: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both by stage.py and where a machine forbids that to Python; the host's own files stay as they are."""
    if stage == "refused":
        monkeypatch.setattr(bubblewrap, "_stage_works", lambda: False)
    files = [folder / "tree" / f"{number}.txt" for number in range(120)]
    for file in files:
        file.write_text("seen")
    replaced = {str(file): str(folder / "other" / "c.txt") for file in files[60:]}
    hidden = tuple(map(str, (*files[:60], folder / "tree" / "data")))
    line = f"cd {folder}/tree; cat [0-9]*.txt; ls data; stat -c %a data; echo no 2>/dev/null > 0.txt; kill -13 $$"
    order = host.order("/bin/sh", "-c", line, hidden=hidden, replaced=replaced)
    process = start(
        dataclasses.replace(order, read_only=(str(folder / "tree"), str(folder / "link"))), stdout=-1
    )
    assert process.communicate(timeout=20)[0] == b"x" * 60 + b"555\n"
    assert process.returncode == 128 + 13
    assert {file.read_text() for file in files} == {"seen"}


def test_bubblewrap_may_lie_in_what_is_hidden(
    host: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that was unpacked into the user's cache, of which no candidate sees anything."""
    found = bubblewrap.find_bubblewrap()
    assert found is not None
    own = folder / "tree" / "data" / "bwrap"
    shutil.copy2(found.bwrap, own)
    monkeypatch.setattr(install, "find", lambda: str(own))
    files = [folder / "tree" / f"{number}.txt" for number in range(bubblewrap._MANY)]
    for file in files:
        file.write_text("seen")
    hidden = tuple(map(str, (*files, own.parent)))
    order = host.order(
        "/bin/sh", "-c", f"cd {folder}/tree; cat [0-9]*.txt; ls data; echo done", hidden=hidden
    )
    process = start(dataclasses.replace(order, read_only=(str(folder / "tree"),)), stdout=-1)
    assert process.communicate(timeout=20)[0] == b"done\n"


def test_the_system_is_not_bound_twice() -> None:
    assert in_system(Path("/usr/bin/env"))
    assert in_system(Path("/usr/lib/../lib/x"))
    assert not in_system(Path("/usr/share/doc"))
    assert not in_system(Path("/usr/libfoo"))
    file_system = FileSystem(read_only=(Path("/usr/lib"),), scratch=Path("/scratch"), scratch_bytes=1000)
    assert [each.target for each in mounts(file_system)].count("/usr/lib") == 1


def test_the_root_is_sealed_last() -> None:
    steps = mounts(FileSystem(read_only=(), scratch=Path("/scratch"), scratch_bytes=1000))
    assert steps[-3:] == (Mount("seal", "/dev"), Mount("seal", "/proc"), Mount("seal", "/"))


def test_a_scratch_may_lie_in_a_hidden_folder(host: World, folder: Path) -> None:
    scratch = folder / "tree" / "data" / "deep"
    line = f"ls {folder}/tree/data && echo x > {scratch}/x && ! echo x 2>/dev/null > {folder}/tree/data/x"
    changes = {
        "scratch": str(scratch),
        "read_only": (str(folder / "tree"),),
        "hidden": (str(folder / "tree/data"),),
    }
    order = host.order("/bin/sh", "-c", line)
    process = start(type(order)(**{**vars(order), **changes}), stdout=-1, text=True)
    assert process.communicate(timeout=20)[0] == "deep\n"
    assert process.returncode == 0
    assert not (scratch / "x").exists()


def test_paths_may_hold_any_character(host: World, tmp_path: Path) -> None:
    odd = tmp_path / "a b\n\"'$é\\"
    odd.mkdir()
    (odd / "file").write_text("seen")
    process = start(host.order("/bin/cat", str(odd / "file"), read_only=(str(odd),)), stdout=-1, text=True)
    assert process.communicate(timeout=20)[0] == "seen"


def _extra_device() -> Path | None:
    """A device node of this machine that no jail shows by itself, to stand for a GPU's."""
    usual = ("console", "core", "full", "null", "ptmx", "random", "tty", "urandom", "zero")
    nodes = (path for path in sorted(Path("/dev").iterdir()) if path.name not in usual)
    return next((path for path in nodes if stat.S_ISCHR(path.lstat().st_mode)), None)


def test_device_nodes_are_bound_as_devices(host: World, monkeypatch: pytest.MonkeyPatch) -> None:
    device = _extra_device()
    if device is None:
        pytest.skip("this machine has no further device node")
    monkeypatch.setattr(module, "_DEVICES", (device.name,))
    code = (
        f"import os; print(os.stat({str(device)!r}).st_rdev, os.statvfs({str(device)!r}).f_flag & os.ST_NODEV,"
        " os.path.isdir('/sys/class'), os.access('/sys/class', os.W_OK), os.path.exists('/sys/kernel'))"
    )
    process = start(host.order("PYTHON", "-c", code, devices=True), stdout=-1, text=True)
    assert process.communicate(timeout=20)[0].split() == [
        str(device.stat().st_rdev),
        "0",
        "True",
        "False",
        "False",
    ]
    process = start(host.order("PYTHON", "-c", code), stdout=-1, stderr=-1, text=True)
    assert "FileNotFoundError" in process.communicate(timeout=20)[1]
    assert Path("/sys/kernel").exists()
