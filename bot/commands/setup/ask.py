"""Questions to whoever sits at the terminal."""

from __future__ import annotations

import sys


def ask(question: str) -> bool | None:
    """Return whether the answer is yes; None, and nothing is asked, if nobody sits at a terminal."""
    answer = ask_for(f"{question} [y/N]")
    return None if answer is None else answer.lower() in ("y", "yes")


def ask_for(question: str) -> str | None:
    """Return the answer, which may be empty; None, and nothing is asked, if nobody sits at a terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    try:
        return input(f"{question} ").strip()
    except EOFError:
        print()
        return ""
