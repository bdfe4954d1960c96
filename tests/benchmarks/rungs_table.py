"""What the runs of `rungs_real` say: rank agreement by category, winners lost at a rung, experiments per hour."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from bot.rules.rung_record import CONFIDENCE, spearman, upper_share
from bot.rules.short_runs import PASSING

NONE = "none"  # the unchanged starter
Scores = Mapping[tuple[str, float], Mapping[int, float]]


def scores_of(rows: Sequence[Mapping[str, str]]) -> Scores:
    """Return scores by variant and share, in them by seed."""
    found: dict[tuple[str, float], dict[int, float]] = {}
    for row in rows:
        if row["score"]:
            found.setdefault((row["variant"], float(row["share"])), {})[int(row["seed"])] = float(
                row["score"]
            )
    return found


def pairs_of(scores: Scores, names: Sequence[str], share: float) -> list[tuple[float, float]]:
    """Return short and whole scores of each variant, of different seeds: what another run of the same commit says."""
    pairs = []
    for name in names:
        short, whole = scores.get((name, share), {}), scores.get((name, 1.0), {})
        pairs += [(short[a], whole[b]) for a in sorted(short) for b in sorted(whole) if a < b][:1]
        if not any(a < b for a in short for b in whole):
            pairs += [(short[a], whole[b]) for a in sorted(short) for b in sorted(whole) if a != b][:1]
    return pairs


def sigma_of(scores: Scores, share: float) -> float | None:
    """Return the deviation of one run with a share of the budget, from variants with both seeds; None if none has."""
    pairs = [
        list(by_seed.values()) for (_, of), by_seed in scores.items() if of == share and len(by_seed) == 2
    ]
    return math.sqrt(fmean((a - b) ** 2 / 2 for a, b in pairs)) if pairs else None


def fates(scores: Scores, share: float, sigma_whole: float) -> Iterator[tuple[str, bool, bool]]:
    """Yield for each short run of a variant its name, whether the variant is a winner (its whole runs are better than
    the starter's by two deviations), and whether it is given up, as all are but the best at a campaign's beginning."""
    base = scores[NONE, 1.0]
    ranked = sorted(
        score
        for (name, of), short in scores.items()
        if name != NONE and of == share
        for score in short.values()
    )
    bar = ranked[int(PASSING * len(ranked))] if ranked else 0.0
    for (name, of), short in scores.items():
        whole = scores.get((name, 1.0), {})
        if name == NONE or of != share or not whole:
            continue
        error = sigma_whole * math.sqrt(1 / len(whole) + 1 / len(base))
        wins = fmean(base.values()) - fmean(whole.values()) > 2 * error
        for score in short.values():
            yield name, wins, score > bar


def cost_of(rows: Sequence[Mapping[str, str]], share: float) -> float:
    """Return the mean CPU seconds of runs with a share of the budget, start-up and exam included."""
    return fmean([float(row["cpu_seconds"]) for row in rows if float(row["share"]) == share and row["score"]])


def table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the lines to print."""
    scores = scores_of(rows)
    categories = {row["variant"]: row["category"] for row in rows if row["variant"] != NONE}
    if not categories:
        return ["no runs yet: --run makes them"]
    lines = [f"{len(rows)} runs of {len(categories)} variants and the starter, {_seeds(scores)}", ""]
    lines.append("rank agreement (Spearman) with a whole run of another seed: short, variants")
    for category in (*dict.fromkeys(categories.values()), "all"):
        names = [name for name, of in categories.items() if category in ("all", of)]
        cells = [_agreement(scores, names, share) for share in (0.25, 0.5)]
        lines.append(f"  {category:<10} quarter {cells[0]:<12} half {cells[1]:<12}")
    lines += ["", *(line for share in (0.25, 0.5) for line in _lost(rows, scores, share))]
    return lines


def _seeds(scores: Scores) -> str:
    both = sum(len(by_seed) == 2 for by_seed in scores.values())
    return f"{both} of {len(scores)} with both seeds"


def _agreement(scores: Scores, names: Sequence[str], share: float) -> str:
    pairs = pairs_of(scores, names, share)
    found = spearman(pairs) if len(pairs) >= 4 else None
    return f"{'-' if found is None else f'{found:.2f}'} ({len(pairs)})"


def _lost(rows: Sequence[Mapping[str, str]], scores: Scores, share: float) -> list[str]:
    sigma, whole = sigma_of(scores, share), sigma_of(scores, 1.0)
    if sigma is None or whole is None or (NONE, share) not in scores:
        return [f"at {share:g} of the budget: no deviation known yet, for no variant has both seeds"]
    found = list(fates(scores, share, whole))
    winners = [given_up for _, wins, given_up in found if wins]
    if not found:
        return [f"at {share:g} of the budget: no variant has a short and a whole run yet"]
    given_up = fmean(each for _, _, each in found)
    most = upper_share(sum(winners), len(winners), CONFIDENCE) if winners else 1.0
    short, full = cost_of(rows, share), cost_of(rows, 1.0)
    faster, ideal = full / (short + (1 - given_up) * full), 1 / (share + 1 - given_up)
    return [
        f"at {share:g} of the budget, sigma {sigma:.4f} (whole {whole:.4f}), given up if not among the best:"
        f" {given_up:.0%} of {len(found)} short runs",
        f"  winners lost: {sum(winners)} of {len(winners)} (at most {most:.1%} with {CONFIDENCE:.0%} confidence)",
        f"  experiments per hour against none: {faster:.2f} here, where start-up and exam take most of a run;"
        f" {ideal:.2f} if they took nothing",
    ]
