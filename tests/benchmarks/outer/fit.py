"""Fit the habits of minds to recorded campaigns: `python -m tests.benchmarks.outer.fit --traces DIR [--write]`.

A move is what a description says it sets: a constant, a direction, a value. Read are the `bilevel_*.json` and the
`*.tsv` in the columns of autoresearch's `results.tsv`. The first constant that a description names counts; for
bilevel's, whose texts retell the past before they come to the point, the last sentence but the reasons does. What
names no constant of the list is left out, so the shares are those of parsed moves.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log
from pathlib import Path
from typing import Any

FITTED = Path(__file__).with_name("habits.json")
KINDS = {
    "fixated": ("bilevel_A",),
    "usual": ("bilevel_B", "unified_pubmed_5090"),
    "diverse": ("karpathy",),
}
"""Which campaigns, by the beginning of a file's name, a kind of mind is fitted to. The descriptions of
unified_pubmed_5070ti name the settings that they combine with before the new one: they count among all only."""
RESTARTED = "bilevel_C"
"""Campaigns that begin anew with an empty history every ten experiments: what is fitted on all is read here too."""
FAVOURITE = "TOTAL_BATCH_SIZE"
CONSTANTS = {
    "TOTAL_BATCH_SIZE": r"total_batch(?:_size)?|(?<!device_)(?<!device )batch[ _]size|batch \d+k|halve batch",
    "EMBEDDING_LR": r"(?<!un)embedding(?:_lr| lr| learning rate)",
    "UNEMBEDDING_LR": r"unembedding(?:_lr| lr| learning rate)",
    "MATRIX_LR": r"matrix(?:_lr| lr| learning rate)",
    "SCALAR_LR": r"scalar(?:_lr| lr| learning rate)",
    "WEIGHT_DECAY": r"weight[_ ]decay|\bwd\b",
    "ADAM_BETA1": r"beta1",
    "ADAM_BETA2": r"beta2|adam_betas|adam betas",
    "WARMUP_RATIO": r"warmup",
    "WARMDOWN_RATIO": r"warmdown|cooldown",
    "FINAL_LR_FRAC": r"final_lr_frac|final lr",
    "WINDOW": r"window|'?s+l+s*l*'? pattern",
    "DEPTH": r"\bdepth\b|\blayers\b",
    "ASPECT_RATIO": r"aspect(?:_ratio| ratio)?|width",
    "HEAD_DIM": r"head_dim|head dim",
    "DEVICE_BATCH_SIZE": r"device_batch|device batch",
    "MLP_RATIO": r"mlp_ratio|mlp hidden",
    "SOFTCAP": r"softcap",
    "INIT_SCALE": r"init(?:ialization)?(?: scale| std)|lambda init|init scale",
    "ROPE_BASE": r"rope",
    "GRAD_CLIP": r"clip",
    "MOMENTUM": r"momentum|ns_steps",
}
_UP = re.compile(
    r"\b(increas\w*|rais\w*|doubl\w*|add\w*|larger|higher|longer|more aggressive|enabl\w*)\b", re.I
)
_DOWN = re.compile(r"\b(reduc\w*|lower\w*|halv\w*|decreas\w*|smaller|shorter|remov\w*|narrower)\b", re.I)
_FROM_TO = re.compile(r"(-?[\d.]+(?:\*\*\d+)?)\s*[kK]?\s*(?:to|->|→)\s*(-?[\d.]+(?:\*\*\d+)?)")
_TO = re.compile(r"\b(?:to|=|at)\s*(-?\d[\d.]*(?:\*\*\d+)?|'[A-Z]+')")
_LABELS = Path(__file__).parents[1] / "novelty_labels.json"


@dataclass(frozen=True)
class Move:
    """A constant, which way it went (+1, -1; 0: not said), its value (empty: not said), and whether it was kept."""

    constant: str
    way: int
    value: str
    kept: bool


def moves_of(path: Path) -> list[list[Move | None]]:
    """Return the histories of a file, one for each time that its mind began with nothing; None: no constant named."""
    histories: list[list[Move | None]] = [[]]
    for row in _rows(path):
        status, text = row
        if text.startswith("baseline") or status == "baseline":
            if histories[-1]:
                histories.append([])
            continue
        if status == "skip" or not text:
            continue
        histories[-1].append(move_of(text, kept=status == "keep"))
    return histories


def _rows(path: Path) -> list[tuple[str, str]]:
    if path.suffix == ".json":
        return [(step["status"], step["desc"]) for step in json.loads(path.read_text())["trace"]]
    with path.open(newline="") as file:
        return [(row["status"], row["description"]) for row in csv.DictReader(file, delimiter="\t")]


def move_of(text: str, *, kept: bool) -> Move | None:
    """Return what a description says it does, None if it names no constant."""
    said = _proposing(text)
    found = [
        (match.start(), name)
        for name, pattern in CONSTANTS.items()
        if (match := re.search(pattern, said, re.I))
    ]
    if not found:
        return None
    place, name = min(found)
    near = said[max(0, place - 60) : place + 120]
    values = _FROM_TO.search(near)
    if values:
        old, new = _number(values[1]), _number(values[2])
        return Move(name, (new > old) - (new < old), values[2], kept)
    up, down = _UP.search(near), _DOWN.search(near)
    way = (
        0
        if up is None and down is None
        else (1 if down is None or (up and up.start() < down.start()) else -1)
    )
    to = _TO.search(near)
    return Move(name, way, to[1] if to else "", kept)


def _proposing(text: str) -> str:
    """Return the part of a description that proposes: the last sentence with a verb of change, else all of it."""
    sentences = re.split(r"(?<=[.!?])\s+", text)
    acting = [
        each
        for each in sentences
        if re.search(
            r"\b(reducing|increasing|doubling|changing|adding|setting|"
            r"trying|lowering|raising|halving|switching|reverting|further)\b",
            each,
            re.I,
        )
    ]
    return acting[0] if len(text) > 250 and acting else text


def _number(text: str) -> float:
    base, _, power = text.rstrip(".").partition("**")
    try:
        return float(base) ** float(power) if power else float(base)
    except ValueError:
        return 0.0


def shares(histories: Sequence[Sequence[Move | None]]) -> dict[str, float]:
    """Return how a mind goes on: shares of the moves after one that was refused, or kept, and of exact repeats."""
    count: Counter[str] = Counter()
    for history in histories:
        moves = [move for move in history if move is not None]
        for before, now in pairwise(moves):
            after = "kept" if before.kept else "refused"
            count[after] += 1
            stays = now.constant == before.constant
            count[f"stay_{after}"] += stays
            if stays and before.way and now.way:
                count[f"told_{after}"] += 1
                count[f"same_{after}"] += before.way == now.way
    return {
        "repeats": _share(*parsed_repeats(histories)),
        "stay_refused": _share(count["stay_refused"], count["refused"]),
        "stay_kept": _share(count["stay_kept"], count["kept"]),
        "same_refused": _share(count["same_refused"], count["told_refused"]),
        "same_kept": _share(count["same_kept"], count["told_kept"]),
        "edits": _share(sum(m is None for h in histories for m in h), sum(len(h) for h in histories)),
        "moves": float(sum(len(history) for history in histories)),
    }


def against(histories: Sequence[Sequence[Move | None]], first: int = 10) -> list[int]:
    """Return in how many histories the batch was made smaller within the first moves, and in how many it was not: the
    move that pays in bilevel's campaigns, against what their minds begin with."""
    found = [
        any(m and m.constant == FAVOURITE and m.way < 0 for m in history[:first]) for history in histories
    ]
    return [sum(found), len(found) - sum(found)]


