"""Proposers and reviewers are found by their files, made from a setup, and named by the configuration."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import bot
from bot.agents.proposers.offline import OfflineProposer
from bot.config import Config, parse
from bot.config.docs import schema
from bot.errors import UserError
from bot.loop.agents import with_agents
from bot.loop.context import Context, open_context
from bot.tell.display import PlainDisplay
from tests.bot.repositories import CONFIG, make_repository

ROOT = Path(bot.__file__).parent / "agents"


def names(kind: str) -> tuple[str, ...]:
    """Return the names of the modules in one of the two folders."""
    return tuple(sorted(p.stem for p in (ROOT / kind).glob("*.py") if p.stem != "__init__"))


def context_with(top: Path, text: str) -> Context:
    folder = make_repository(top / "repo", config=f"{CONFIG}{text}")
    return open_context(folder, None, PlainDisplay(io.StringIO()), {}, OfflineProposer())


def test_what_the_configuration_may_ask_for_is_what_there_is_a_file_for() -> None:
    assert set(names("proposers")) >= {"offline", "claude"} and set(names("reviewers")) >= {"rules", "claude"}
    keys = schema()["properties"]
    assert keys["proposer"]["enum"] == list(names("proposers"))
    assert keys["reviewer"]["enum"] == list(names("reviewers"))
    for key, kind in (("proposer", names("proposers")), ("reviewer", names("reviewers"))):
        assert getattr(Config(), key) in kind
        with pytest.raises(UserError, match=f"{key}: .*'claude'"):
            parse(f"{key}: nobody")


@pytest.mark.parametrize(("kind", "key"), [("proposers", "proposer"), ("reviewers", "reviewer")])
def test_each_is_made_by_its_name(tmp_path: Path, kind: str, key: str) -> None:
    for name in names("proposers") if kind == "proposers" else names("reviewers"):
        context = context_with(tmp_path / name, f"{key}: {name}\n")
        with_key = with_agents(context, {"ANTHROPIC_API_KEY": "sk-test"})
        made = with_key.proposer if kind == "proposers" else with_key.reviewer
        if name == "rules":
            assert made is None
        else:
            assert callable(getattr(made, "propose" if kind == "proposers" else "review"))


def test_a_missing_key_is_said_when_the_agent_is_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ANTHROPIC_API_KEY is not set"):
        with_agents(context_with(tmp_path, "proposer: claude\n"), {})
