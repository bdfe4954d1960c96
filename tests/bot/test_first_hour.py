"""docs/first-hour.md shows what a newcomer sees: what is typed there says the same again, but for figures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.benchmarks.first_hour.__main__ import BLOCK, BUILDERS, PAGE, commands_of, replayed, section_of

TITLES = list(BUILDERS)


def lasting(text: str) -> list[str]:
    """Return the lines of a section's blocks that hold on any machine, without their figures."""
    lines = [line for found in BLOCK.finditer(text) for line in (found["block"] or "").splitlines()]
    return [
        re.sub(r"\b[0-9a-f]{7,}\b|\d[\d.,]*", "#", line)
        for line in lines
        if line[:1] not in (" ", "│", "╭", "╰") and not re.match(r"[✓!] (?:real tools|the budget)", line)
    ]


def test_both_repositories_have_their_section_and_each_block_was_typed() -> None:
    assert re.findall(r"^## (.+)$", PAGE.read_text("utf-8"), re.MULTILINE) == TITLES
    for text in map(section_of, TITLES):
        blocks = [found["block"] for found in BLOCK.finditer(text) if found["block"] is not None]
        assert len(blocks) >= 4 and all(commands_of(block) for block in blocks)
        assert "Traceback" not in text and "/tmp/" not in text


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "title",
    [pytest.param(TITLES[0], marks=pytest.mark.long), pytest.param(TITLES[1], marks=pytest.mark.slow)],
)
def test_what_is_typed_there_says_the_same_again(title: str, tmp_path: Path) -> None:
    shown = section_of(title)
    assert lasting(replayed(shown, tmp_path, BUILDERS[title])) == lasting(shown)
