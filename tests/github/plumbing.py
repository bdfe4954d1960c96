"""Git itself, on the bare repositories of the server."""

from __future__ import annotations

import functools
import os
import re
import tempfile
from pathlib import Path

import pygit2

from bot.base.process import ProcessFailed, run

ZERO = "0" * 40
_NAME = re.compile(r"[0-9a-f]{40}")
_FULL = re.compile(r"(\^|[0-9a-f]{40}\.\.)?[0-9a-f]{40}")
_SETTINGS = (
    ("core.logAllRefUpdates", "false"),
    ("gc.auto", "0"),
    ("receive.autogc", "false"),
    ("receive.fsckObjects", "true"),
    ("receive.hideRefs", "refs/pull"),  # fetched by anybody, pushed by nobody
    ("receive.denyDeletes", "false"),
    ("http.receivepack", "true"),
    ("uploadpack.allowFilter", "true"),
    ("uploadpack.allowAnySHA1InWant", "true"),
)

# GitHub's rule: a workflow file may come in without the permission only where the same path with the
# same contents is already on a branch.
# https://docs.github.com/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps (workflow)
# And for a protected branch: what is pushed there must have passed the required checks, whoever pushes; a branch
# that is new is not looked at, as with "do not enforce on create". The server tells by a file, for each branch a line
# "REF required NAMES", and "REF COMMIT" for each commit that may be put there.
# https://docs.github.com/repositories/configuring-branches-and-merges-in-your-repository/managing-protected-branches
_PRE_RECEIVE = """#!/bin/sh
pushed=$(cat)
if [ -n "$NOCTURNE_TEST_PROTECTED" ]; then
    printf '%s\\n' "$pushed" | while read -r old new ref; do
        needs=$(sed -n "s|^$ref required ||p" "$NOCTURNE_TEST_PROTECTED")
        [ -n "$needs" ] && [ -n "${old#0000000000000000000000000000000000000000}" ] || continue
        grep -qx "$ref $new" "$NOCTURNE_TEST_PROTECTED" && continue
        echo "error: GH006: Protected branch update failed for $ref."
        echo "error: Required status checks \\"$needs\\" are expected."
        exit 1
    done || exit 1
fi
[ "$NOCTURNE_TEST_MAY_WRITE_WORKFLOWS" = no ] || exit 0
of() { git ls-tree -r "$1" -- .github/workflows 2>/dev/null; }
wanted=$(printf '%s\\n' "$pushed" | while read -r old new ref; do
    case $new in *[!0]*) ;; *) continue ;; esac
    for commit in $(git rev-list "$new" --not --all -- .github/workflows) "$new"; do of "$commit"; done
done | sort -u)
for where in HEAD $(git for-each-ref --format='%(refname)' refs/heads); do
    [ -n "$wanted" ] || exit 0
    wanted=$(printf '%s\\n' "$wanted" | grep -vxF -e "$(of "$where")")
done
[ -n "$wanted" ] || exit 0
path=$(printf '%s\\n' "$wanted" | head -n 1 | cut -f 2)
echo "refusing to allow a GitHub App to create or update workflow \\`$path\\` without \\`workflows\\` permission"
exit 1
"""


class Conflict(Exception):
    """A merge that git cannot make by itself."""


def git(path: Path, *command: str, stdin: bytes | None = None, env: dict[str, str] | None = None) -> str:
    """Run git in the repository at `path` and return its output without the last line feed."""
    out = run(["git", "-C", str(path), *command], stdin=stdin, env=env, timeout=60)
    return out.decode(errors="replace").removesuffix("\n")


def says(path: Path, *command: str) -> bool:
    """Run git and say whether it ended with zero."""
    try:
        git(path, *command)
    except ProcessFailed:
        return False
    return True


def told(path: Path, *command: str) -> str:
    """Run git, once for each question about commits that are named in full: its answer cannot change."""
    named = [word for word in command[1:] if not word.startswith("-")]
    if named and all(map(_FULL.fullmatch, named)):
        return _told(path, command)
    return git(path, *command)


@functools.lru_cache(maxsize=4096)
def _told(path: Path, command: tuple[str, ...]) -> str:
    return git(path, *command)


def create(path: Path, default_branch: str) -> None:
    """Make a bare repository as GitHub keeps one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    run(["git", "init", "--quiet", "--bare", "--template=", f"--initial-branch={default_branch}", str(path)])
    dress(path)


def dress(path: Path) -> None:
    """Give the repository at `path` GitHub's settings and hook."""
    with (path / "config").open("a") as config:
        for key, value in _SETTINGS:
            section, name = key.split(".")
            config.write(f"[{section}]\n\t{name} = {value}\n")
    hook = path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(_PRE_RECEIVE)
    hook.chmod(0o755)


