"""`nocturne uninstall`: take away what Nocturne keeps in this clone, and on request on the remote."""

from __future__ import annotations

import shutil
from pathlib import Path

from bot.commands.session import campaign_session
from bot.git import RefUpdate
from bot.loop.desk import Desk

REMOTE_REFS = ("refs/heads/nocturne/*", "refs/nocturne/*")


def run(*, repo: Path, campaign: str | None, remote: bool, yes: bool) -> int:
    with campaign_session(repo, campaign) as session:
        desk = session.desk
        local = _local_refs(desk)
        there = desk.git.fetch(desk.remote.name_or_url, REMOTE_REFS) if remote else {}
        folder = desk.git.common_dir / "nocturne"
        if not yes:
            for name in local:
                print(f"would delete {name}")
            print(f"would delete {folder}")
            for name in there:
                print(f"would delete {name} on {desk.remote.name_or_url}")
            if desk.remote.kind == "embedded":
                print("the ledger and all pull requests live in that folder: they would be gone for good")
            print("run again with --yes to do it")
            return 0
        for name in there:
            desk.git.push(desk.remote.name_or_url, [RefUpdate(name, None, "any")])
        for name in _local_refs(desk):
            desk.git.run(["update-ref", "-d", name])
        shutil.rmtree(folder, ignore_errors=True)
        print("removed; your own branches, files and configuration are as they were")
    return 0


def _local_refs(desk: Desk) -> list[str]:
    listed = desk.git.run(["for-each-ref", "--format=%(refname)", "refs/remotes/nocturne", "refs/nocturne"])
    return listed.decode().split()
