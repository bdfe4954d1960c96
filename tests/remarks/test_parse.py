"""How a comment is read."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from bot.github.parse import Asked, NotUnderstood, parse, table
from bot.rules.commands import COMMANDS, AboutCampaign, AboutExperiment

PAGE = Path(__file__).parents[2] / "docs/commands.md"


@pytest.mark.parametrize(
    ("body", "wish"),
    [
        ("/nocturne status", Asked("status")),
        ("/nocturne", Asked("help")),
        ("/nocturne   PAUSE  \r\n\r\nThe cluster is needed.", Asked("pause")),
        ("/nocturne\npause", Asked("help")),
        ("/nocturne revert", Asked("revert")),
        ("/nocturne revert 12\nIt is slow.", Asked("revert", 12)),
        ("/nocturne explain 3", Asked("explain", 3)),
        *((f"/nocturne {command.name}", Asked(command.name)) for command in COMMANDS),
    ],
)
def test_commands(body: str, wish: Asked) -> None:
    assert parse(body) == wish


@pytest.mark.parametrize(
    "body",
    [
        "", " /nocturne status", "    /nocturne status", "> /nocturne status", "/nocturnes status", "/Nocturne stop",
        "please /nocturne status", "hello\n/nocturne stop", "/nocturne: stop", "`/nocturne stop`", "/nocturne/stop",
    ],
)  # fmt: skip
def test_what_is_no_command(body: str) -> None:
    assert parse(body) is None


@pytest.mark.parametrize(
    "body",
    [
        "/nocturne dance", "/nocturne pause now", "/nocturne revert 3 4", "/nocturne revert #3", "/nocturne revert -1",
        "/nocturne explain ²", "/nocturne explain 99999999999", "/nocturne status --json", "/nocturne @octocat",
    ],
)  # fmt: skip
def test_what_is_not_understood(body: str) -> None:
    assert isinstance(parse(body), NotUnderstood)


def test_an_unknown_word_does_nothing_in_the_answer() -> None:
    puzzle = parse("/nocturne @octocat/[x](http://evil.example)<img>#1")
    assert isinstance(puzzle, NotUnderstood)
    assert not any(live in puzzle.why for live in ("@o", "http:", "<img", "#1"))


def test_the_docs_have_the_table() -> None:
    assert table() in PAGE.read_text()
    assert all(f"`/nocturne {command.name}`" in table() for command in COMMANDS)


def test_the_table_has_every_command() -> None:
    names = {*get_args(AboutExperiment), *get_args(AboutCampaign), "help"}
    assert {command.name for command in COMMANDS} == names and len(COMMANDS) == len(names)
