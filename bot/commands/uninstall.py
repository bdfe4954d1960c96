"""`nocturne uninstall`: takes away what Nocturne keeps in a clone, what `init` wrote, and on request the remote's."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bot.commands.session import campaign_session
from bot.git import Git, RefUpdate

REMOTE_REFS = ("refs/heads/nocturne/*", "refs/nocturne/*")
LOCAL_REFS = ("refs/remotes/nocturne", "refs/nocturne")


def run(*, repo: Path, campaign: str | None, remote: bool, yes: bool) -> int:
    git = Git.open(repo.absolute())
    if remote:
        _remove_there(repo, campaign, yes=yes)
    refs = git.run(["for-each-ref", "--format=%(refname)", *LOCAL_REFS]).decode().split()
    folder = git.common_dir / "nocturne"
    files, changed = _written(git)
    for name in changed:
        print(f"{name} was changed since `nocturne init` wrote it: it stays")
    if not yes:
        for name in (*refs, *files, str(folder)):
            print(f"would delete {name}")
        if (git.own_remote / "HEAD").is_file():
            print("the ledger and all pull requests live in that folder: they would be gone for good")
        print("run again with --yes to do it")
        return 0
    for name in refs:
        git.run(["update-ref", "-d", name])
    for name in files:
        _remove_file(git.top, name)
    shutil.rmtree(folder, ignore_errors=True)
    print("removed; your own branches and files are as they were")
    return 0


def note_written(git: Git, paths: Sequence[str]) -> None:
    """Note in the clone what `init` wrote, so that `uninstall` knows what nobody has changed since."""
    if not paths:
        return
    known = _noted(git) | {name: _digest(git.top / name) for name in paths}
    place = _note(git)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(known, indent=1) + "\n")


def _remove_there(repo: Path, campaign: str | None, *, yes: bool) -> None:
    with campaign_session(repo, campaign) as session:
        git, remote = session.context.git, session.context.remote.name_or_url
        for name in git.fetch(remote, REMOTE_REFS):
            if yes:
                git.push(remote, [RefUpdate(name, None, "any")])
            else:
                print(f"would delete {name} on {remote}")


def _written(git: Git) -> tuple[list[str], list[str]]:
    """Return the files of `init` that are as it wrote them, and those that are not."""
    there = {name: digest for name, digest in _noted(git).items() if (git.top / name).is_file()}
    same = [name for name, digest in there.items() if _digest(git.top / name) == digest]
    return same, [name for name in there if name not in same]


def _noted(git: Git) -> dict[str, str]:
    try:
        noted = json.loads(_note(git).read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): str(digest) for name, digest in noted.items()} if isinstance(noted, dict) else {}


def _note(git: Git) -> Path:
    return git.common_dir / "nocturne" / "written.json"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _remove_file(top: Path, name: str) -> None:
    """Delete a file, and the folders that are empty without it."""
    (top / name).unlink(missing_ok=True)
    with suppress(OSError):  # a folder that holds something else
        for folder in (top / name).parents:
            if folder == top:
                break
            folder.rmdir()
