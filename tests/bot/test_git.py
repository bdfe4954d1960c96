"""Git by plumbing: what is read and written, and that nobody's settings or working tree change or are changed."""

from __future__ import annotations

import os
import stat
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path

import pytest

from bot.errors import UserError
from bot.git import Git, RefUpdate, RemoteUnreachable
from bot.git.merging import merge_file
from bot.git.transfer import tracking_ref
from bot.git.user_state import changed_files, default_branch
from bot.rules.scope import FileChange
from tests.bot.storage import make_bare, make_repository, own_mounts, python, sh

WHEN = datetime(2026, 3, 1, 22, 0, tzinfo=timezone.utc)
LEDGER = "refs/heads/nocturne/ledger"


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return make_repository(tmp_path / "repo")


def head(git: Git) -> str:
    found = git.resolve("HEAD")
    assert found is not None
    return found


def test_open_finds_the_top_and_names_the_mend(tmp_path: Path, git: Git) -> None:
    assert Git.open(git.top / "sub").top == git.top
    with pytest.raises(UserError, match="run `git init` or name another folder"):
        Git.open(tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        Git.open(tmp_path / "nowhere")
    bare = make_bare(tmp_path / "bare.git")
    assert Git.open(Path(bare)).common_dir == Path(bare)


def test_commit_files_is_what_git_commit_makes(git: Git) -> None:
    (git.top / "train.py").chmod(0o755)
    sh(git.top, "commit", "-qam", "mode")
    files = {"train.py": b"LR = 0.2\r\n", "sub/deep/er.txt": b"new", "sub/other.txt": None, "sub.txt": b""}
    commit = git.commit_files(head(git), files, "a change\n\nwith a body", WHEN)
    sh(git.top, "fsck", "--strict")
    # git's own index makes the same tree
    sh(git.top, "rm", "-q", "sub/other.txt")
    for name in ("train.py", "sub/deep/er.txt", "sub.txt"):
        (git.top / name).parent.mkdir(parents=True, exist_ok=True)
        (git.top / name).write_bytes(files[name] or b"")
    sh(git.top, "add", ".")
    assert sh(git.top, "write-tree") == sh(git.top, "rev-parse", f"{commit}^{{tree}}")
    assert sh(git.top, "show", "-s", "--format=%an <%ae> %at %ct %P", commit) == (
        f"Nocturne <nocturne@users.noreply.github.com> {int(WHEN.timestamp())} {int(WHEN.timestamp())} {head(git)}"
    )
    assert sh(git.top, "show", "-s", "--format=%B", commit) == "a change\n\nwith a body"


def test_same_arguments_same_commit_everywhere(tmp_path: Path, git: Git) -> None:
    other = Git.open(Path(sh(tmp_path, "clone", "-q", str(git.top), "clone") or tmp_path / "clone"))
    made = {here.commit_files(head(git), {"train.py": b"x"}, "m", WHEN) for here in (git, git, other)}
    assert len(made) == 1
    orphan = git.commit_files(None, {"a/b": b"1", "a/c": b"2"}, "first", WHEN)
    assert [entry.path for entry in git.list_tree(orphan)] == ["a/b", "a/c"]
    assert git.list_tree(git.commit_files(orphan, {"a/b": None, "a/c": None}, "empty", WHEN)) == []


def test_file_and_folder_take_each_others_place(git: Git) -> None:
    one = git.commit_files(head(git), {"train.py/inner.py": b"1", "sub": b"a file now"}, "m", WHEN)
    assert [entry.path for entry in git.list_tree(one)] == ["sub", "train.py/inner.py"]
    (git.top / "link").symlink_to("train.py")
    sh(git.top, "add", "link")
    sh(git.top, "commit", "-qm", "link")
    two = git.commit_files(head(git), {"link": b"plain"}, "m", WHEN)
    assert [entry.mode for entry in git.list_tree(two) if entry.path == "link"] == ["100644"]


@pytest.mark.parametrize("path", ["../up", "/etc/x", "a//b", ".git/config", "a/.GIT/x", "new\nline", ""])
def test_paths_that_leave_the_tree_are_refused(git: Git, path: str) -> None:
    with pytest.raises(ValueError, match="not a path"):
        git.commit_files(head(git), {path: b""}, "m", WHEN)


def test_reading(git: Git) -> None:
    base = head(git)
    odd = {"new\nline.txt": b"odd", "ünï cödé": b"u\0\xff", "sub/other.txt": b"one\ntwo\n"}
    for name, content in odd.items():
        (git.top / name).write_bytes(content)
    (git.top / "train.py").unlink()
    sh(git.top, "add", "-A")
    sh(git.top, "commit", "-qm", "odd")
    now = head(git)
    assert {name: git.read_blob(now, name) for name in odd} == odd
    assert git.read_blob(now, "sub") is None
    assert git.read_blob(now, "nothing") is None
    assert sorted((change.status, change.path) for change in git.file_changes(base, now)) == [
        ("A", "new\nline.txt"), ("A", "ünï cödé"), ("D", "train.py"), ("M", "sub/other.txt"),
    ]  # fmt: skip
    assert git.numstat(base, now) == (2, 1)
    assert [entry.path for entry in git.list_tree(now, "sub")] == ["sub/other.txt"]
    assert [(e.path, e.kind) for e in git.list_tree(base, recursive=False)] == [
        ("sub", "tree"), ("train.py", "blob"),
    ]  # fmt: skip
    assert git.diff(base, now, ["sub/other.txt"]).endswith("@@ -1 +1,2 @@\n one\n+two\n")
    assert git.is_ancestor(base, now) and not git.is_ancestor(now, base)
    assert not git.is_ancestor("1" * 40, now)
    assert git.store.between(base, now) == [now]
    assert git.resolve("--all") is None


def test_many_diffs_are_what_each_one_is_by_one_process(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    base = head(git)
    heads = f"{'a' * 40} {'b' * 40}\n".encode()
    contents = [b"LR = 0.3\n", heads * 3, b"\0" + heads, b"", heads + b"no end", b"LR = 0.3\r" + heads]
    commits = [git.commit_files(base, {"train.py": text, "x y": text}, "m", WHEN) for text in contents]
    pairs = [(base, base), *((base, commit) for commit in commits), *pairwise(commits)]
    alone = [git.diff(*pair) for pair in pairs]
    asked: list[object] = []
    run = Git.run

    def counted(self: Git, arguments: list[str], stdin: bytes | None = None) -> bytes:
        asked.append(arguments)
        return run(self, arguments, stdin)

    monkeypatch.setattr(Git, "run", counted)
    assert git.diffs(pairs) == alone and alone[0] == "" and all(alone[1:])
    assert len(asked) == 1 and git.diffs([]) == [] and len(asked) == 1


def test_dirty_is_what_is_tracked_and_changed(git: Git) -> None:
    (git.top / "untracked").write_text("x")
    assert changed_files(git) == []
    (git.top / "train.py").write_text("changed\n")
    assert changed_files(git) == ["train.py"]
    assert changed_files(git, ["sub"]) == []


def test_default_branch(tmp_path: Path, git: Git) -> None:
    assert default_branch(git) == "main"
    sh(git.top, "checkout", "-q", "-b", "work")
    assert default_branch(git) == "work"
    sh(git.top, "checkout", "-q", "--detach")
    assert default_branch(git) == "main"
    sh(git.top, "branch", "-q", "-D", "main", "work")
    with pytest.raises(UserError, match="set-head"):
        default_branch(git)
    sh(git.top, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
    assert default_branch(git) == "trunk"


def test_export_is_the_tree_and_nothing_of_the_working_tree(tmp_path: Path, git: Git) -> None:
    (git.top / "run.sh").write_text("#!/bin/sh\n")
    (git.top / "run.sh").chmod(0o755)
    (git.top / "link").symlink_to("train.py")
    (git.top / ".gitattributes").write_text("sub export-ignore\n")
    sh(git.top, "add", "-A")
    sh(git.top, "commit", "-qm", "more")
    (git.top / ".gitattributes").write_text("* text eol=crlf\n")  # not committed: means nothing
    sh(git.top, "config", "core.autocrlf", "true")
    git.export(head(git), tmp_path / "out")
    names = {
        str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if not path.is_dir()
    }
    assert names == {"train.py", "sub/other.txt", "run.sh", "link", ".gitattributes"}
    assert (tmp_path / "out/train.py").read_bytes() == b"LR = 0.1\n"
    assert (tmp_path / "out/run.sh").stat().st_mode & stat.S_IXUSR
    assert (tmp_path / "out/link").is_symlink()
    with pytest.raises(ValueError, match="not empty"):
        git.export(head(git), tmp_path / "out")


def test_export_asks_no_attribute_and_no_filter(tmp_path: Path, git: Git) -> None:
    """What a checkout or an archive would rewrite stays as it was committed."""
    contents = {
        ".gitattributes": b"*.txt text eol=crlf\n*.py ident filter=evil export-ignore\n"
        b"*.md export-subst\n*.wide working-tree-encoding=UTF-16\nbig.bin filter=lfs diff=lfs merge=lfs\n",
        "sub/lines.txt": b"one\ntwo\n",
        "train.py": b"# $Id$\nLR = 0.1\n",
        "notes.md": b"$Format:%H$\n",
        "text.wide": "ü\n".encode(),
        "big.bin": b"version https://git-lfs.github.com/spec/v1\n",
    }
    ran = tmp_path / "filter-ran"
    for name in ("evil", "lfs"):
        for way in ("smudge", "clean", "process"):
            sh(git.top, "config", f"filter.{name}.{way}", f"touch '{ran}'; cat")
        sh(git.top, "config", f"filter.{name}.required", "true")
    (git.common_dir / "info").mkdir(exist_ok=True)
    (git.common_dir / "info/attributes").write_text("*.txt text eol=crlf ident\n")
    commit = git.commit_files(head(git), contents, "attributes", WHEN)
    git.export(commit, tmp_path / "out")
    assert {name: (tmp_path / "out" / name).read_bytes() for name in contents} == contents
    assert not ran.exists()


def test_export_of_names_and_links_that_are_odd(tmp_path: Path, git: Git) -> None:
    sub = sh(git.top, "rev-parse", "HEAD:sub")
    to = sh(git.top, "hash-object", "-w", "--stdin", stdin=b"/no/where\xff")
    blob = sh(git.top, "rev-parse", "HEAD:train.py")
    listing = b"120000 blob %s\tlink\0" % to.encode() + b"160000 commit %s\tlib\0" % (b"1" * 40)
    listing += b"100644 blob %s\tnew\nline\xff\0" % blob.encode() + b"040000 tree %s\tsub\0" % sub.encode()
    tree = sh(git.top, "mktree", "-z", "--missing", stdin=listing)
    git.export(sh(git.top, "commit-tree", tree, "-m", "odd"), tmp_path / "out")
    out = tmp_path / "out"
    assert {os.fsencode(path.name) for path in out.iterdir()} == {b"lib", b"link", b"new\nline\xff", b"sub"}
    assert os.fsencode((out / "link").readlink()) == b"/no/where\xff"
    assert list((out / "lib").iterdir()) == []  # a submodule, as in a clone without them


def test_export_never_leaves_its_folder(tmp_path: Path, git: Git) -> None:
    """Trees that no git would make: a link that a folder of the same name would be written through, `..`."""
    blob = sh(git.top, "rev-parse", "HEAD:train.py")
    below = sh(git.top, "mktree", stdin=f"100644 blob {blob}\tpwned\n".encode())
    to = sh(git.top, "hash-object", "-w", "--stdin", stdin=str(tmp_path).encode())

    def commit(*entries: tuple[bytes, bytes, str]) -> str:
        content = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(sha) for mode, name, sha in entries)
        tree = sh(git.top, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=content)
        return sh(git.top, "commit-tree", tree, "-m", "hostile")

    through = commit((b"120000", b"a", to), (b"40000", b"a", below))
    with pytest.raises(UserError, match=r"cannot check .* out into .* File exists"):
        git.export(through, tmp_path / "one")
    for number, name in enumerate((b"..", b".git", b".GIT")):
        with pytest.raises(UserError, match="must not be checked out"):
            git.export(commit((b"40000", name, below)), tmp_path / f"other{number}")
    assert not (tmp_path / "pwned").exists()


def test_file_changes_are_whole_and_hide_nothing(git: Git) -> None:
    """Every byte of every name, modes, links and submodules, whatever settings would leave out."""

    def entry(mode: str, kind: str, sha: str, name: str) -> str:
        return f"{mode} {kind} {sha}\t{name}\0"

    def commit(*entries: str) -> str:
        listing = "".join(entries).encode(errors="surrogateescape")
        return sh(git.top, "commit-tree", sh(git.top, "mktree", "-z", "--missing", stdin=listing), "-m", "m")

    train, other = (sh(git.top, "rev-parse", f"HEAD:{name}") for name in ("train.py", "sub/other.txt"))
    one, two, none = "1" * 40, "2" * 40, "0" * 40
    ignored = sh(
        git.top, "hash-object", "-w", "--stdin", stdin=b'[submodule "lib"]\npath=lib\nurl=x\nignore=all\n'
    )
    modules = entry("100644", "blob", ignored, ".gitmodules")
    before = commit(
        modules, entry("160000", "commit", one, "lib"), entry("100644", "blob", train, "kept"),
        entry("100644", "blob", train, "old name"), entry("100644", "blob", other, "train.py"),
    )  # fmt: skip
    after = commit(
        modules, entry("160000", "commit", two, "lib"), entry("100755", "blob", train, "kept"),
        entry("100644", "blob", train, "new\n\tname\udcff"), entry("120000", "blob", other, "train.py"),
    )  # fmt: skip
    (git.top / ".gitmodules").write_text('[submodule "lib"]\npath=lib\nurl=x\nignore=all\n')
    hostile = {
        "submodule.lib.ignore": "all", "diff.ignoreSubmodules": "all", "diff.renames": "copies",
        "diff.relative": "true", "core.fileMode": "false", "core.abbrev": "6", "core.quotePath": "true",
    }  # fmt: skip
    for key, value in hostile.items():
        sh(git.top, "config", key, value)
    assert sorted(git.file_changes(before, after), key=lambda change: change.path) == [
        FileChange("kept", "M", "100644", "100755", train, train),
        FileChange("lib", "M", "160000", "160000", one, two),
        FileChange("new\n\tname\udcff", "A", "000000", "100644", none, train),
        FileChange("old name", "D", "100644", "000000", train, none),
        FileChange("train.py", "T", "100644", "120000", other, other),
    ]
    assert git.file_changes(before, before) == []


def test_tree_with_takes_contents_of_named_files_and_nothing_else(git: Git) -> None:
    base = head(git)
    files = {"train.py": b"LR = 0.3\n", "sub/other.txt": b"other", "sub/new.py": b"new"}
    far = git.commit_files(base, files, "far", WHEN)
    only = git.commit_files(base, {"train.py": files["train.py"], "sub/new.py": b"new"}, "only", WHEN)
    assert git.tree_with(base, far, ["train.py", "sub/new.py", "not there"]) == git.tree_and_parents(only)[0]
    assert (
        git.tree_with(base, far, [])
        == git.tree_with(base, base, ["train.py"])
        == git.tree_and_parents(base)[0]
    )
    assert git.tree_and_parents(far)[1] == [base]
    (git.top / "train.py").chmod(0o755)
    sh(git.top, "rm", "-q", "sub/other.txt")
    (git.top / "sub").mkdir(exist_ok=True)
    (git.top / "sub/other.txt").symlink_to("/etc/passwd")
    sh(git.top, "add", "-A")
    sh(git.top, "commit", "-qm", "executable, and a link")
    kept = git.tree_with(base, head(git), ["train.py", "sub/other.txt"])
    assert kept == git.tree_and_parents(base)[0]  # a mode and a link are no contents


def test_merge_file() -> None:
    base = b"".join(b"line %d\n" % number for number in range(9))
    ours, theirs = base.replace(b"line 1", b"ours"), base.replace(b"line 7", b"theirs")
    assert merge_file(base, ours, theirs) == ours.replace(b"line 7", b"theirs")
    assert merge_file(base, ours, base.replace(b"line 1", b"theirs")) is None
    assert merge_file(b"\0a", b"\0b", b"\0c") is None


def test_push_moves_only_forward_and_only_from_what_is_expected(tmp_path: Path, git: Git) -> None:
    remote = make_bare(tmp_path / "remote.git")
    one = git.commit_files(None, {"a": b"1"}, "1", WHEN)
    two = git.commit_files(one, {"a": b"2"}, "2", WHEN)
    side = git.commit_files(one, {"a": b"3"}, "3", WHEN)

    def push(new: str | None, expected: str | None, ref: str = LEDGER) -> str:
        result = git.push(remote, [RefUpdate(ref, new, expected)])
        return "pushed" if result.pushed else str(result.rejected)

    assert push(one, None) == "pushed"
    assert push(one, None) == "pushed"  # there already
    assert push(two, None) == "moved"  # it exists
    assert push(two, one) == "pushed"
    assert push(two, one) == "pushed"
    assert push(side, one) == "moved"
    assert push(side, two) == "moved"  # expected, but no fast-forward
    assert push(side, "any") == "moved"
    assert git.fetch(remote, [LEDGER]) == {LEDGER: two}
    both = [RefUpdate(LEDGER, side, one), RefUpdate("refs/nocturne/x", one, None)]
    assert git.push(remote, both).rejected == "moved"
    assert git.fetch(remote, ["refs/nocturne/*"]) == {}  # all or none
    assert push(None, one) == "moved"
    assert push(None, two) == "pushed"
    assert push(None, "any") == "pushed"  # gone already
    replace = RefUpdate(LEDGER, side, two, forward_only=False)
    assert push(two, None) == "pushed"
    assert git.push(remote, [replace]).pushed
    assert git.fetch(remote, [LEDGER]) == {LEDGER: side}


def test_push_tells_refusal_lock_and_a_branch_in_the_way(tmp_path: Path, git: Git) -> None:
    remote = make_bare(tmp_path / "remote.git")
    commit = git.commit_files(None, {"a": b"1"}, "1", WHEN)
    lock = Path(remote, f"{LEDGER}.lock")
    lock.parent.mkdir(parents=True)
    lock.touch()
    assert git.push(remote, [RefUpdate(LEDGER, commit, None)]).rejected == "moved"
    lock.unlink()
    hook = Path(remote, "hooks/pre-receive")
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no\nexit 1\n")
    hook.chmod(0o755)
    assert git.push(remote, [RefUpdate(LEDGER, commit, None)]).rejected == "denied"
    hook.unlink()
    assert git.push(remote, [RefUpdate("refs/heads/nocturne", commit, None)]).pushed
    with pytest.raises(UserError, match="has refs/heads/nocturne"):
        git.push(remote, [RefUpdate(LEDGER, commit, None)])


def test_fetch_brings_what_is_there_and_lists_the_rest_not(tmp_path: Path, git: Git) -> None:
    remote = make_bare(tmp_path / "remote.git")
    other = make_repository(tmp_path / "other")
    one = other.commit_files(None, {"a": b"1"}, "1", WHEN)
    refs = [LEDGER, "refs/heads/nocturne/deep/er", "refs/nocturne/forge", "refs/heads/main"]
    assert other.push(remote, [RefUpdate(ref, one, None) for ref in refs]).pushed
    assert git.fetch(remote, ["refs/heads/nocturne/*", "refs/nocturne/none"]) == dict.fromkeys(refs[:2], one)
    assert git.resolve("nocturne/ledger") == one
    assert git.fetch(remote, refs) == dict.fromkeys(refs, one)
    assert [git.resolve(tracking_ref(ref)) for ref in refs] == [one] * 4
    assert git.fetch(remote, ["refs/heads/nocturne"]) == {}  # a prefix is no match


def test_unreachable_remote_is_one_line_without_the_password(git: Git) -> None:
    with pytest.raises(RemoteUnreachable, match="git ls-remote"):
        git.fetch("/no/such/place.git", [LEDGER])
    with pytest.raises(RemoteUnreachable) as caught:
        git.fetch("http://user:secret@127.0.0.1:9/x.git", [LEDGER])
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)
    commit = git.commit_files(None, {"a": b"1"}, "1", WHEN)
    with pytest.raises(RemoteUnreachable, match="push to"):
        git.push("/no/such/place.git", [RefUpdate(LEDGER, commit, None)])
    with pytest.raises(RemoteUnreachable):
        git.fetch("ext::sh -c 'touch /tmp/pwned'", [LEDGER])


def test_hostile_settings_change_nothing(tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    base = head(git)
    commit = git.commit_files(base, {"train.py": b"LR = 0.2\n"}, "m", WHEN)
    diff = git.diff(base, commit)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    names = (
        "pre-push",
        "post-checkout",
        "reference-transaction",
        "pre-receive",
        "update",
        "post-index-change",
    )
    for name in names:
        (hooks / name).write_text(f"#!/bin/sh\ntouch '{tmp_path}/hook-ran'\nexit 1\n")
        (hooks / name).chmod(0o755)
    hostile = {
        "commit.gpgsign": "true", "gpg.program": "false", "push.gpgSign": "true", "core.hooksPath": str(hooks),
        "diff.external": "false", "diff.noprefix": "true", "diff.renames": "copies", "diff.context": "0",
        "color.ui": "always", "color.diff": "always", "core.autocrlf": "true", "core.abbrev": "6",
        "core.quotePath": "false", "i18n.commitEncoding": "latin1", "push.default": "matching",
        "push.followTags": "true", "status.showUntrackedFiles": "all", "status.branch": "true",
        "status.short": "true", "log.showSignature": "true", "log.decorate": "full", "fetch.prune": "true",
        "core.sparseCheckout": "true", "merge.conflictStyle": "diff3", "core.fsmonitor": "true",
        "diff.orderFile": "/nonexistent",
    }  # fmt: skip
    for key, value in hostile.items():
        sh(git.top, "config", key, value)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Mallory")
    look = ["-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "status", "--porcelain=v2"]
    status = sh(git.top, *look)
    again = Git.open(git.top)
    assert again.commit_files(base, {"train.py": b"LR = 0.2\n"}, "m", WHEN) == commit
    assert again.diff(base, commit) == diff
    assert [change.path for change in again.file_changes(base, commit)] == ["train.py"]
    again.export(commit, tmp_path / "out")
    assert (tmp_path / "out/train.py").read_bytes() == b"LR = 0.2\n"
    assert (tmp_path / "out/sub/other.txt").exists()
    remote = make_bare(tmp_path / "remote.git")
    assert again.push(remote, [RefUpdate(LEDGER, commit, None)]).pushed
    assert again.fetch(remote, [LEDGER]) == {LEDGER: commit}
    assert changed_files(again) == []
    assert sh(git.top, *look) == status
    assert not (tmp_path / "hook-ran").exists()


def test_index_head_and_working_tree_stay_untouched(tmp_path: Path, git: Git) -> None:
    (git.top / "train.py").write_text("being edited\n")
    sh(git.top, "add", "train.py")
    os.utime(git.top / "sub/other.txt", (1, 1))  # an index that a plain `git status` would rewrite
    watched = [git.common_dir / "index", git.common_dir / "HEAD", git.top / "train.py"]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in watched]
    commit = git.commit_files(head(git), {"train.py": b"ours\n"}, "m", WHEN)
    git.export(commit, tmp_path / "out")
    changed_files(git)
    git.push(make_bare(tmp_path / "r.git"), [RefUpdate(LEDGER, commit, None)])
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in watched] == before
    assert not (git.common_dir / "FETCH_HEAD").exists()


def test_linked_worktree_and_odd_path(tmp_path: Path) -> None:
    git = make_repository(tmp_path / "mein Ordner – ünïcode 'q'")
    sh(git.top, "worktree", "add", "-q", str(tmp_path / "linked tree"), "-b", "side")
    linked = Git.open(tmp_path / "linked tree")
    assert linked.common_dir == git.common_dir and linked.top == tmp_path / "linked tree"
    remote = make_bare(tmp_path / "rem ote – ü.git")
    commit = linked.commit_files(head(linked), {"train.py": b"1"}, "m", WHEN)
    assert linked.push(remote, [RefUpdate(LEDGER, commit, None)]).pushed
    assert git.fetch(remote, [LEDGER]) == {LEDGER: commit}
    linked.export(commit, tmp_path / "out put")
    assert (tmp_path / "out put/train.py").read_bytes() == b"1"
    assert default_branch(linked) == "side"


def test_full_disk_is_one_line(tmp_path: Path, git: Git) -> None:
    command = own_mounts()
    code = """
import subprocess, sys
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from bot.errors import UserError
from bot.git import Git
disk, source = Path(sys.argv[1]), sys.argv[2]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
subprocess.run(["git", "clone", "-q", "-n", "--template=", source, str(disk / "repo")], check=True)
git = Git.open(disk / "repo")
try:
    git.export(git.resolve("HEAD"), disk / "out")
except UserError as error:
    assert "free some space" in str(error) and "0.0 MB" in str(error), error
else:
    sys.exit("the export fitted")
"""
    (git.top / "big").write_bytes(os.urandom(700_000))
    sh(git.top, "add", ".")
    sh(git.top, "commit", "-qm", "big")
    (tmp_path / "disk").mkdir()
    process = python(code, str(tmp_path / "disk"), str(git.top), before=command)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said.decode()
