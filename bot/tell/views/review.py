"""The checker's remarks as a review of the pull request: on the lines of the diff if they are part of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bot.forge import LineComment, Review
from bot.rules.events import Reviewed
from bot.tell.document import Line, Paragraph, bullets, code, cut, say
from bot.tell.writers import markdown

_HUNK = re.compile(r"^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_REMARK, _REASON, _NAME = 300, 600, 160
_SAID = {"approve": "finds it sound", "revise": "asks for a revision", "reject": "would not have it trained"}


def review_of(reviewed: Reviewed, answer: str, reason: str, diff: str) -> tuple[Review, str] | None:
    """Return the review of a round and the body that it has if its lines can't be commented on.

    None if nothing was said of a line. `diff` is the candidate's, as git tells it.
    """
    if not reviewed.remarks:
        return None
    shown = {path: set(map(str, lines)) for path, lines in lines_shown(diff).items()}
    inside = [each for each in reviewed.remarks if each["line"] in shown.get(each["path"], ())]
    outside = [each for each in reviewed.remarks if each not in inside]
    who = cut(reviewed.reviewer, _NAME)
    head = say("**{}** {}: {}", who, _SAID.get(answer, "says"), cut(reason, _REASON))
    comments = tuple(
        LineComment(each["path"], int(each["line"]), markdown.escape(each["text"], _REMARK))
        for each in inside
    )
    review = Review(f"review/{reviewed.round}", _body(head, outside), comments)
    return review, _body(head, reviewed.remarks)


def lines_shown(diff: str) -> dict[str, set[int]]:
    """Return the lines of the new files that a unified diff shows, changed ones and those around them."""
    shown: dict[str, set[int]] = {}
    path, line, old, new = "", 0, 0, 0
    for text in diff.split("\n"):
        if old > 0 or new > 0:  # within a hunk everything is content, whatever it looks like
            if text[:1] in ("+", " "):
                shown.setdefault(path, set()).add(line)
                line, new = line + 1, new - 1
            if text[:1] in ("-", " "):
                old -= 1
        elif text.startswith("+++ "):
            path = text[4:].removesuffix("\t").removeprefix("b/")
        elif found := _HUNK.match(text):
            line, old, new = int(found[2]), int(found[1] or 1), int(found[3] or 1)
    return shown


def _body(head: Line, remarks: Sequence[Mapping[str, str]]) -> str:
    lines = [
        say("{} line {}: {}", code(each["path"]), cut(each["line"], 12), cut(each["text"], _REMARK))
        for each in remarks
    ]
    return markdown.write((Paragraph(head), *bullets(lines)))
