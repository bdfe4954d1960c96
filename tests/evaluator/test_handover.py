"""What is taken from a candidate's output folder, and what is not."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluator.command import handover
from evaluator.errors import CandidateFailed

ROOM, MOST = 1000, 25


def copied(source: Path, target: Path, most_bytes: int = ROOM) -> Path:
    handle = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
    try:
        handover.copy_out(handle, target, most_bytes)
    finally:
        os.close(handle)
    return target


def test_plain_files_and_folders_arrive_as_data_only(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "a" / "b").mkdir(parents=True)
    (source / "a" / "b" / "model.npy").write_bytes(b"\0" * 600)
    (source / "run.sh").write_bytes(b"#!/bin/sh\n")
    (source / "run.sh").chmod(0o4755)
    target = copied(source, tmp_path / "target")
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*")) == [
        "a", "a/b", "a/b/model.npy", "run.sh",
    ]  # fmt: skip
    assert (target / "a/b/model.npy").read_bytes() == b"\0" * 600
    assert (target / "run.sh").stat().st_mode & 0o7777 == 0o444


def test_a_handle_is_enough_where_the_folder_has_gone_from_sight(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_text("kept")
    handle = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
    source.rename(tmp_path / "elsewhere")
    source.symlink_to("/etc")
    handover.copy_out(handle, tmp_path / "target", ROOM)
    os.close(handle)
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["a"]


def with_socket(folder: Path) -> None:
    here = Path.cwd()
    os.chdir(folder)  # the path of a socket must be short
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind("s")
    finally:
        os.chdir(here)


def with_holes(folder: Path) -> None:
    with (folder / "holes").open("wb") as file:
        file.truncate(1 << 40)


def deep(folder: Path) -> None:
    (folder / "/".join("d" * 20)).mkdir(parents=True)


def many(folder: Path) -> None:
    (folder / "d").mkdir()
    for number in range(MOST):
        (folder / "d" / str(number)).touch()


def linked_twice(folder: Path) -> None:
    (folder / "one").touch()
    (folder / "two").hardlink_to(folder / "one")


def two_halves(folder: Path) -> None:
    for name in ("one", "two"):
        (folder / name).write_bytes(b"x" * (ROOM // 2 + 1))


@pytest.mark.parametrize(
    ("leave", "said", "defence"),
    [
        (lambda folder: (folder / "l").symlink_to("/etc/passwd"), "l is a symbolic link", "jail"),
        (lambda folder: (folder / "l").symlink_to("/etc"), "l is a symbolic link", "jail"),
        (lambda folder: os.mkfifo(folder / "p"), "p is a pipe", "jail"),
        (with_socket, "s is a socket", "jail"),
        (linked_twice, "is a hard link", "jail"),
        (lambda folder: (folder / "a\nMETRIC a=1\n").touch(), "the name of a METRIC a=1", "jail"),
        (deep, "lies more than 16 folders deep", "jail"),
        (many, "more than 25 files and folders", "limits"),
        (with_holes, "it holds more than", "limits"),
        (two_halves, "it holds more than", "limits"),
    ],
    ids=["link", "linked folder", "pipe", "socket", "hard link", "name", "deep", "many", "holes", "too much"],
)
def test_everything_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leave: Callable[[Path], object], said: str, defence: str
) -> None:
    monkeypatch.setattr(handover, "MOST_ENTRIES", MOST)
    (tmp_path / "source").mkdir()
    leave(tmp_path / "source")
    with pytest.raises(CandidateFailed) as caught:
        copied(tmp_path / "source", tmp_path / "target")
    assert (caught.value.kind, caught.value.defence) == ("refused", defence)
    assert said in caught.value.reason


def test_a_name_can_not_forge_the_reason(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a\n\x1b[31mb\u202e\udcff").symlink_to("/etc")
    with pytest.raises(CandidateFailed) as caught:
        copied(tmp_path / "source", tmp_path / "target")
    assert caught.value.reason.endswith("the name of a b\ufffd holds control characters")
