"""Questions to whoever sits at the terminal."""

from __future__ import annotations

import sys


def ask(question: str) -> bool | None:
    """Return whether the answer is yes; None, and nothing is asked, if nobody sits at a terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        print()
        return False
    return answer.strip().lower() in ("y", "yes")
