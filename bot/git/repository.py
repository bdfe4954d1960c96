"""The user's git repository: everything is read and written by plumbing, nothing of theirs is touched.

Index, working tree, HEAD and branches stay as they are; what we make are objects, and refs below
`refs/remotes/nocturne/` and `refs/nocturne/`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bot.base.process import ProcessFailed
from bot.errors import UserError
from bot.git import diffs as git_diffs
from bot.git import objects as git_objects
from bot.git import transfer as git_transfer
from bot.git.beside import TooMuch, fetch_beside, push_beside
from bot.git.command import Damaged, durable_config, failure_text, git_output, last_line
from bot.git.export import export_tree
from bot.git.objects import TreeEntry
from bot.git.patience import over_network
from bot.git.store import Store
from bot.git.transfer import PushResult, RefUpdate, tracking_ref
from bot.rules.scope import REGULAR_MODES, FileChange

AUTHOR = "Nocturne <nocturne@users.noreply.github.com>"
# What the store can look up; git itself is asked for anything odder.
_NAME = re.compile(r"[0-9a-f]{40}")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")


class Git:
    """One repository. `top` is its working tree (or the bare folder itself), `common_dir` its git folder."""

    def __init__(self, top: Path, common_dir: Path, login: Mapping[str, str] | None = None) -> None:
        """`login` are the variables with which git may log in at a remote; only work on a remote gets them."""
        self.top = top
        self.common_dir = common_dir
        self.login = dict(login or {})
        self._seen: tuple[str, frozenset[str], dict[str, str]] | None = None
        self._remote_paths: dict[str, Path | None] = {}
        self._remote_urls: dict[tuple[str, int], str | None] = {}

    @property
    def own_remote(self) -> Path:
        """Where the remote that we make ourselves lies, whether it exists or not."""
        return self.common_dir / "nocturne" / "forge.git"

    @functools.cached_property
    def store(self) -> Store:
        """The objects and refs of this repository, without starting git."""
        return Store(self.top, self._bring)

    def _bring(self, names: Sequence[str]) -> None:
        """Have git get objects that a partial clone lacks from its remote."""
        with suppress(ProcessFailed, Damaged):
            self.run(["cat-file", "--batch-check"], "".join(f"{name}\n" for name in names).encode())

    @staticmethod
    def open(path: Path) -> Git:
        """Return the repository that holds `path`; raise `UserError` if there is none."""
        if not path.is_dir():
            raise UserError(f"{path} is not a folder: name the folder of a git repository")
        try:
            # The way up to the top is relative, and a bare repository has none.
            asked = ["--is-bare-repository", "--show-cdup", "--path-format=absolute", "--git-common-dir"]
            said = git_output(["rev-parse", *asked], cwd=path).decode(errors="surrogateescape")
            bare, _, rest = said.removesuffix("\n").partition("\n")
            if bare == "true":
                return Git(Path(rest), Path(rest))
            up, _, common = rest.partition("\n")
            if up.startswith("/"):  # within the git folder, or with a working tree somewhere else
                up = git_output(["rev-parse", "--show-toplevel"], cwd=path).decode(errors="surrogateescape")
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
        return Git((path / up.removesuffix("\n")).resolve(), Path(common))

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
        known = {ref: self.store.ref(tracking_ref(ref)) for ref in refs}
        return {ref: sha for ref, sha in known.items() if sha is not None}

    def resolve(self, rev: str) -> str | None:
        """Return the full name of the commit that `rev` means here, None if it means none."""
        if _PLAIN_NAME.fullmatch(rev):
            return self.store.commit(rev)
        try:
            command = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}"]
            return self.run(command).decode().strip()
        except (ProcessFailed, Damaged):
            return None

    def read_blob(self, commit: str, path: str) -> bytes | None:
        """Return the content of the file `path` in `commit`, None if there is none.

        Raises `Damaged` if the file is there and cannot be read.
        """
        entry = git_objects.find_entry(self.store, self._tree(commit), path)
        if entry is None or entry[0] in (git_objects.FOLDER, git_objects.SUBMODULE):
            return None
        return self.store.read(entry[1], "blob")

    def read_blobs(self, commit: str, paths: Sequence[str]) -> dict[str, bytes | None]:
        """Return {path: content} of several files of `commit`; as `read_blob`."""
        return {path: self.read_blob(commit, path) for path in paths}

    def list_tree(self, commit: str, folder: str = "", recursive: bool = True) -> list[TreeEntry]:
        """Return the entries below `folder` of `commit`, paths from the top; none if it is not there."""
        tree, folder = self._tree(commit), folder.rstrip("/")
        if folder:
            entry = git_objects.find_entry(self.store, tree, folder)
            if entry is None or entry[0] != git_objects.FOLDER:
                return []
            tree = entry[1]
        prefix = f"{folder}/".encode(errors="surrogateescape") if folder else b""
        return git_objects.walk_tree(self.store, tree, prefix, recursive=recursive)

    def file_changes(self, base: str, head: str) -> list[FileChange]:
        """Return every file that differs, with modes and objects; nothing is read but trees."""
        return git_objects.tree_changes(self.store, self._tree(base), self._tree(head))

    def tree_and_parents(self, commit: str) -> tuple[str, list[str]]:
        """Return the names of the tree and the parents that `commit` itself has written down."""
        return git_objects.commit_headers(self.store, commit)

    def _tree(self, commit: str) -> str:
        known = commit if _NAME.fullmatch(commit) else self.resolve(commit)
        if known is None:
            raise Damaged(f"commit {commit} is missing")
        return git_objects.commit_headers(self.store, known)[0]

    def diff(self, base: str, head: str, paths: Sequence[str] = ()) -> str:
        """Return the unified diff from `base` to `head`, of `paths` only if there are any."""
        return git_diffs.diff(self.run, base, head, paths)

    def diffs(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        """Return the unified diff of each pair of commits, as `diff` does, by one process for all of them."""
        return git_diffs.diffs(self.run, [(self._tree(base), self._tree(head)) for base, head in pairs])

    def numstat(self, base: str, head: str) -> tuple[int, int]:
        """Return how many lines were added and removed; binary files count as none."""
        return git_diffs.numstat(self.run, base, head)

    def is_ancestor(self, a: str, b: str) -> bool:
        """Say whether commit `a` is `b` or one of its ancestors; False if one of them is not here."""
        return self.store.is_ancestor(a, b)

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
        if parent is not None and not _NAME.fullmatch(parent):
            parent = self.resolve(parent) or parent
        tree = git_objects.write_tree(self.store, self._tree(parent) if parent else None, files)
        return git_objects.write_commit(self.store, tree, [parent] if parent else [], message, when, author)

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
        files = self.read_blobs(head, [change.path for change in changed])
        return git_objects.write_tree(self.store, self._tree(base), files)

    def export(self, commit: str, folder: Path) -> None:
        """Write the tree of `commit` into the empty `folder`: its blobs as they are, links as links.

        Attributes and filters are not asked, so line ends, keywords, encodings and pointers to large files
        stay as committed; a submodule is an empty folder. Raises `UserError` if it can't be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ValueError(f"{folder} is not empty")
        export_tree(self.store, self._tree(commit), commit, folder)

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
        beside = self._beside(remote)
        if beside is not None:
            with suppress(TooMuch):
                return fetch_beside(self.store, beside, refs)
        far = self.remote_path(remote) is None
        return git_transfer.fetch(self._reaching(remote), self.store, remote, refs, far=far)

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
        """Forget what `at_once` and the store saw."""
        self._seen = None
        self.__dict__.pop("store", None)

    def fetch_anew(self, remote: str, ref: str) -> None:
        """Get the remote's `ref` as if nothing of it were here. Raises `Damaged` and `RemoteUnreachable`."""
        ours = tracking_ref(ref)
        with suppress(ProcessFailed, Damaged):
            self.run(["update-ref", "-d", ours])
        (self.common_dir / ours).unlink(missing_ok=True)  # a file that is no ref any more
        git_transfer.fetch(self._reaching(remote), self.store, remote, [ref])

    def push(self, remote: str, updates: Sequence[RefUpdate]) -> PushResult:
        """Move the remote's refs, all or none, each only forward and only from where it is expected.

        A ref that is at its new commit already counts as pushed. Raises `RemoteUnreachable`, and `UserError`
        for a full disk or a missing permission.
        """
        if not updates:
            return PushResult(True, changed=False)
        self._seen = None
        beside = self._beside(remote)
        if beside is not None:
            with suppress(TooMuch):
                return push_beside(self.store, beside, updates)
        receive = None
        if self.remote_path(remote) is not None:
            # git hides our settings from the other side, which is a disk of this machine here.
            receive = " ".join(
                ["git", *(f"-c {key}={value}" for key, value in durable_config()), "receive-pack"]
            )
        run = self._reaching(remote)
        result = git_transfer.push(run, remote, updates, self.is_ancestor, receive_pack=receive)
        if result.pushed:
            with suppress(Damaged):  # the next fetch puts it right
                git_transfer.track(self.store, {update.ref: update.new for update in updates})
        return result

    def _beside(self, remote: str) -> Store | None:
        """Return the store of our own remote if that is `remote`, None for every other one."""
        if self.remote_path(remote) != self.own_remote or not (self.own_remote / "HEAD").is_file():
            return None
        return Store(self.own_remote)

    def _reaching(self, remote: str) -> git_transfer.Run:
        """Return how to run a command that goes to `remote`: over the network with the login, and patiently."""
        if self.remote_path(remote) is not None:
            return self.run
        return functools.partial(over_network, cwd=self.top, env=self.login)

    def remote_url(self, remote: str) -> str | None:
        """Return the URL of the configured remote called `remote`, None if there is none of that name; git is asked
        again if the configuration of this repository has changed."""
        file = self.common_dir / "config"
        asked = (remote, file.stat().st_mtime_ns if file.exists() else 0)
        if asked not in self._remote_urls:
            self._remote_urls[asked] = None
            with suppress(ProcessFailed):
                said = self.run(["remote", "get-url", "--", remote])
                self._remote_urls[asked] = said.decode(errors="surrogateescape").strip()
        return self._remote_urls[asked]

    def remote_path(self, remote: str) -> Path | None:
        """Return the git folder of a remote that lies on this machine, None for one reached by network."""
        if remote not in self._remote_paths:
            url = remote if Path(remote).is_absolute() else self.remote_url(remote) or remote
            found = self._find_remote_path(url)
            if found is None and (":" not in url.split("/")[0] or url.startswith("file:")):
                return None  # a path, where it may be made yet
            self._remote_paths[remote] = found
        return self._remote_paths[remote]

    def _find_remote_path(self, url: str) -> Path | None:
        if url.startswith("file://"):
            url = unquote(urlsplit(url).path)
        path = self.top / url
        for folder in (path, path / ".git", Path(f"{path}.git")):
            if (folder / "HEAD").is_file() and (folder / "objects").is_dir():
                return folder
        return None
