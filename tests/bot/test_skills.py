"""Skills: what their front matter may say, and what it must not."""

from __future__ import annotations

import pytest

from bot.agents.skills import FOLDER, MOST_BYTES, MOST_FILES, Skill, read_skills, skill_paths
from bot.errors import UserError


def read(text: str | bytes) -> Skill:
    content = text.encode() if isinstance(text, str) else text
    (skill,) = read_skills({f"{FOLDER}/loader.md": content})
    return skill


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Use bf16.\n", Skill("loader", "loader", "Use bf16.")),
        ("---\ntitle: The loader\n---\n\nIt shuffles.\n", Skill("loader", "The loader", "It shuffles.")),
        ("---\nwhen: always\n---\nX", Skill("loader", "loader", "X")),
        ("---\n---\nX", Skill("loader", "loader", "X")),
        (
            "---\nwhen: {categories: [batch, schedule]}\n---\nX",
            Skill("loader", "loader", "X", categories=("batch", "schedule")),
        ),
        ("---\r\nwhen:\r\n  files: ['*.py']\r\n---\r\nX", Skill("loader", "loader", "X", files=("*.py",))),
    ],
)
def test_front_matter(text: str, expected: Skill) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\ntitle: x\nno end", "front matter begins with --- and never ends"),
        ("---\nwhn: always\n---\n", "whn: unknown key, did you mean `when`?"),
        ("---\nwhen: sometimes\n---\n", "when: expected `always`"),
        (
            "---\nwhen: {category: [batch]}\n---\n",
            "when.category: unknown key, did you mean `categories`?",
        ),
        ("---\nwhen: {files: train.py}\n---\n", "when.files: should be a valid list, not 'train.py'"),
        ("---\nwhen: {files: []}\n---\n", "when.files: List should have at least 1 item"),
        ("---\ntitle: [a\n---\n", "front matter: line 3: not valid YAML"),
        ("---\ntitle: 2026-13-45\n---\n", "not valid YAML"),
        ("---\n- a\n---\n", "expected `key: value` lines"),
        ("---\ntitle: 3\n---\n", "title: should be a valid string, not 3"),
        (b"\xff\xfe", "is not UTF-8 text"),
        ("x" * (MOST_BYTES + 1), "16,000 are allowed: shorten or split it"),
    ],
)
def test_a_mistake_is_one_line_with_file_and_mend(text: str | bytes, said: str) -> None:
    with pytest.raises(UserError) as caught:
        read(text)
    assert str(caught.value).startswith(f"{FOLDER}/loader.md: ") and said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_many_and_too_much() -> None:
    with pytest.raises(UserError, match="33 skills, 32 are read"):
        read_skills({f"{FOLDER}/{n}.md": b"x" for n in range(MOST_FILES + 1)})
    with pytest.raises(UserError, match="bytes together"):
        read_skills({f"{FOLDER}/{n}.md": b"x" * MOST_BYTES for n in range(5)})


def test_which_paths_are_skills() -> None:
    paths = [f"{FOLDER}/b.md", f"{FOLDER}/a.md", f"{FOLDER}/sub/c.md", f"{FOLDER}/d.txt", "docs/a.md"]
    assert skill_paths(paths) == [f"{FOLDER}/a.md", f"{FOLDER}/b.md"]


@pytest.mark.parametrize(
    ("skill", "category", "applies"),
    [
        (Skill("a", "a", ""), None, True),
        (Skill("a", "a", "", categories=("batch",)), "batch", True),
        (Skill("a", "a", "", categories=("batch",)), "schedule", False),
        (Skill("a", "a", "", categories=("batch",)), None, False),
        (Skill("a", "a", "", files=("model/*.py",)), None, False),
        (Skill("a", "a", "", files=("tr*.py",)), None, True),
        (Skill("a", "a", "", categories=("batch",), files=("x.py",)), "batch", False),
    ],
)
def test_when_a_skill_applies(skill: Skill, category: str | None, applies: bool) -> None:
    assert skill.applies(category=category, editable=["train.py"]) is applies
