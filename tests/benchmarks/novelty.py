"""Measure on recorded traces how many repeated proposals their words alone give away, and who sees the others.

    python -m tests.benchmarks.novelty --traces DIR

The traces hold one description of each experiment, in order: the nine `bilevel_*.json` (a list `trace` with
`desc`) and `karpathy_h100_mar8.tsv` (a column `description`). `novelty_labels.json` beside this file says which
rows repeat an earlier row of the same file, and which. It was made by hand, by reading every description in
order, before the recogniser was written, by this rule:

- A row repeats an earlier row of its file where it sets the same constants or parts to the same values (within
  one part in a hundred), or is the same proposal in other words where it names no value.
- What the value was before, and what else stood on the incumbent by then, do not matter. A file that restarts
  from a baseline (C1 to C3, after every ten experiments) remains one campaign: the ledger would remember.
- What a row sets is taken from its own words; where they leave the value open, from what the next row says of it.
- A finer step in a direction that was tried is new. Rows that set two constants repeat only rows that set both.
- Rows that are a baseline are no proposals and are left out.

`debatable` names repeats that another reader may call new, with the reason. "Sent back" counts every repeat that
a plain overlap of words calls one, "false" every new one that it does. "Shown" counts those where what is repeated
is among the experiments that a reviewer gets to see beside the new one (`NEAREST`): the judgement is its own.
Nothing here is fitted to these traces but the share of words, which was chosen with them at hand. A proposal
whose constants are known from its code does not depend on its words at all, and the traces hold no code.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bot.agents.memory import NEAREST
from bot.agents.novelty import most_alike, repeats
from bot.rules.proposal import PastExperiment, Proposal

LABELS = Path(__file__).with_name("novelty_labels.json")
FIRST = ("bilevel_A", "bilevel_B")


def descriptions(path: Path) -> list[str]:
    """Return the description of every row of a trace, the baseline's too."""
    if path.suffix == ".json":
        return [row["desc"] for row in json.loads(path.read_text())["trace"]]
    with path.open(newline="") as file:
        return [row["description"] for row in csv.DictReader(file, delimiter="\t")]


def judged(texts: Sequence[str]) -> dict[int, tuple[int | None, Sequence[int]]]:
    """Return, for every row that is a proposal, the earlier row that it is said to repeat, and the rows shown."""
    history: list[PastExperiment] = []
    found: dict[int, tuple[int | None, Sequence[int]]] = {}
    for row, text in enumerate(texts):
        if text == "baseline":
            continue
        repeat = repeats(Proposal(text, "", "", "", "", {}, ()), history)
        shown = most_alike(text, {past.number: past.hypothesis for past in history}, NEAREST)
        found[row] = (repeat.past.number if repeat else None, shown)
        history.append(PastExperiment(row, (), text, "", "discarded", None, None, False, {}))
    return found


def counted(labels: dict[str, Any], found: dict[int, tuple[int | None, Sequence[int]]]) -> Counter[str]:
    """Count one file: repeats, those sent back, those shown, the shown that are not debatable, new ones, false."""
    first = {int(row): earlier for row, earlier in labels["repeats"].items()}
    count: Counter[str] = Counter()
    for row, (named, near) in found.items():
        if row not in first:
            count["new"] += 1
            count["false"] += named is not None
            continue
        sure = str(row) not in labels["debatable"]
        shown = any(first.get(earlier, earlier) == first[row] for earlier in near)
        count["repeats"] += 1
        count["sure"] += sure
        count["sent back"] += named is not None
        count["shown"] += shown
        count["shown sure"] += sure and shown
    return count


def share(part: int, whole: int) -> str:
    """Return "9 of 10 (90.0 %)"."""
    return f"{part:3} of {whole:3} ({100 * part / whole if whole else 0:5.1f} %)"


def line(name: str, count: Counter[str]) -> str:
    """Return one row of the table."""
    return (
        f"{name:24} sent back {share(count['sent back'], count['repeats'])}"
        f"  shown {share(count['shown'], count['repeats'])}"
        f"  without debatable {share(count['shown sure'], count['sure'])}"
        f"  false {share(count['false'], count['new'])}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; exit code 1 if less than 90 % are shown or more than 3 % are false alarms."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--traces", type=Path, required=True, help="the folder of the recorded traces")
    parser.add_argument("--show", action="store_true", help="name every row that is judged wrongly")
    args = parser.parse_args(argv)
    total, first, later = Counter[str](), Counter[str](), Counter[str]()
    for name, labels in json.loads(LABELS.read_text()).items():
        texts = descriptions(args.traces / name)
        if len(texts) != labels["rows"]:
            parser.error(f"{args.traces / name} has {len(texts)} rows; the labels are for {labels['rows']}")
        found = judged(texts)
        count = counted(labels, found)
        total += count
        if name.startswith(FIRST):
            first += count
        else:
            later += count
        print(line(name, count))
        for row, (named, _) in found.items() if args.show else ():
            if (str(row) in labels["repeats"]) != (named is not None):
                said = "new" if named is None else f"a repeat of {named}"
                print(
                    f"    row {row} was called {said}; the label says {labels['repeats'].get(str(row), 'new')}"
                )
    print(line("A and B", first))
    print(line("C and tsv", later))
    print(line("all", total))
    good = total["shown"] >= 0.9 * total["repeats"] and total["false"] <= 0.03 * total["new"]
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