def breadth(histories: Sequence[Sequence[Move | None]]) -> float:
    """Return over how many constants a mind's moves spread: the exponential of their entropy, mean over histories."""
    found = []
    for history in histories:
        count = Counter(move.constant for move in history if move is not None)
        total = sum(count.values())
        if total >= 5:
            found.append(exp(-sum(n / total * log(n / total) for n in count.values())))
    return sum(found) / len(found) if found else 0.0


def favourites(histories: Sequence[Sequence[Move | None]]) -> dict[str, list[float]]:
    """Return for each constant how early it is taken up (mean of 1 / rank over histories) and how often upward, the
    first time that it is."""
    early: dict[str, float] = defaultdict(float)
    ways: dict[str, list[int]] = defaultdict(list)
    for history in histories:
        order = dict.fromkeys(move.constant for move in history if move is not None)
        for rank, name in enumerate(order, 1):
            early[name] += 1 / rank / len(histories)
        firsts = {move.constant: move for move in reversed([m for m in history if m is not None and m.way])}
        for name, move in firsts.items():
            ways[name].append(move.way)
    return {
        name: [round(weight, 4), round((1 + sum(w > 0 for w in ways[name])) / (2 + len(ways[name])), 3)]
        for name, weight in sorted(early.items(), key=lambda each: -each[1])
    }


