"""Texts for the tests: prose-like lines that no program has, and the real splits of the bundled task."""

from __future__ import annotations

import importlib.util
import random
from functools import lru_cache
from types import ModuleType

from evaluator import starter_files
from evaluator.heldout.windows import WindowIndex, build

_SYLLABLES = ["ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "zu"]


def prose(seed: int, size: int) -> bytes:
    """Return `size` bytes of made-up words in lines: each seed gives another text."""
    draw = random.Random(seed)
    words: list[str] = []
    length = 0
    while length <= size:
        word = "".join(draw.choices(_SYLLABLES, k=draw.randint(1, 4)))
        words.append(word + draw.choice([" ", " ", " ", ", ", ".\n"]))
        length += len(words[-1])
    return "".join(words).encode()[:size]


HELD_OUT = prose(1, 4000)
SHARED = prose(2, 1000)  # in held-out and in training text
TRAINING = prose(3, 20000) + SHARED + prose(4, 20000)


@lru_cache
def small_index() -> WindowIndex:
    return build([HELD_OUT + SHARED], [TRAINING])


@lru_cache
def starter_prepare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("starter_prepare", starter_files.FOLDER / "prepare.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@lru_cache
def starter_splits() -> dict[str, list[tuple[str, bytes]]]:
    splits = starter_prepare().read_splits()
    return {name: [(file, text.encode()) for file, text in files] for name, files in splits.items()}


@lru_cache
def starter_index() -> WindowIndex:
    splits = starter_splits()
    return build(
        [text for name in ("val", "vault") for _, text in splits[name]], [text for _, text in splits["train"]]
    )
