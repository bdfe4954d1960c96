"""Fetching and pushing: what is on the remote now, and compare-and-swap of its refs without force."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal

from bot.base.process import ProcessFailed
from bot.git.command import (
    NETWORK_TIMEOUT,
    Damaged,
    Locked,
    LoginRefused,
    RemoteUnreachable,
    blot,
    failure_text,
    last_line,
)
from bot.git.moving import Taken, in_the_way
from bot.git.store import Store

Run = Callable[..., bytes]
_MOVED = re.compile(
    r"stale info|fetch first|non-fast-forward|cannot lock ref|failed to lock|incorrect old value"
    r"|reference already exists|failed to update ref|Unable to create '.*\.lock'|needs force"
    r"|remote ref updated since checkout|atomic transaction failed|[Cc]ouldn't set refs"
)
_DENIED = re.compile(
    r"hook declined|protected branch|refusing to|deny|denied|prohibited|not allowed|GH\d{3}|cannot be updated"
    r"|hidden ref|push declined"
)
_LOCK = re.compile(
    r"cannot lock ref|Unable to create '.*\.lock'|failed to lock|incorrect old value|File exists"
)
_NO_LOGIN = re.compile(
    r"returned error: 40[13]|HTTP 40[13]|Authentication failed|could not read (Username|Password)"
    r"|Permission to .* denied|Permission denied \(publickey"
)
_IN_THE_WAY = re.compile(r"'(refs/[^']+)' exists; cannot create '(refs/[^']+)'")


@dataclass(frozen=True)
class RefUpdate:
    """One ref to move: to commit `new` (None deletes it), if it is at `expected` now.

    `expected` None means that the ref must not exist yet; "any" that only the fast-forward counts.
    `forward_only` False lets a branch of ours be replaced, from the named `expected` only.
    """

    ref: str
    new: str | None
    expected: str | None
    forward_only: bool = True


@dataclass(frozen=True)
class PushResult:
    """What became of a push: `moved` means somebody else was first, `denied` that the remote refuses.

    `changed` is False if all refs were at their new commits already.
    """

    pushed: bool
    rejected: Literal["moved", "denied"] | None = None
    detail: str = ""
    changed: bool = True


def tracking_ref(ref: str) -> str:
    """Return where the user's repository keeps our copy of the remote's `ref`."""
    for theirs, ours in (
        ("refs/heads/nocturne/", "refs/remotes/nocturne/"),
        ("refs/nocturne/", "refs/nocturne/remote/"),
    ):
        if ref.startswith(theirs):
            return ours + ref[len(theirs) :]
    return "refs/nocturne/remote/other/" + ref.removeprefix("refs/")


@contextmanager
def reaching(remote: str, doing: str) -> Iterator[None]:
    """Turn a failure of a network command into `RemoteUnreachable`."""
    try:
        yield
    except ProcessFailed as error:
        name = blot(remote)
        text = failure_text(error)
        said = "no answer in time" if error.returncode is None else last_line(text)
        mend = f"check that `git ls-remote {name}` works, then run again"
        kind: type[RemoteUnreachable] = RemoteUnreachable
        if _NO_LOGIN.search(text):
            mend = f"the token or key may not do that; on GitHub it needs `contents: write`; {mend}"
            kind = LoginRefused
        raise kind(f"cannot {doing} the remote {name}: {said}: {mend}") from error


def list_remote(run: Run, remote: str, refs: Sequence[str]) -> dict[str, str]:
    """Return {full name: sha} of the remote's refs that `refs` (names, or patterns with `*`) asks for.

    A ref whose file is damaged is left out.
    """
    with reaching(remote, "reach"):
        said = run(["ls-remote", "--quiet", remote, *refs], timeout=NETWORK_TIMEOUT).decode()
    wanted = [
        re.compile("".join(".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", ref)))
        for ref in refs
    ]
    found = {}
    for line in said.splitlines():
        sha, _, name = line.partition("\t")
        if set(sha) != {"0"} and any(pattern.fullmatch(name) for pattern in wanted):
            found[name] = sha
    return found


def fetch(run: Run, here: Store, remote: str, refs: Sequence[str], *, far: bool = False) -> dict[str, str]:
    """Bring the remote's `refs` here and return {full name: sha}; see `Git.fetch`.

    From a remote that is `far` nothing is asked for that another fetch, such as that of a fresh clone, brought.
    """
    for attempt in range(6):
        there = list_remote(run, remote, refs)
        old = [ref for ref, sha in there.items() if here.ref(tracking_ref(ref)) != sha]
        if not old:
            return there
        if far and _are_here(run, [there[ref] for ref in old]):
            track(here, {ref: there[ref] for ref in old})
            return there
        specs = [f"+{ref}:{tracking_ref(ref)}" for ref in old]
        options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--refmap="]
        try:
            run(["fetch", *options, "--", remote, *specs], timeout=NETWORK_TIMEOUT)
        except ProcessFailed as error:
            # Another process of ours fetches the same ref, or the ref went away after we listed it.
            said = failure_text(error)
            locked = _LOCK.search(said)
            if (locked or "couldn't find remote ref" in said) and attempt < 5:
                time.sleep(0.02 * (attempt + 1))
                continue
            if locked:
                raise Locked(last_line(said)) from error
            with reaching(remote, "fetch from"):
                raise
        # The ref may have moved between the two commands: what we fetched is what counts.
        return {ref: here.ref(tracking_ref(ref)) or sha for ref, sha in there.items()}
    raise AssertionError("unreachable: the last attempt returns or raises")


def _are_here(run: Run, commits: Sequence[str]) -> bool:
    """Say whether these commits are here, with all that they are made of."""
    try:
        run(["rev-list", "--objects", "--quiet", *commits, "--not", "--all"])
    except (ProcessFailed, Damaged):
        return False
    return True


def push(
    run: Run,
    remote: str,
    updates: Sequence[RefUpdate],
    is_ancestor: Callable[[str, str], bool],
    *,
    receive_pack: str | None,
) -> PushResult:
    """Move the remote's refs; see `Git.push`."""
    command = ["push", "--porcelain", "--no-verify", "--no-progress"]
    if len(updates) > 1:
        command.append("--atomic")
    if receive_pack:
        command.append(f"--receive-pack={receive_pack}")
    specs = []
    for update in updates:
        if update.expected != "any":
            # A lease permits what is no fast-forward, so that is ruled out here.
            forward = not (update.new and update.expected and update.forward_only)
            if not forward and not is_ancestor(str(update.expected), str(update.new)):
                return PushResult(False, "moved", f"{update.ref} would not be fast-forwarded")
            command.append(f"--force-with-lease={update.ref}:{update.expected or ''}")
        specs.append(f"{update.new or ''}:{update.ref}")
    try:
        told = run([*command, "--", remote, *specs], timeout=NETWORK_TIMEOUT).decode(errors="replace")
    except ProcessFailed as error:
        said = failure_text(error)
        if "remote ref does not exist" in said:  # deleted already
            there = list_remote(run, remote, [update.ref for update in updates if update.new is None])
            left = [update for update in updates if update.new is not None or update.ref in there]
            if len(left) == len(updates):
                return PushResult(False, "moved", last_line(said))
            return (
                push(run, remote, left, is_ancestor, receive_pack=receive_pack) if left else PushResult(True)
            )
        result = _rejection(remote, said)
        if result is None:
            with reaching(remote, "push to"):
                raise
        return result
    there_already = sum(line.startswith("=\t") for line in told.splitlines())
    return PushResult(True, changed=there_already < len(updates))


