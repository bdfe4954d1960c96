"""Repositories, remotes and damage for the tests of the storage edge."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pygit2
import pytest

from bot.git import Git
from bot.ledger.store import LedgerStore

ROOT = Path(__file__).parents[2]
_PLAIN = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


def sh(cwd: Path, *command: str, stdin: bytes | None = None) -> str:
    """Run git as a user would, apart from the settings of whoever runs the tests."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | _PLAIN
    who = ["-c", "user.name=Someone", "-c", "user.email=someone@example.com"]
    done = subprocess.run(
        ["git", *who, *command], cwd=cwd, env=env, input=stdin, capture_output=True, timeout=60, check=True
    )
    return done.stdout.decode().strip()


def started(folder: Path, message: str, author: pygit2.Signature) -> pygit2.Repository:
    """Make a repository in `folder` with all that is in it as one commit on main, without starting git."""
    made = pygit2.init_repository(folder, initial_head="main")
    made.index.add_all()
    made.index.write()
    made.create_commit("HEAD", author, author, f"{message}\n", made.index.write_tree(), [])
    return made


def make_repository(path: Path, files: dict[str, bytes] | None = None) -> Git:
    """Make a repository with one commit on main."""
    path.mkdir(parents=True)
    for name, content in (files or {"train.py": b"LR = 0.1\n", "sub/other.txt": b"one\n"}).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    started(path, "first", pygit2.Signature("Someone", "someone@example.com"))
    return Git.open(path)


def make_bare(path: Path) -> str:
    """Make a bare repository to push to, with logs of its refs."""
    made = pygit2.init_repository(path, bare=True, initial_head="main")
    made.config["core.logAllRefUpdates"] = "always"
    return str(path)


def events(*names: str) -> list[dict[str, Any]]:
    return [{"key": name, "kind": "test", "text": f"what {name} says"} for name in names]


def append(store: LedgerStore, *names: str) -> None:
    store.append(lambda _: events(*names))


def keys(store: LedgerStore) -> list[str]:
    return [str(event["key"]) for event in store.load().events]


def python(code: str, *arguments: str, before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Start another Python process that may import the bot, its command after the words `before`."""
    command = [*before, sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes], timeout: float = 120.0) -> None:
    """Wait for a process that must end well."""
    try:
        _, said = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 0, said.decode()


def object_file(git_dir: Path, name: str) -> Path:
    return git_dir / "objects" / name[:2] / name[2:]


def truncate(path: Path, size: int = 0) -> None:
    """Leave only the first bytes of a file, as a power cut does."""
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:size])


def own_mounts() -> list[str]:
    """Return the start of a command that may mount a file system which only that command sees."""
    for command in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        if shutil.which(command[0]) is None:
            break
        probe = [*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return command
    pytest.skip("needs `unshare --mount`, as root or with user namespaces, to make a small disk")
