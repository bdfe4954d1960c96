"""Chooses the forge that goes with a remote: GitHub's for one on GitHub, else the local one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from bot.base.process import ProcessFailed
from bot.errors import UserError
from bot.forge import Forge
from bot.forge.local import LocalForge
from bot.git import Git
from bot.git.command import blot
from bot.git.credentials import token_variables
from bot.git.remote import GITHUB_HOSTS, TOKENS, Remote, github_repository, github_token, is_github

GITHUB = "https://github.com"
GITHUB_API = "https://api.github.com"


def open_forge(
    git: Git,
    remote: Remote,
    environ: Mapping[str, str],
    on_note: Callable[[str], None] | None = None,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Git, Forge]:
    """Return the forge of `remote`, and `git` as it can reach it: on GitHub with the token of `environ`.

    Nothing is asked of the network yet. Raises `UserError` if the token is missing or the addresses do
    not fit together.
    """
    if remote.kind != "github":
        return git, LocalForge(git, remote.name_or_url)
    url = git.remote_url(remote.name_or_url) or remote.name_or_url
    token = github_token(environ)
    if token is None:
        raise UserError(
            f"remote: {blot(url)} is on GitHub and there is no token: set {' or '.join(TOKENS[:2])}"
        )
    server = _address(environ, "GITHUB_SERVER_URL", GITHUB)
    if not _is_home(url, server, environ):
        raise UserError(
            f"GITHUB_SERVER_URL: {server} is another GitHub than that of {blot(url)}: unset it, or name a remote"
            " there under `remote:`"
        )
    default = GITHUB_API if server == GITHUB else f"{server}/api/v3"
    api_url = _address(environ, "GITHUB_API_URL", default)
    repository = github_repository(url) or environ.get("GITHUB_REPOSITORY", "")
    if repository.count("/") != 1:
        raise UserError(f"{blot(url)} names no repository: give the remote a URL that ends in OWNER/NAME")
    # Only now, for PyGithub and what it brings along are no business of a local loop.
    from bot.forge.github import GitHubForge
    from bot.forge.github_client import GitHubClient

    client = GitHubClient(token=token, api_url=api_url, repository=repository, sleep=sleep, on_note=on_note)
    known = Git(git.top, git.common_dir, token_variables(server, token, _extra_headers(git, server)))
    return known, GitHubForge(known, remote.name_or_url, client, on_note)


def _address(environ: Mapping[str, str], variable: str, default: str) -> str:
    address = (environ.get(variable) or default).rstrip("/")
    if not address.startswith(("https://", "http://")) or not urlsplit(address).hostname:
        raise UserError(f"{variable}: {blot(address)} is no URL: write it as {default}")
    return address


def _is_home(url: str, server: str, environ: Mapping[str, str]) -> bool:
    """Say whether `url` is on `server`, the one GitHub that the token is for."""
    if urlsplit(server).hostname in GITHUB_HOSTS:
        return is_github(url, {})
    return is_github(url, environ) and not is_github(url, {})


def _extra_headers(git: Git, server: str) -> list[str]:
    """Return what the user's settings add to requests at `server`."""
    pattern = r"^http\.(.*\.)?extraheader$"
    try:
        said = git.run(["config", "--null", "--get-regexp", pattern]).decode(errors="replace")
    except ProcessFailed:
        return []
    entries = [entry.partition("\n") for entry in said.split("\0")[:-1]]
    keys = ("http.extraheader", f"http.{server}.extraheader", f"http.{server}/.extraheader")
    return [value for key, _, value in entries if key in keys and value]
