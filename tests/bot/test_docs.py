"""The commands, configurations and links of docs/ are real.

What it tells a user of autoresearch to type is typed in `tests/bot/test_real_repositories.py`.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from bot.cli import parser
from bot.config import parse

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
THREE_LINES = "From autoresearch in three lines"


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def section(text: str, title: str) -> str:
    """Return what stands below the heading `title`, up to the next one of its level."""
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_there_are_pages_and_the_readme_leads_to_each() -> None:
    assert PAGES
    readme = (ROOT / "README.md").read_text()
    assert [page.name for page in PAGES if f"(docs/{page.name})" not in readme] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).is_file(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_ones_that_we_have(page: Path) -> None:
    text = page.read_text()
    for block in blocks(text, "sh"):
        for part in re.split(r"\n| && ", block.strip()):
            words = shlex.split(part)
            if words[0] == "nocturne":
                parser().parse_args(words[1:])
            else:
                assert words[0] in ("pip", "cd", "git"), part
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    flat = " ".join(text.split())
    assert set(re.findall(r"`make ([a-z-]+)", flat)) <= targets
    for line in re.findall(r"`nocturne ([^`]+)`", flat):
        parser().parse_args(shlex.split(line))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_configurations_are_valid(page: Path) -> None:
    text = page.read_text()
    for block in blocks(text, "yaml") + re.findall(r"^\| `((?:editable|evaluator): [^`]+)` \|", text, re.M):
        assert parse(block)[0] == "main", block


def test_shapes_that_the_page_names_are_there() -> None:
    from tests.benchmarks.repositories.catalogue import SHAPES

    text = (ROOT / "docs/repositories.md").read_text()
    names = {shape.name for shape in SHAPES}
    for chosen in re.findall(r'ONLY="([^"]+)"', text):
        assert set(chosen.split()) <= names
    assert "shapes of thirty repositories" in text
    assert len(SHAPES) == 30


def test_three_lines_are_three() -> None:
    (block,) = blocks(section((ROOT / "docs/repositories.md").read_text(), THREE_LINES), "sh")
    lines = block.strip().splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("pip install ")
