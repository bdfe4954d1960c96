"""What git's own diff says of two commits, or of many pairs at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

# Diffs must not depend on the user's diff.* settings, nor on a `.gitmodules` that has changes of its submodules
# ignored.
_DIFF = (
    "diff-tree", "-r", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color", "--no-relative",
    "--ignore-submodules=none", "--diff-algorithm=histogram",
)  # fmt: skip
_LOOK = ("-p", "-U3", "--src-prefix=a/", "--dst-prefix=b/", "--abbrev=12")
# The line before each answer of `--stdin`; a line of a diff begins with a sign, a blank or a word.
_HEAD = re.compile(rb"^[0-9a-f]{40} [0-9a-f]{40}\n", re.MULTILINE)
Run = Callable[..., bytes]


def diff(run: Run, base: str, head: str, paths: Sequence[str]) -> str:
    """Return the unified diff from `base` to `head`, of `paths` only if there are any."""
    return str(run([*_DIFF, *_LOOK, "--end-of-options", base, head, "--", *paths]).decode(errors="replace"))


def diffs(run: Run, trees: Sequence[tuple[str, str]]) -> list[str]:
    """Return the unified diffs of pairs of trees, which are given by their whole names: one process for all."""
    if not trees:
        return []
    said = run([*_DIFF, *_LOOK, "--stdin"], "".join(f"{one} {other}\n" for one, other in trees).encode())
    answers = _HEAD.split(said)[1:]
    if len(answers) != len(trees):
        raise ValueError(f"git gave {len(answers)} diffs of {len(trees)} pairs")
    return [answer.decode(errors="replace") for answer in answers]


def numstat(run: Run, base: str, head: str) -> tuple[int, int]:
    """Return how many lines were added and removed; binary files count as none."""
    said = run([*_DIFF, "--numstat", "--end-of-options", base, head])
    counts = [line.split(b"\t")[:2] for line in said.splitlines()]
    numbers = [(int(added), int(removed)) for added, removed in counts if added != b"-"]
    return sum(added for added, _ in numbers), sum(removed for _, removed in numbers)