def labels() -> dict[str, dict[str, Any]]:
    """Return the repeats that people labelled, by the name of a campaign's file."""
    found: dict[str, dict[str, Any]] = json.loads(_LABELS.read_text())
    return found


def labelled_repeats(beginnings: tuple[str, ...]) -> tuple[int, int]:
    """Return how many moves of these campaigns people labelled as repeats, and of how many."""
    files = [found for name, found in labels().items() if name.startswith(beginnings)]
    return sum(len(found["repeats"]) for found in files), sum(found["rows"] - 1 for found in files)


def parsed_repeats(histories: Sequence[Sequence[Move | None]]) -> tuple[int, int]:
    """Return how many moves set a constant to a value that their history had tried, and of how many that say one."""
    repeats = valued = 0
    for history in histories:
        seen: set[tuple[str, str]] = set()
        for move in history:
            if move is not None and move.value:
                valued += 1
                repeats += (move.constant, move.value) in seen
                seen.add((move.constant, move.value))
    return repeats, valued


def _share(part: int, whole: int) -> float:
    return round(part / whole, 3) if whole else 0.0


def fit(folder: Path) -> dict[str, object]:
    """Return what minds do in the campaigns of `folder`, by kind; and what all of them prefer."""
    files = {
        path.name: moves_of(path) for path in sorted([*folder.glob("*.tsv"), *folder.glob("bilevel_*.json")])
    }
    everything = [history for histories in files.values() for history in histories]
    kinds: dict[str, dict[str, float]] = {}
    for kind, beginnings in KINDS.items():
        mine = [h for name, histories in files.items() if name.startswith(beginnings) for h in histories]
        kinds[kind] = shares(mine) | {"breadth": round(breadth(mine), 2)}
        labelled, rows = labelled_repeats(beginnings)
        others = [
            h
            for name, hs in files.items()
            if name.startswith(beginnings) and name not in labels()
            for h in hs
        ]
        found, valued = parsed_repeats(others)
        kinds[kind]["repeats"] = _share(labelled + found, rows + valued)
    bilevel = {name: histories for name, histories in files.items() if name.startswith("bilevel")}
    restarted = [h for name, histories in bilevel.items() if name.startswith(RESTARTED) for h in histories]
    return {
        "kinds": kinds,
        "all": shares(everything) | {"breadth": round(breadth(everything), 2)},
        "smaller batch": {
            "first": against([histories[0] for histories in bilevel.values()]),
            "anew": against([history for histories in bilevel.values() for history in histories[1:]]),
        },
        "restarted": shares(restarted) | {"histories": float(len(restarted))},
        "favourites": favourites(everything),
    }


def main() -> int:
    """Print what was fitted, and keep it beside this file if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--traces", type=Path, required=True, help="folder with the recorded campaigns")
    parser.add_argument("--write", action="store_true", help="keep it in habits.json")
    asked = parser.parse_args()
    if not any(asked.traces.glob("bilevel_*.json")):
        print(f"--traces {asked.traces}: no recorded campaign there", file=sys.stderr)
        return 2
    text = json.dumps(fit(asked.traces), indent=1)
    text = re.sub(r"\[\s+([\d.]+),\s+([\d.]+)\s+\]", r"[\1, \2]", text)
    print(text)
    if asked.write:
        FITTED.write_text(text + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
