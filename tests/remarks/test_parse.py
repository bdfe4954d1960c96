"""How a comment is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.remarks.parse import COMMANDS, Puzzle, Wish, parse, table

PAGE = Path(__file__).parents[2] / "docs/commands.md"


@pytest.mark.parametrize(
    ("body", "wish"),
    [
        ("/nocturne status", Wish("status")),
        ("/nocturne", Wish("help")),
        ("/nocturne   PAUSE  \r\n\r\nThe cluster is needed.", Wish("pause")),
        ("/nocturne\npause", Wish("help")),
        ("/nocturne revert", Wish("revert")),
        ("/nocturne revert 12\nIt is slow.", Wish("revert", 12)),
        ("/nocturne explain 3", Wish("explain", 3)),
        *((f"/nocturne {command.name}", Wish(command.name)) for command in COMMANDS),
    ],
)
def test_commands(body: str, wish: Wish) -> None:
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
    assert isinstance(parse(body), Puzzle)


def test_an_unknown_word_does_nothing_in_the_answer() -> None:
    puzzle = parse("/nocturne @octocat/[x](http://evil.example)<img>#1")
    assert isinstance(puzzle, Puzzle)
    assert not any(live in puzzle.why for live in ("@o", "http:", "<img", "#1"))


def test_the_docs_have_the_table() -> None:
    assert table() in PAGE.read_text()
    assert all(f"`/nocturne {command.name}`" in table() for command in COMMANDS)
