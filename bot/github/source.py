"""Where on GitHub this installation comes from: what a workflow's `uses:` may name, if it exists there.

https://packaging.python.org/en/latest/specifications/direct-url/ tells what installers write down.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bot.base.process import ProcessFailed
from bot.git.command import Damaged, blot, git_output
from bot.git.remote import github_repository, is_github

_COMMIT = re.compile(r"[0-9a-f]{40}")
_ARCHIVE = re.compile(
    r"/([\w.-]+/[\w.-]+)/(?:archive|zip|zipball|tar\.gz|tarball)/([0-9a-f]{40})(?:\.zip|\.tar\.gz)?"
)
_PATIENCE = 20.0  # seconds that GitHub may take to name the commit of a tag


def own_action(
    environ: Mapping[str, str] = os.environ, distribution: metadata.Distribution | None = None
) -> tuple[str | None, str]:
    """Return OWNER/NAME@COMMIT of this installation, which is on GitHub; or None, and why it is not known.

    It is what pip took from git (PEP 610), the pushed commit of the clone that it was installed from, the commit of a
    downloaded archive, or, for a package from an index, the tag of its version in the repository that it names.
    """
    installed = distribution or metadata.distribution("nocturne")
    told = installed.read_text("direct_url.json")
    if told is None:
        return _tagged(environ, installed)
    record = json.loads(told)
    url = str(record.get("url", ""))
    if "vcs_info" in record:
        return _named(environ, url, record["vcs_info"].get("commit_id"))
    if "dir_info" in record:
        return _clone(environ, Path(unquote(urlsplit(url).path)))
    found = _ARCHIVE.fullmatch(urlsplit(url).path) if is_github(url, environ) else None
    if found is None:
        return None, f"it was installed from {blot(url)}, which names no commit on GitHub"
    return f"{found[1]}@{found[2]}", ""


def _named(environ: Mapping[str, str], url: str, commit: str | None) -> tuple[str | None, str]:
    name = github_repository(url) if is_github(url, environ) else None
    if name is None or commit is None or not _COMMIT.fullmatch(commit):
        return None, f"it was installed from {blot(url)}, which is not on GitHub"
    return f"{name}@{commit}", ""


def _clone(environ: Mapping[str, str], folder: Path) -> tuple[str | None, str]:
    """Look at the folder that was installed: a clone of GitHub's, at a commit that has been pushed."""
    try:
        top = _git(folder, "rev-parse", "--show-toplevel")
        commit = _git(folder, "rev-parse", "HEAD")
        url = _git(folder, "remote", "get-url", "origin")
        pushed = _git(folder, "branch", "--remotes", "--list", "origin/*", "--contains", commit)
    except (ProcessFailed, Damaged, OSError):
        return None, f"it was installed from {folder}, which is no clone of a repository on GitHub"
    if Path(top).resolve() != folder.resolve():
        return None, f"it was installed from {folder}, which is part of another repository"
    known, why = _named(environ, url, commit)
    if known is not None and not pushed:
        return (
            None,
            f"it was installed from {folder}, whose commit {commit[:12]} is not pushed to {blot(url)}",
        )
    return known, why.replace("installed from", f"installed from {folder}, a clone of")


def _tagged(environ: Mapping[str, str], installed: metadata.Distribution) -> tuple[str | None, str]:
    """Ask the repository that the package names for the commit of this version's tag."""
    urls = [line.partition(",")[2].strip() for line in installed.metadata.get_all("Project-URL") or []]
    url = next((url for url in urls if is_github(url, environ) and github_repository(url)), None)
    if url is None:
        return None, "its package names no repository on GitHub"
    tag = f"refs/tags/v{installed.version}"
    try:
        lines = (
            git_output(["ls-remote", "--", url, tag, f"{tag}^{{}}"], timeout=_PATIENCE).decode().split("\n")
        )
    except (ProcessFailed, Damaged):
        return None, f"{blot(url)} can't be asked for the commit of {tag}"
    commits = {name: commit for commit, _, name in (line.partition("\t") for line in lines)}
    commit = commits.get(f"{tag}^{{}}") or commits.get(tag)  # an annotated tag is an object of its own
    return (f"{github_repository(url)}@{commit}", "") if commit else (None, f"{blot(url)} has no {tag}")


def _git(folder: Path, *words: str) -> str:
    return git_output(words, cwd=folder).decode(errors="replace").strip()
