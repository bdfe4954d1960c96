"""How much two texts have in common: their words, as they stand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence


def words_of(text: str) -> frozenset[str]:
    """Return the words and numbers of `text` in lower case; a name with underscores counts whole and in its parts."""
    found = re.findall(r"[a-z0-9_.]*[a-z0-9]", text.lower())
    return frozenset(part for word in found for part in (word, *word.split("_")) if part)


def overlap(left: frozenset[str], right: frozenset[str]) -> float:
    """Return the share of their words that two texts have in common, 0 to 1."""
    return len(left & right) / len(left | right) if left and right else 0.0


def most_alike(text: str, others: Mapping[int, str], most: int) -> Sequence[int]:
    """Return the numbers of those of `others` that overlap most with `text`, the nearest and latest first."""
    mine = words_of(text)
    alike = {number: overlap(mine, words_of(other)) for number, other in others.items()}
    return sorted((n for n in alike if alike[n] > 0), key=lambda n: (-alike[n], -n))[:most]
