"""Conversations of the agents as the page shows them: cut to what a reader wants, and to what a page can carry."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PART = 2_400  # characters of one part that are shown
TALK = 16_000  # of one conversation
PAGE = 1_500_000  # of all of them together
_FENCE = re.compile(r"(`{3,})text")


@dataclass(frozen=True)
class Talk:
    """One conversation: whose, and what was said as speaker and text. `left_out` counts parts that are not shown."""

    role: str
    parts: tuple[tuple[str, str], ...]
    left_out: int

    @property
    def size(self) -> int:
        return sum(len(speaker) + len(text) for speaker, text in self.parts)


def talks_of(transcripts: Mapping[int, Sequence[str]]) -> dict[int, tuple[Talk, ...]]:
    """Return the conversations by experiment; the newest experiments' if the page can't carry all.

    `transcripts` are the texts that `bot.agents.claude.transcripts` writes, without credentials as they are.
    """
    found: dict[int, tuple[Talk, ...]] = {}
    room = PAGE
    for number in sorted(transcripts, reverse=True):
        talks = tuple(talk_of(text) for text in transcripts[number])
        room -= sum(talk.size for talk in talks)
        if room < 0:
            break
        found[number] = talks
    return found


def talk_of(text: str) -> Talk:
    """Return one transcript without its instructions, which are the same each time; long parts lose their middle."""
    role, parts = "", list[tuple[str, list[str]]]()
    fence = ""
    for line in text.splitlines():
        if fence:
            if line == fence:
                fence = ""
            elif parts:
                parts[-1][1].append(line)
        elif opened := _FENCE.fullmatch(line):
            fence = opened.group(1)
        elif line.startswith("## "):
            parts.append((line[3:], []))
        elif line.startswith("# ") and not parts and not role:
            role = line.rpartition(": ")[2]
        elif parts:
            parts[-1][1].append(line)
    said = [(speaker, _shortened("\n".join(lines).strip())) for speaker, lines in parts]
    said = [(speaker, words) for speaker, words in said if words and speaker != "Instructions"]
    kept = _ends(said)
    return Talk(role, tuple(kept), len(said) - len(kept))


def _shortened(text: str) -> str:
    if len(text) <= PART:
        return text
    head, tail = text[: PART * 2 // 3], text[-PART // 3 :]
    return f"{head}\n… {len(text) - len(head) - len(tail):,} more characters …\n{tail}"


def _ends(parts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the beginning and the end of a conversation: what was asked, and what came of it."""
    first, last, room = 0, len(parts), TALK
    for turn in range(len(parts)):
        place = first if turn % 2 == 0 else last - 1
        room -= len(parts[place][1])
        if room < 0:
            break
        first, last = (first + 1, last) if turn % 2 == 0 else (first, last - 1)
    return parts[:first] + parts[last:]