def clone(source: Path, path: Path) -> None:
    """Copy the branches of `source` into a new repository at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    run(["git", "clone", "--quiet", "--bare", "--template=", str(source), str(path)])
    dress(path)


def read_refs(path: Path) -> dict[str, str]:
    """Return every ref and its object, read without starting a process."""
    refs: dict[str, str] = {}
    packed = path / "packed-refs"
    if packed.exists():
        for line in packed.read_text().splitlines():
            if line[:1] not in ("#", "^", ""):
                sha, _, name = line.partition(" ")
                refs[name] = sha
    for folder, _, names in os.walk(path / "refs"):
        for name in names:
            file = Path(folder, name)
            try:
                sha = file.read_text().strip()
            except FileNotFoundError:
                continue
            if len(sha) == 40 and not name.endswith(".lock"):
                refs[file.relative_to(path).as_posix()] = sha
    return dict(sorted(refs.items()))


def commit_of(path: Path, name: str) -> str | None:
    """Return the commit that `name` (a branch, tag, ref or the beginning of an object's name) stands for."""
    if not name or name.startswith("-") or any(mark in name for mark in ("..", "@{", "^", ":", "~", " ")):
        return None
    refs = read_refs(path)
    for full in (f"refs/heads/{name}", f"refs/tags/{name}", name):
        sha = refs.get(full, full)
        if _kind(path, sha) == "commit":
            return sha
        if full not in refs and full != name:
            continue
        try:
            return git(path, "rev-parse", "--verify", "--quiet", f"{full}^{{commit}}")
        except ProcessFailed:
            continue
    return None


def has_object(path: Path, sha: str, kind: str = "object") -> bool:
    """Say whether `sha`, in full, is there and is a `kind` ("commit", "blob")."""
    found = _kind(path, sha)
    if found == "tag" and kind != "object":
        return says(path, "cat-file", "-e", f"{sha}^{{{kind}}}")
    return found is not None and kind in ("object", found)


def _kind(path: Path, sha: str) -> str | None:
    """Return what the object `sha` is, None if it is not there or not named in full; read without a process."""
    if _NAME.fullmatch(sha) is None:
        return None
    try:
        return pygit2.Odb(str(path / "objects")).read_header(pygit2.Oid(hex=sha))[0].name.lower()
    except KeyError:
        return None


def is_ancestor(path: Path, older: str, newer: str) -> bool:
    if older == newer:
        return True
    if _FULL.fullmatch(older) is None:  # a name, which `merge_base` does not return
        return says(path, "merge-base", "--is-ancestor", older, newer)
    return merge_base(path, older, newer) == older


def merge_base(path: Path, one: str, other: str) -> str | None:
    try:
        return told(path, "merge-base", one, other).split("\n")[0]
    except ProcessFailed:
        return None


def commits_between(path: Path, base: str, head: str) -> list[str]:
    """Return the commits that `head` has and `base` has not, oldest first."""
    return told(path, "rev-list", "--reverse", "--topo-order", f"{base}..{head}").split()


def set_ref(path: Path, ref: str, new: str, old: str | None = None) -> None:
    git(path, "update-ref", ref, new, *([] if old is None else [old]))


def delete_ref(path: Path, ref: str) -> None:
    git(path, "update-ref", "-d", ref)


def file_at(path: Path, commit: str, name: str) -> bytes | None:
    """Return the contents of the file `name` at `commit`, or None where there is none."""
    try:
        return run(["git", "-C", str(path), "cat-file", "blob", f"{commit}:{name}"], timeout=60)
    except ProcessFailed:
        return None


def refused_workflow(path: Path, sha: str) -> str | None:
    """Return why a token without the workflows permission may not put a branch on `sha`, or None."""
    line = f"{ZERO} {sha} refs/heads/x\n".encode()
    env = {"GIT_DIR": str(path), "NOCTURNE_TEST_MAY_WRITE_WORKFLOWS": "no"}
    try:
        run([str(path / "hooks" / "pre-receive")], cwd=path, stdin=line, env=env, timeout=60)
    except ProcessFailed as error:
        return (error.stderr or error.stdout).decode(errors="replace").strip()
    return None


def merged_tree(path: Path, base: str, head: str) -> str:
    """Return the tree of `head` merged into `base`; raise `Conflict` where that takes a human."""
    try:
        return told(path, "merge-tree", "--write-tree", base, head).split("\n")[0]
    except ProcessFailed:
        raise Conflict from None


def make_commit(path: Path, tree: str, parents: list[str], message: str, author: str) -> str:
    """Write a commit made by `author` ("NAME <EMAIL>") and committed by GitHub."""
    name, _, email = author.removesuffix(">").partition(" <")
    env = {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_COMMITTER_NAME": "GitHub",
        "GIT_COMMITTER_EMAIL": "noreply@github.com",
    }
    flags = [flag for parent in parents for flag in ("-p", parent)]
    return git(path, "commit-tree", tree, *flags, stdin=message.encode(), env=env)


def rebased(path: Path, base: str, head: str) -> str:
    """Return the commits of `head` put on top of `base`; raise `Conflict` where one does not apply."""
    env = {"GIT_COMMITTER_NAME": "GitHub", "GIT_COMMITTER_EMAIL": "noreply@github.com"}
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch, "tree")
        git(path, "worktree", "add", "--quiet", "--detach", str(tree), base)
        try:
            for commit in commits_between(path, base, head):
                git(tree, "cherry-pick", "--keep-redundant-commits", commit, env=env)
            return git(tree, "rev-parse", "HEAD")
        except ProcessFailed:
            raise Conflict from None
        finally:
            git(path, "worktree", "remove", "--force", str(tree))
