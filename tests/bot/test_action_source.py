"""Which action `init --github` names: one that exists on GitHub, by what the installation says of itself."""

from __future__ import annotations

import json
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from bot.github.source import own_action
from tests.bot.repositories import git

URL = "https://github.com/acme/nocturne"
COMMIT = "c" * 40


def installed(folder: Path, told: object = None, *urls: str) -> Distribution:
    """Return an installed package of version 9.1 with this direct_url.json and these project URLs."""
    place = folder / "nocturne-9.1.dist-info"
    place.mkdir(parents=True)
    lines = [
        "Metadata-Version: 2.4",
        "Name: nocturne",
        "Version: 9.1",
        *(f"Project-URL: {url}" for url in urls),
    ]
    (place / "METADATA").write_text("\n".join(lines) + "\n")
    if told is not None:
        (place / "direct_url.json").write_text(json.dumps(told))
    return Distribution.at(place)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"url": f"{URL}.git", "vcs_info": {"vcs": "git", "commit_id": COMMIT}}, f"acme/nocturne@{COMMIT}"),
        ({"url": "ssh://git@github.com/acme/nocturne", "vcs_info": {"commit_id": COMMIT}}, f"acme/nocturne@{COMMIT}"),
        ({"url": f"{URL}/archive/{COMMIT}.zip", "archive_info": {}}, f"acme/nocturne@{COMMIT}"),
        ({"url": "https://git.example/a/nocturne", "vcs_info": {"commit_id": COMMIT}}, "which is not on GitHub"),
        ({"url": "/srv/work/main", "vcs_info": {"commit_id": COMMIT}}, "which is not on GitHub"),
        ({"url": f"{URL}/archive/main.zip", "archive_info": {}}, "names no commit"),
        ({"url": "https://files.example/nocturne.whl", "archive_info": {}}, "names no commit"),
        (None, "names no repository on GitHub"),
    ],
)  # fmt: skip
def test_what_pip_has_written_down(tmp_path: Path, told: object, expected: str) -> None:
    known, why = own_action({}, installed(tmp_path, told))
    assert known == expected if "@" in expected and " " not in expected else known is None and expected in why


def test_a_clone_counts_at_a_commit_that_is_pushed(tmp_path: Path) -> None:
    top = tmp_path / "work" / "main"
    top.mkdir(parents=True)
    git(top, "init", "--quiet", "--template=")
    git(top, "commit", "--quiet", "--allow-empty", "--message", "Start")
    (top / "part").mkdir()
    whole = installed(tmp_path / "a", {"url": f"file://{top}", "dir_info": {"editable": True}})
    part = installed(tmp_path / "b", {"url": f"file://{top}/part", "dir_info": {}})
    assert own_action({}, whole) == (
        None,
        f"it was installed from {top}, which is no clone of a repository on GitHub",
    )
    git(top, "remote", "add", "origin", f"{URL}.git")
    assert "is not pushed to" in own_action({}, whole)[1]
    git(top, "update-ref", "refs/remotes/origin/main", "HEAD")
    assert own_action({}, whole) == (f"acme/nocturne@{git(top, 'rev-parse', 'HEAD')}", "")
    assert "part of another repository" in own_action({}, part)[1]
    git(top, "remote", "set-url", "origin", "/srv/work/main")
    assert own_action({}, whole)[0] is None


def test_a_package_from_an_index_is_looked_up_by_its_tag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = tmp_path / "upstream"
    upstream.mkdir()
    git(upstream, "init", "--quiet", "--template=")
    git(upstream, "commit", "--quiet", "--allow-empty", "--message", "Start")
    (tmp_path / ".gitconfig").write_text(f'[url "file://{upstream}"]\n  insteadOf = {URL}\n')
    monkeypatch.setenv("HOME", str(tmp_path))
    package = installed(tmp_path / "a", None, "Documentation, https://docs.example/x", f"Source, {URL}")
    assert own_action({}, package) == (None, f"{URL} has no refs/tags/v9.1")
    git(upstream, "tag", "--annotate", "v9.1", "--message", "9.1")
    assert own_action({}, package) == (f"acme/nocturne@{git(upstream, 'rev-parse', 'HEAD')}", "")
    upstream.rename(tmp_path / "away")
    assert "can't be asked" in own_action({}, package)[1]
