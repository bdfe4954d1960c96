"""The job that trains, with a token that can only read: it trains, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bot.repositories import CONFIG, git, make_repository, nocturne
from tests.github.server import GitHub


@pytest.mark.long
def test_training_needs_no_more_than_to_read(github: GitHub, tmp_path: Path) -> None:
    repository = github.repository("octo/reading", private=True, default_branch="main")

    def environ(access: str) -> dict[str, str]:
        named = ("contents", "pull-requests", "statuses") if access == "write" else ("contents",)
        token = github.token(
            "github-actions[bot]",
            kind="workflow",
            repository=repository,
            permissions=dict.fromkeys(named, access),
        )
        return {
            "GITHUB_API_URL": github.api_url,
            "GITHUB_SERVER_URL": github.server_url,
            "GITHUB_TOKEN": token,
        }

    top = make_repository(tmp_path / "mine", config=CONFIG, shared=True)
    git(top, "push", "--quiet", str(repository.path), "main")
    git(top, "remote", "add", "origin", f"{github.server_url}/octo/reading.git")
    nocturne(top, "propose", "--finish-first", env=environ("write"))
    refs, calls = git(repository.path, "for-each-ref"), len(github.calls)
    path = tmp_path / "handover.json"
    nocturne(top, "train", "1", "--handover", str(path), env=environ("read"))
    assert git(repository.path, "for-each-ref") == refs
    assert len(github.calls) == calls  # not one request but git's
    assert (
        "experiment 1 is finished"
        in nocturne(top, "decide", "--handover", str(path), env=environ("write")).stdout
    )
