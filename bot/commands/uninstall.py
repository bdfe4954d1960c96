"""`nocturne uninstall`: take away what Nocturne keeps in this clone, and on request on the remote."""

from __future__ import annotations

import shutil
from pathlib import Path

from bot.commands.session import campaign_session
from bot.git import RefUpdate
from bot.loop.context import Context

REMOTE_REFS = ("refs/heads/nocturne/*", "refs/nocturne/*")


def run(*, repo: Path, campaign: str | None, remote: bool, yes: bool) -> int:
    with campaign_session(repo, campaign) as session:
        context = session.context
        local = _local_refs(context)
        there = context.git.fetch(context.remote.name_or_url, REMOTE_REFS) if remote else {}
        folder = context.git.common_dir / "nocturne"
        if not yes:
            for name in local:
                print(f"would delete {name}")
            print(f"would delete {folder}")
            for name in there:
                print(f"would delete {name} on {context.remote.name_or_url}")
            if context.remote.kind == "embedded":
                print("the ledger and all pull requests live in that folder: they would be gone for good")
            print("run again with --yes to do it")
            return 0
        for name in there:
            context.git.push(context.remote.name_or_url, [RefUpdate(name, None, "any")])
        for name in _local_refs(context):
            context.git.run(["update-ref", "-d", name])
        shutil.rmtree(folder, ignore_errors=True)
        print("removed; your own branches, files and configuration are as they were")
    return 0


def _local_refs(context: Context) -> list[str]:
    listed = context.git.run(
        ["for-each-ref", "--format=%(refname)", "refs/remotes/nocturne", "refs/nocturne"]
    )
    return listed.decode().split()
