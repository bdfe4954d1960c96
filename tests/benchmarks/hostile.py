"""Hostile texts through every writer: what do they do more than be read?

    python -m tests.benchmarks.hostile [--texts 100000] [--seed 1] [--processes 2] [--family NAME] [--show 3]

Texts come from a grammar (`tests/hostile/grammar.json`), the judgement from readers that are not ours: cmark-gfm,
`html.parser`, git, Slack's documented rules, a count of control characters. Each family of writers gets every text.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator

from bot.base.redact import hold
from tests.hostile.families import COMMITS, FAMILIES, KINDS, Fault, checked
from tests.hostile.grammar import HELD, generated

_CHUNK = 500
_KEPT = 50  # faults of a chunk that can be shown


def chunk(job: tuple[str, int, int]) -> tuple[str, int, Counter[str], list[Fault]]:
    """Return what `count` texts of a seed do in a family: how often which fault, and some of them."""
    family, count, seed = job
    hold(HELD)
    found = list(checked(list(generated(count, seed)), family))
    return family, count, Counter(fault.kind for fault in found), found[:_KEPT]


def jobs(texts: int, seed: int, families: list[str]) -> Iterator[tuple[str, int, int]]:
    for first in range(0, texts, _CHUNK):
        for family in families:
            yield family, min(_CHUNK, texts - first), seed * 1_000_000 + first // _CHUNK


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--family", action="append", choices=[*FAMILIES, COMMITS])
    parser.add_argument("--show", type=int, default=3, help="faults of each family that are shown")
    given = parser.parse_args()
    families = given.family or [*FAMILIES, COMMITS]
    began = time.monotonic()
    texts: Counter[str] = Counter()
    found: dict[str, Counter[str]] = {family: Counter() for family in families}
    shown: dict[str, list[Fault]] = {family: [] for family in families}
    with multiprocessing.Pool(given.processes) as pool:
        for family, count, kinds, some in pool.imap_unordered(chunk, jobs(given.texts, given.seed, families)):
            texts[family] += count
            found[family] += kinds
            shown[family] += (
                some[: given.show - len(shown[family])] if len(shown[family]) < given.show else []
            )
    print(
        f"seed {given.seed}, {time.monotonic() - began:.0f} s, {given.processes} processes; faults by kind:\n"
    )
    print(f"| family | texts | {' | '.join(KINDS)} |\n|---|---:|{'---:|' * len(KINDS)}")
    for family in families:
        print(f"| {family} | {texts[family]:,} | {' | '.join(str(found[family][kind]) for kind in KINDS)} |")
    for family in families:
        for fault in shown[family]:
            print(f"\n{fault.writer} {fault.kind}:\n  {fault.text[:600]!r}\n  {fault.said[:1500]!r}")
    return int(any(found.values()))


if __name__ == "__main__":
    sys.exit(main())
