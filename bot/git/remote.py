"""Chooses the remote that carries the ledger and the branches, and makes the embedded one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from bot.base.process import in_actions
from bot.errors import UserError
from bot.git import Git
from bot.git.command import blot, durable_config, git_output, raise_for_disk

Kind = Literal["embedded", "git", "github"]
GITHUB_HOSTS = ("github.com", "ssh.github.com")
_STAYS = "everything stays in this clone"
LEDGER_REF = "refs/heads/nocturne/ledger"
ORIGINS_LEDGER = "refs/remotes/origin/nocturne/ledger"
TOKENS = ("NOCTURNE_GITHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN")


@dataclass(frozen=True)
class Remote:
    """Where everything is pushed to; `note` is a sentence for the human where the choice needs one."""

    name_or_url: str
    kind: Kind
    note: str | None = None


def choose_remote(git: Git, configured: str | None, environ: Mapping[str, str]) -> Remote:
    """Return the remote to use: the configured one; if none is, what was used before, else none but our own.

    `configured` is the name of a remote, a path or a URL; "embedded" asks for the embedded one, a bare repository
    inside this one. None is origin in GitHub Actions, and if this clone knows of a campaign there that was not begun
    here alone; else nothing leaves the clone. An origin on GitHub that is not configured counts only with a token
    (GITHUB_TOKEN or GH_TOKEN) in `environ`. Raises `UserError` if the configured one means nothing.
    """
    if configured == "embedded":
        return _embedded(git, None)
    if configured:
        url = git.remote_url(configured)
        if url is None and not _is_address(git, configured):
            raise UserError(
                f"remote: {configured}: no such remote: see `git remote -v`, or give a path or a URL"
            )
        return Remote(configured, "github" if is_github(url or configured, environ) else "git")
    url = git.remote_url("origin")
    if url is None:
        return _embedded(git, None)
    if not in_actions(environ) and not _was_used_before(git):
        return _embedded(git, _why_not_joined(git, url))
    if not is_github(url, environ):
        return Remote("origin", "git")
    if github_token(environ):
        return Remote("origin", "github")
    note = f"{_STAYS}: origin ({blot(url)}) is on GitHub and there is no token; GITHUB_TOKEN is not set"
    return _embedded(git, note)


def where_it_goes(git: Git, remote: Remote) -> str:
    """Return the sentence that says where branches, ledger and pull requests of a campaign go, and who sees them."""
    if remote.kind == "embedded":
        return f"{_STAYS}: branches, ledger and pull requests are in .git/nocturne"
    url = git.remote_url(remote.name_or_url)
    there = f"{remote.name_or_url} ({blot(url)})" if url else blot(remote.name_or_url)
    what = "branches, ledger and pull requests" if remote.kind == "github" else "branches and ledger"
    return f"{what} go to {there}: whoever may read it sees them"


def _was_used_before(git: Git) -> bool:
    """Say whether this clone has pushed or fetched a campaign, and keeps none of its own."""
    known = git.tracked([LEDGER_REF])
    return bool(known) and not (git.own_remote / "HEAD").is_file()


def _why_not_joined(git: Git, url: str) -> str | None:
    """Return what to say if a clone of origin brought a campaign along that is not ours to write to unasked."""
    if (git.own_remote / "HEAD").is_file() or git.store.ref(ORIGINS_LEDGER) is None:
        return None
    return (
        f"{_STAYS}: origin ({blot(url)}) holds a campaign too; to join it write `remote: origin` in"
        " .github/nocturne.yml"
    )


def is_github(url: str, environ: Mapping[str, str]) -> bool:
    """Say whether `url` is on GitHub: github.com, or the host of GITHUB_SERVER_URL."""
    host = _host_and_path(url)[0]
    server = urlsplit(environ.get("GITHUB_SERVER_URL", "")).hostname
    return host is not None and (host in GITHUB_HOSTS or host == server)


def github_token(environ: Mapping[str, str]) -> str | None:
    """Return the token for GitHub: the first of `TOKENS` that is set."""
    given = (environ.get(name, "").strip() for name in TOKENS)
    return next((token for token in given if token), None)


def github_repository(url: str) -> str | None:
    """Return OWNER/NAME of a repository's URL on GitHub, None if it has no such form."""
    parts = _host_and_path(url)[1].strip("/").removesuffix(".git").split("/")
    return "/".join(parts) if len(parts) == 2 and all(parts) else None


def _host_and_path(url: str) -> tuple[str | None, str]:
    """Return the host (None for a path on this machine) and the path of a git URL of any form."""
    if "://" in url:
        split = urlsplit(url)
        return split.hostname, split.path
    if ":" in url.split("/")[0]:  # the short form user@host:path
        host, _, path = url.partition(":")
        return host.rpartition("@")[2].lower(), path
    return None, url


def _is_address(git: Git, configured: str) -> bool:
    if "://" in configured or (":" in configured.split("/")[0] and "@" in configured):
        return True
    return git.remote_path(configured) is not None


def _embedded(git: Git, note: str | None) -> Remote:
    path = git.own_remote
    head = path / "HEAD"
    if not head.is_file():
        create_bare(git, path)
    elif head.stat().st_size == 0:  # a power cut; without its HEAD git takes it for no repository at all
        head.write_text("ref: refs/heads/main\n")
    return Remote(str(path), "embedded", note)


def create_bare(git: Git, path: Path) -> None:
    """Make the bare repository aside and move it into its place whole, so that no one meets half of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="forge-", dir=path.parent) as scratch:
            made = Path(scratch, "forge.git")
            wanted = git.run(["rev-parse", "--show-object-format"]).decode().strip()
            git_output(["init", "--quiet", "--bare", "--template=", f"--object-format={wanted}", str(made)])
            settings = [
                ("core.logAllRefUpdates", "always"),
                ("core.hooksPath", os.devnull),
                ("receive.shallowUpdate", "true"),  # the user's repository may be a clone of depth 1
            ]
            with (made / "config").open("a") as config:
                for key, value in (*settings, *durable_config()):
                    section, name = key.split(".")
                    config.write(f"[{section}]\n\t{name} = {value}\n")
            try:
                made.rename(path)
            except OSError:
                if not (path / "HEAD").is_file():  # else another process was first
                    raise
    except OSError as error:
        raise_for_disk(error)
        raise