def track(here: Store, refs: Mapping[str, str | None]) -> None:
    """Note where refs of the remote are now (None: nowhere), so that the next fetch has nothing to do.

    Raises `Locked` if a lock stays.
    """
    known = here.refs([tracking_ref(ref) for ref in refs])
    moves = {
        tracking_ref(ref): (known.get(tracking_ref(ref)), new)
        for ref, new in refs.items()
        if known.get(tracking_ref(ref)) != new
    }
    for attempt in range(6):
        try:
            with suppress(Taken):  # by another process of ours; the next fetch puts it right
                here.move(moves, "nocturne: push")
            return
        except Locked:
            if attempt == 5:
                raise
            time.sleep(0.02 * (attempt + 1))


def _rejection(remote: str, said: str) -> PushResult | None:
    """Return what a refused push means, None when the remote was not reached at all."""
    in_the_way_of = _IN_THE_WAY.search(said)
    if in_the_way_of:
        raise in_the_way(in_the_way_of[1], in_the_way_of[2], blot(remote))
    rejected = [line for line in said.splitlines() if line.startswith("!")]
    detail = "; ".join(line.split("\t")[-1] for line in rejected) or last_line(said)
    if any("[rejected]" in line or "[remote rejected]" in line for line in rejected):
        # With --atomic every other ref is rejected too; the reason stands beside one of them.
        if _DENIED.search(detail):
            return PushResult(False, "denied", detail)
        if _MOVED.search(detail) or _MOVED.search(said):
            return PushResult(False, "moved", detail)
        return PushResult(False, "denied", detail)
    if _MOVED.search(said):
        return PushResult(False, "moved", detail)
    return None
