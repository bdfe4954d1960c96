"""The task file: what is read from it, and what is said where something is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.agents.rubric.task import Criterion, Settings, parse_task, read_task
from bot.errors import UserError

TASK = """\
---
rounds: 3
passing: 9
---
# A haiku about gradients
For people who train models.

## Criteria
- **Form**: three lines
  of five, seven and five syllables.
- True: what it says of gradients holds.
* No cliché at all please

## Notes
Dry humour is welcome.
"""


def test_a_task_with_all_its_parts() -> None:
    task = parse_task(TASK, source="t.md")
    assert task.settings == Settings(rounds=3, passing=9)
    assert task.criteria == (
        Criterion("Form", "three lines of five, seven and five syllables."),
        Criterion("True", "what it says of gradients holds."),
        Criterion("No cliché at all please", "No cliché at all please"),
    )
    assert task.text.startswith("# A haiku") and task.text.endswith("Dry humour is welcome.")
    assert "five syllables" not in task.text


def test_the_head_may_be_missing() -> None:
    assert parse_task("Do it.\n## Criteria\n- Done: it is done\n", source="t.md").settings == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Do it.\n", "has no `## Criteria`"),
        ("Do it.\n## Criteria\nGood.\n", "lists 0"),
        ("Do it.\n## Criteria\n" + "".join(f"- c{n}: x\n" for n in range(21)), "lists 21"),
        ("Do it.\n## Criteria\n- A: x\n- a: y\n", "'a' is there twice"),
        ("## Criteria\n- A: x\n", "says nothing but criteria"),
        ("---\nround: 3\n---\nDo it.\n## Criteria\n- A: x\n", "round: unknown key, did you mean `rounds`?"),
        ("---\nrounds: 0\n---\nDo it.\n## Criteria\n- A: x\n", "rounds: should be greater"),
        ("---\nrounds: [\n---\nDo it.\n## Criteria\n- A: x\n", "line 3: not valid YAML"),
        ("---\n- rounds\n---\nDo it.\n## Criteria\n- A: x\n", "expected `key: value` lines"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(text: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        parse_task(text, source="t.md")
    assert said in str(error.value) and "\n" not in str(error.value) and str(error.value).startswith("t.md: ")


def test_files_that_are_no_text_or_not_there(tmp_path: Path) -> None:
    for content, said in (
        (None, "can't be read"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * 200_001, "shorten it"),
    ):
        path = tmp_path / "t.md"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UserError, match=said):
            read_task(path)
