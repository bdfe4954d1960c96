"""The user's git repository: everything is read and written by plumbing, nothing of theirs is touched.

Index, working tree, HEAD and branches stay as they are; what we make are objects, and refs below
`refs/remotes/nocturne/` and `refs/nocturne/`.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bot.errors import UserError
from bot.git import objects as git_objects
from bot.git import transfer as git_transfer
from bot.git.command import (
    Damaged,
    RemoteUnreachable,
    durable_config,
    failure_text,
    git_output,
    last_line,
    raise_for_disk,
)
from bot.git.export import export_tree
from bot.git.objects import TreeEntry
from bot.git.patience import patient
from bot.git.transfer import PushResult, RefUpdate
from bot.process import ProcessFailed
from bot.rules.scope import REGULAR_MODES, FileChange

AUTHOR = "Nocturne <nocturne@users.noreply.github.com>"
# Diffs and lists of files must not depend on the user's diff.* settings, nor on a `.gitmodules` that has
# changes of its submodules ignored.
_DIFF = (
    "diff-tree", "-r", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color", "--no-relative",
    "--ignore-submodules=none",
)  # fmt: skip

# Endings of the files in which a name is read; data and texts only mention it.
_SOURCES = (
    *(
        "py",
        "pyx",
        "pyi",
        "sh",
        "bash",
        "zsh",
        "mk",
        "c",
        "h",
        "cc",
        "cpp",
        "cxx",
        "hh",
        "hpp",
        "cu",
        "cuh",
        "cl",
    ),
    *(
        "m",
        "mm",
        "rs",
        "go",
        "java",
        "kt",
        "cs",
        "js",
        "mjs",
        "ts",
        "jl",
        "zig",
        "r",
        "R",
        "lua",
        "cmake",
        "metal",
    ),
)
_GREP_TIMEOUT = 60.0  # seconds


class Git:
    """One repository. `top` is its working tree (or the bare folder itself), `common_dir` its git folder."""

    def __init__(self, top: Path, common_dir: Path, login: Mapping[str, str] | None = None) -> None:
        """`login` are the variables with which git may log in at a remote; only work on a remote gets them."""
        self.top = top
        self.common_dir = common_dir
        self.login = dict(login or {})
        self._seen: tuple[str, frozenset[str], dict[str, str]] | None = None

    @staticmethod
    def open(path: Path) -> Git:
        """Return the repository that holds `path`; raise `UserError` where there is none."""
        if not path.is_dir():
            raise UserError(f"{path} is not a folder: name the folder of a git repository")
        try:
            said = git_output(
                ["rev-parse", "--path-format=absolute", "--is-bare-repository", "--git-common-dir"], cwd=path
            )
            bare, common = said.decode(errors="surrogateescape").removesuffix("\n").split("\n", 1)
            if bare == "true":
                return Git(Path(common), Path(common))
            top = git_output(["rev-parse", "--show-toplevel"], cwd=path).decode(errors="surrogateescape")
        except ProcessFailed as error:
            said_why = failure_text(error)
            if "dubious ownership" in said_why:
                raise UserError(
                    f"{path} belongs to another user: run `git config --global --add safe.directory {path}`"
                ) from None
            if "not a git repository" in said_why or "work tree" in said_why:
                raise UserError(
                    f"{path} is not a git repository: run `git init` or name another folder"
                ) from None
            raise UserError(f"git cannot open {path}: {last_line(said_why)}") from None
        return Git(Path(top.removesuffix("\n")), Path(common))

    def run(
        self,
        arguments: Sequence[str],
        stdin: bytes | None = None,
        *,
        env: Mapping[str, str] | None = None,
        timeout: float = 600.0,
    ) -> bytes:
        """Run one git command in this repository; see `command.git_output` for what it raises."""
        return git_output(arguments, cwd=self.top, stdin=stdin, env=env, timeout=timeout)

    # Reading

    def tracked(self, refs: Sequence[str]) -> dict[str, str]:
        """Return {full name: sha} of the remote's `refs` as they were when we last fetched or pushed them."""
        here = git_transfer.local_refs(self.run, [git_transfer.tracking_ref(ref) for ref in refs])
        known = {ref: here.get(git_transfer.tracking_ref(ref)) for ref in refs}
        return {ref: sha for ref, sha in known.items() if sha is not None}

    def resolve(self, rev: str) -> str | None:
        """Return the full name of the commit that `rev` means here, None where it means none."""
        try:
            command = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}"]
            return self.run(command).decode().strip()
        except (ProcessFailed, Damaged):
            return None

    def read_blob(self, commit: str, path: str) -> bytes | None:
        """Return the content of the file `path` in `commit`, None where there is none.

        Raises `Damaged` where the file is there and cannot be read.
        """
        return self.read_blobs(commit, [path])[path]

    def read_blobs(self, commit: str, paths: Sequence[str]) -> dict[str, bytes | None]:
        """Return {path: content} of several files of `commit` in one go; as `read_blob`."""
        usual = [path for path in paths if "\n" not in path]
        names = [f"{commit}:{path}" for path in usual]
        found = dict(zip(usual, git_objects.read_objects(self.run, names, "blob"), strict=True))
        for path in paths:
            if found.get(path) is None:
                found[path] = self._read_doubtful(commit, path)
        return found

    def _read_doubtful(self, commit: str, path: str) -> bytes | None:
        """Read one file the slow way, which tells a path that is not there from a blob that is gone."""
        entries = [entry for entry in self._entries([commit, "--", path]) if entry.path == path]
        if not entries or entries[0].kind != "blob":
            return None
        (content,) = git_objects.read_objects(self.run, [entries[0].sha])
        if content is None:
            raise Damaged(f"object {entries[0].sha} ({path} in {commit}) is missing")
        return content

    def list_tree(self, commit: str, folder: str = "", recursive: bool = True) -> list[TreeEntry]:
        """Return the entries below `folder` of `commit`, paths from the top; none where it is not there."""
        where = ["--", f"{folder.rstrip('/')}/"] if folder else []
        return self._entries([*(["-r"] if recursive else []), commit, *where])

    def _entries(self, arguments: Sequence[str]) -> list[TreeEntry]:
        said = self.run(["ls-tree", "-z", "--full-tree", *arguments]).decode(errors="surrogateescape")
        entries = []
        for line in said.split("\0")[:-1]:
            meta, _, path = line.partition("\t")
            mode, kind, sha = meta.split()
            entries.append(TreeEntry(path, mode, kind, sha))
        return entries

    def mentioned(
        self, commit: str, names: Collection[str], *, without: Sequence[str] = (), also: Sequence[str] = ()
    ) -> frozenset[str]:
        """Return which of `names` stand as whole words in the source files of `commit` and in the files `also`, those
        in `without` left out."""
        if not names:
            return frozenset()
        words = [word for name in sorted(names) for word in ("-e", name)]
        paths = [f":(top,glob)**/*.{suffix}" for suffix in _SOURCES] + [":(top,glob)**/Makefile"]
        paths += [f":(top,literal){path}" for path in also if path and not path.startswith(("/", "-", "../"))]
        paths += [f":(top,exclude,literal){path}" for path in without]
        command = ["grep", "--no-color", "-I", "-h", "-o", "-w", "-F", *words, commit, "--", *paths]
        try:
            said = self.run(command, timeout=_GREP_TIMEOUT)
        except ProcessFailed as error:
            if error.returncode == 1:  # no match
                return frozenset()
            if error.returncode is None:  # too much to look through: nothing speaks against any name
                return frozenset(names)
            raise
        return frozenset(said.decode(errors="replace").split()) & frozenset(names)

    def changed_files(self, base: str, head: str) -> list[tuple[str, str]]:
        """Return (status, path) of every file that differs: A added, M modified, D deleted, T its type."""
        said = self.run([*_DIFF, "--name-status", "-z", "--end-of-options", base, head])
        parts = said.decode(errors="surrogateescape").split("\0")
        return list(zip(parts[0:-1:2], parts[1::2], strict=True))

    def file_changes(self, base: str, head: str) -> list[FileChange]:
        """Return every file that differs, with modes and objects; nothing is read but trees."""
        said = self.run([*_DIFF, "--raw", "--no-abbrev", "-z", "--end-of-options", base, head])
        parts = said.decode(errors="surrogateescape").split("\0")
        changes = []
        for meta, path in zip(parts[0:-1:2], parts[1::2], strict=True):
            old_mode, new_mode, old_sha, new_sha, status = meta.removeprefix(":").split(" ")
            changes.append(FileChange(path, status, old_mode, new_mode, old_sha, new_sha))
        return changes

    def tree_and_parents(self, commit: str) -> tuple[str, list[str]]:
        """Return the names of the tree and the parents that `commit` itself has written down."""
        (content,) = git_objects.read_objects(self.run, [f"{commit}^{{commit}}"])
        if content is None:
            raise Damaged(f"commit {commit} is missing")
        lines = content.partition(b"\n\n")[0].decode(errors="replace").split("\n")
        parents = [line.removeprefix("parent ") for line in lines if line.startswith("parent ")]
        return lines[0].removeprefix("tree "), parents

    def diff(self, base: str, head: str, paths: Sequence[str] = ()) -> str:
        """Return the unified diff from `base` to `head`, of `paths` only where there are any."""
        look = [
            "-p",
            "-U3",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            "--abbrev=12",
            "--diff-algorithm=histogram",
        ]
        said = self.run([*_DIFF, *look, "--end-of-options", base, head, "--", *paths])
        return said.decode(errors="replace")

    def numstat(self, base: str, head: str) -> tuple[int, int]:
        """Return how many lines were added and removed; binary files count as none."""
        said = self.run([*_DIFF, "--numstat", "--diff-algorithm=histogram", "--end-of-options", base, head])
        counts = [line.split(b"\t")[:2] for line in said.splitlines()]
        numbers = [(int(added), int(removed)) for added, removed in counts if added != b"-"]
        return sum(added for added, _ in numbers), sum(removed for _, removed in numbers)

    def is_ancestor(self, a: str, b: str) -> bool:
        """Say whether commit `a` is `b` or one of its ancestors; False where one of them is not here."""
        if a == b:
            return True
        try:
            self.run(["merge-base", "--is-ancestor", a, b])
        except ProcessFailed as error:
            if error.returncode in (1, 128):
                return False
            raise
        return True

    def is_dirty(self, paths: Sequence[str] = ()) -> list[str]:
        """Return the tracked files (of `paths`, where given) with changes that are not committed."""
        if self.top == self.common_dir:
            return []
        command = ["status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames"]
        said = self.run([*command, "--ignore-submodules=dirty", "--", *paths]).decode(
            errors="surrogateescape"
        )
        return [line[3:] for line in said.split("\0") if line]

    def default_branch(self) -> str:
        """Return the branch work starts from: origin's HEAD, else the current one, else main or master."""
        for name, prefix in (("refs/remotes/origin/HEAD", "refs/remotes/origin/"), ("HEAD", "refs/heads/")):
            try:
                said = self.run(["symbolic-ref", "--quiet", name]).decode().strip()
            except ProcessFailed:
                continue
            if said.startswith(prefix):
                return said.removeprefix(prefix)
        for branch in ("main", "master"):
            for prefix in ("refs/heads/", "refs/remotes/origin/"):
                if self.resolve(prefix + branch):
                    return branch
        raise UserError(
            f"{self.top} has no current branch: run `git remote set-head origin -a` or check one out"
        )

    def message(self, commit: str) -> str:
        """Return the whole message of `commit`."""
        (content,) = git_objects.read_objects(self.run, [f"{commit}^{{commit}}"])
        if content is None:
            raise Damaged(f"commit {commit} is missing")
        return content.partition(b"\n\n")[2].decode(errors="replace")

    def log(self, range: str) -> list[tuple[str, str]]:
        """Return (sha, subject) of the commits in `range` (`a..b`, or one revision), newest first."""
        command = ["log", "--no-show-signature", "-z", "--format=%H %s", "--end-of-options", range, "--"]
        said = self.run(command).decode(errors="replace")
        return [(line[: line.index(" ")], line[line.index(" ") + 1 :]) for line in said.split("\0") if line]

    # Writing

    def commit_files(
        self,
        parent: str | None,
        files: Mapping[str, bytes | None],
        message: str,
        when: datetime,
        author: str = AUTHOR,
    ) -> str:
        """Write a commit on `parent` (None: a first one) with `files` changed, and return its name.

        None deletes a file; a file keeps its mode. The same arguments give the same commit on every
        machine. No ref moves.
        """
        if parent is not None and len(parent) not in (40, 64):
            parent = self.resolve(parent) or parent
        tree = git_objects.write_tree(self.run, parent, files)
        return git_objects.write_commit(self.run, tree, [parent] if parent else [], message, when, author)

    def tree_with(self, base: str, head: str, paths: Collection[str]) -> str:
        """Return the tree of commit `base` with those of `paths` that are plain files in `head` and differ.

        They keep the mode they have in `base`. Nothing else of `head` is in it, whatever its diff hides.
        """
        changed = [
            change
            for change in self.file_changes(base, head)
            if change.path in paths and change.new_mode in REGULAR_MODES
        ]
        if not changed:
            return self.tree_and_parents(base)[0]
        contents = git_objects.read_objects(self.run, [change.new_sha for change in changed], "blob")
        files = {change.path: content for change, content in zip(changed, contents, strict=True)}
        missing = [path for path, content in files.items() if content is None]
        if missing:
            raise Damaged(f"{missing[0]} of commit {head} is missing")
        return git_objects.write_tree(self.run, base, files)

    def export(self, commit: str, folder: Path) -> None:
        """Write the tree of `commit` into the empty `folder`: its blobs as they are, links as links.

        Attributes and filters are not asked, so line ends, keywords, encodings and pointers to large files
        stay as committed; a submodule is an empty folder. Raises `UserError` where it can't be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ValueError(f"{folder} is not empty")
        export_tree(self.run, commit, folder)

    def merge_file(self, base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
        """Return the three-way merge of one file's contents, None where they conflict or are binary."""
        try:
            with tempfile.TemporaryDirectory(prefix="nocturne-") as scratch:
                for name, content in (("ours", ours), ("base", base), ("theirs", theirs)):
                    Path(scratch, name).write_bytes(content)
                return git_output(["merge-file", "-p", "-q", "ours", "base", "theirs"], cwd=Path(scratch))
        except ProcessFailed as error:
            if error.returncode is None:
                raise
            return None  # the exit code counts the conflicts; 255 is a binary file
        except OSError as error:
            raise_for_disk(error)
            raise

    # The remote

    def fetch(self, remote: str, refs: Sequence[str]) -> dict[str, str]:
        """Return {full name: sha} of the remote's `refs` as they are now, and bring them here.

        A name may be a pattern with `*`; one that is not there is left out. Our copies are kept in
        `refs/remotes/nocturne/` and `refs/nocturne/remote/`, and stay when a ref goes away. Raises
        `RemoteUnreachable`.
        """
        if self._seen is not None:
            seen_at, names, there = self._seen
            if seen_at == remote and names.issuperset(refs):
                return {ref: there[ref] for ref in refs if ref in there}
        far = self.remote_path(remote) is None
        return git_transfer.fetch(self._reaching(remote), remote, refs, far=far)

    @contextmanager
    def at_once(self, remote: str, refs: Sequence[str]) -> Iterator[None]:
        """Look at these refs in one go: inside, `fetch` says of them what was there at the beginning.

        That lasts until something is pushed, or `look_again`. No patterns, and not for two threads.
        """
        outer = self._seen
        if outer is not None and outer[0] == remote and outer[1].issuperset(refs):
            yield
            return
        try:
            self._seen = None
            self._seen = (remote, frozenset(refs), self.fetch(remote, refs))
        except Damaged:
            pass  # whoever reads the damaged one knows how it is mended
        try:
            yield
        finally:
            self._seen = None

    def look_again(self) -> None:
        """Forget what `at_once` saw."""
        self._seen = None

    def push(self, remote: str, updates: Sequence[RefUpdate]) -> PushResult:
        """Move the remote's refs, all or none, each only forward and only from where it is expected.

        A ref that is at its new commit already counts as pushed. Raises `RemoteUnreachable`, and `UserError`
        for a full disk or a missing permission.
        """
        if not updates:
            return PushResult(True, changed=False)
        self._seen = None
        receive = None
        if self.remote_path(remote) is not None:
            # git hides our settings from the other side, which is a disk of this machine here.
            receive = " ".join(
                ["git", *(f"-c {key}={value}" for key, value in durable_config()), "receive-pack"]
            )
        run = self._reaching(remote)
        result = git_transfer.push(run, remote, updates, self.is_ancestor, receive_pack=receive)
        if result.pushed:
            git_transfer.note_pushed(self.run, updates)
        return result

    def _reaching(self, remote: str) -> git_transfer.Run:
        """Return how to run a command that goes to `remote`: over the network with the login, and patiently."""
        if self.remote_path(remote) is not None:
            return self.run
        return patient(functools.partial(self.run, env=self.login))

    def remote_url(self, remote: str) -> str | None:
        """Return the URL of the configured remote called `remote`, None where there is none of that name."""
        try:
            return self.run(["remote", "get-url", "--", remote]).decode(errors="surrogateescape").strip()
        except ProcessFailed:
            return None

    def remote_path(self, remote: str) -> Path | None:
        """Return the git folder of a remote that lies on this machine, None for one reached by network."""
        if remote not in self._remote_paths:
            url = remote if Path(remote).is_absolute() else self.remote_url(remote) or remote
            found = self._find_remote_path(url)
            if found is None and (":" not in url.split("/")[0] or url.startswith("file:")):
                return None  # a path, where it may be made yet
            self._remote_paths[remote] = found
        return self._remote_paths[remote]

    @functools.cached_property
    def _remote_paths(self) -> dict[str, Path | None]:
        return {}

    def _find_remote_path(self, url: str) -> Path | None:
        if url.startswith("file://"):
            url = unquote(urlsplit(url).path)
        path = self.top / url
        for folder in (path, path / ".git", Path(f"{path}.git")):
            if (folder / "HEAD").is_file() and (folder / "objects").is_dir():
                return folder
        return None


__all__ = ["AUTHOR", "Damaged", "Git", "PushResult", "RefUpdate", "RemoteUnreachable", "TreeEntry"]
