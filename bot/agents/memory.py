"""The history as a model reads it: written from the ledger by code, within a fixed budget, kind to a prompt cache.

Three parts, in the order of how often they change. The chapter sums up all but the latest experiments and is
rewritten every `CHAPTER` experiments only. Recent lines, one for each experiment since, are appended and never
change. What is going on now, with the last few experiments in full, is written anew each time. So the next
experiment's prompt begins with the same bytes as this one's, up to what is new.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from bot.agents.claims import claim_line, claims_told
from bot.agents.novelty import most_alike, words_of
from bot.agents.quoting import quoted
from bot.base.text import one_line
from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment
from bot.rules.proposal import Change
from bot.tell.numbers import margin, places
from bot.tell.sentences import better

CHAPTER = 20  # finished experiments after which the chapter is written anew
BUDGET = 3_000  # tokens of the chapter; recent lines and what goes on now have bounds of their own
LINES = 8  # of one section of the chapter: a longer history says the same in other lines, not in more
BYTES_PER_TOKEN = 3  # fewer than any tokenizer of English and code needs: the estimate errs upwards
_LINE = 180
_RECENT = 260
_IN_FULL = 3
_FULL_LINE = 700
_FOUND = 12  # lines that a search answers with
NEAREST = 3  # experiments that a reviewer sees beside a new one


@dataclass(frozen=True)
class Memory:
    """What is known, for a prompt: the frozen `chapter`, `recent` lines oldest first, and what goes on `now`."""

    chapter: str
    recent: tuple[str, ...]
    now: str


def tokens(text: str) -> int:
    """Return an upper estimate of the tokens of `text`."""
    return math.ceil(len(text.encode(errors="replace")) / BYTES_PER_TOKEN)


def memory_of(campaign: Campaign, number: int, *, budget: int = BUDGET) -> Memory:
    """Return what experiment `number` should know of the past: at most `budget` tokens of chapter."""
    finished = campaign.finished()
    whole = len(finished) - len(finished) % CHAPTER
    return Memory(
        chapter="\n\n".join(
            part for part in (claims_told(campaign), _chapter(campaign, finished[:whole], budget)) if part
        ),
        recent=tuple(_quoted_line(campaign, experiment) for experiment in finished[whole:]),
        now=_now(campaign, finished[-_IN_FULL:], number),
    )


def search(campaign: Campaign, words: str) -> str:
    """Return the experiments whose words, names of constants or verdicts meet those of the query, best first."""
    wanted = words_of(words)
    claims = {-claim.claim: claim for claim in campaign.claims.known.values()}
    texts = {e.number: words_of(_searched(e)) for e in campaign.experiments.values() if e.proposal}
    texts |= {number: words_of(f"{claim.status} {claim.description}") for number, claim in claims.items()}
    holding = Counter(word for found in texts.values() for word in wanted if word in found)
    worth = {
        number: sum(math.log(1 + len(texts) / holding[word]) for word in wanted if word in found)
        for number, found in texts.items()
    }
    best = sorted((n for n in worth if worth[n] > 0), key=lambda n: (-worth[n], -n))[:_FOUND]
    if not best:
        return f"No experiment among {len(texts)} speaks of that."
    lines = [
        claim_line(campaign, claims[number], _RECENT)
        if number in claims
        else line_of(campaign, campaign.experiments[number], _RECENT)
        for number in best
    ]
    found = sum(1 for value in worth.values() if value > 0)
    more = [f"({found - len(best)} more, less alike)"] if found > len(best) else []
    return quoted("\n".join([*lines, *more]), "a search over the experiments")


def nearest(campaign: Campaign, number: int) -> str:
    """Return the earlier experiments whose title and constants overlap most with those of experiment `number`.

    They are shown whole, the nearest first, fenced; empty if none has a word in common.
    """
    titles = {e.number: _titled(e) for e in campaign.experiments.values() if e.proposal is not None}
    best = most_alike(titles.pop(number), titles, NEAREST)
    told = "\n\n".join(_in_full(campaign, campaign.experiments[n]) for n in best)
    return quoted(told, "the experiments most alike") if told else ""


def line_of(campaign: Campaign, experiment: Experiment, limit: int = _LINE) -> str:
    """Return an experiment in one line: number, verdict, effect, category, hypothesis, and why it failed."""
    proposal = experiment.proposal
    category = one_line(proposal.category, 24) if proposal else "none"
    said = f"#{experiment.number} {_outcome(campaign, experiment)} [{category}] {one_line(experiment.title, 120)}"
    decision = experiment.decision
    if decision is not None and decision.effect is None:
        said += f" | {one_line(decision.reason)}"
    return one_line(said, limit)


def effect_of(campaign: Campaign, experiment: Experiment) -> str:
    """Return the measured effect with its half width, empty if there is none."""
    decision = experiment.decision
    if decision is None or decision.effect is None:
        return ""
    digits = places(decision.half_width or abs(decision.effect) or 1.0)
    turn = "better" if better(decision.effect, campaign.direction) else "worse"
    return f"{margin(decision.effect, decision.half_width or 0.0, digits)} ({turn})"


def _outcome(campaign: Campaign, experiment: Experiment) -> str:
    verdict = experiment.verdict if experiment.finished_at else "in hand"
    return " ".join(part for part in (verdict or "in hand", effect_of(campaign, experiment)) if part)


# -- the chapter -----------------------------------------------------------------------------------------


def _chapter(campaign: Campaign, past: Sequence[Experiment], budget: int) -> str:
    if not past:
        return ""
    landed = [e for e in past if e.landed is not None]
    lost = [e for e in past if e.landed is None]
    near = [e for e in lost if _gain(campaign, e) > 0]
    sections = [
        ("By category: tried, merged, crashed, gain of what was merged", _by_category(campaign, past), 0.2),
        ("What won, largest first", _lines(campaign, _largest(campaign, landed)), 0.2),
        ("Near misses: looked better, not proven", _lines(campaign, _largest(campaign, near)), 0.2),
        ("Dead ends: constants and directions that failed again and again", _dead_ends(campaign, past), 0.16),
        (
            "What hurt most",
            _lines(campaign, [e for e in reversed(_largest(campaign, lost)) if _gain(campaign, e) < 0]),
            0.12,
        ),
        ("Crashes and refusals, latest first", _lines(campaign, _failed(past)), 0.12),
    ]
    text = "\n\n".join(
        f"{title}:\n" + "\n".join(fitting)
        for title, lines, share in sections
        if (fitting := _fitting(lines, budget * share))
    )
    return f"What the first {len(past)} finished experiments taught.\n" + quoted(
        text, f"the ledger, experiments 1 to {len(past)} in the order they ended", len(text) + 1
    )


def _fitting(lines: Iterable[str], budget: float) -> list[str]:
    """Return the first `LINES` lines, or as many of them as `budget` tokens hold."""
    kept: list[str] = []
    for line in islice(lines, LINES):
        budget -= tokens(line) + 1
        if budget < 0:
            break
        kept.append(line)
    return kept


def _gain(campaign: Campaign, experiment: Experiment) -> float:
    """Return by how much it seemed better, in score units; 0 if nothing was measured."""
    effect = experiment.decision.effect if experiment.decision else None
    if effect is None or not math.isfinite(effect):
        return 0.0
    return -effect if campaign.direction == "minimize" else effect


def _largest(campaign: Campaign, past: Iterable[Experiment]) -> list[Experiment]:
    return sorted(past, key=lambda e: (-_gain(campaign, e), -e.number))


def _lines(campaign: Campaign, past: Iterable[Experiment]) -> Iterable[str]:
    return (line_of(campaign, experiment) for experiment in past)


def _failed(past: Sequence[Experiment]) -> list[Experiment]:
    return [e for e in reversed(past) if e.verdict in ("crashed", "rejected")]


def _by_category(campaign: Campaign, past: Sequence[Experiment]) -> Iterable[str]:
    groups: dict[str, list[Experiment]] = defaultdict(list)
    for experiment in past:
        if experiment.proposal is not None:
            groups[one_line(experiment.proposal.category, 24)].append(experiment)
    for category, members in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        merged = [e for e in members if e.landed is not None]
        crashed = sum(e.verdict == "crashed" for e in members)
        gain = sum(_gain(campaign, e) for e in merged)
        last = f"last merged #{merged[-1].number}" if merged else "never merged"
        yield f"{category}: {len(members)}, {len(merged)}, {crashed}, {gain:.4g}; {last}"


def _dead_ends(campaign: Campaign, past: Sequence[Experiment]) -> Iterable[str]:
    """Yield constants that were moved one way at least twice, never with success, the most tried first."""
    moves: dict[tuple[str, str], list[tuple[Experiment, str]]] = defaultdict(list)
    for experiment in past:
        for raw in experiment.proposal.changes if experiment.proposal else ():
            change = Change(**raw)
            moves[change.name, _direction(change)].append((experiment, change.new))
    dead = {
        key: tries
        for key, tries in moves.items()
        if len(tries) > 1 and not any(e.landed is not None or _gain(campaign, e) > 0 for e, _ in tries)
    }
    for (name, direction), tries in sorted(dead.items(), key=lambda item: (-len(item[1]), item[0])):
        values = ", ".join(f"{one_line(new, 16)} #{e.number}" for e, new in tries[-4:])
        yield one_line(f"{name} {direction}: {len(tries)} times, latest {values}", _LINE)


def _direction(change: Change) -> str:
    try:
        return "up" if float(change.new) > float(change.old) else "down"
    except ValueError:
        return "changed"


# -- recent experiments, and what goes on now ------------------------------------------------------------


def _quoted_line(campaign: Campaign, experiment: Experiment) -> str:
    return quoted(line_of(campaign, experiment, _RECENT), f"experiment {experiment.number}")


def _now(campaign: Campaign, latest: Sequence[Experiment], number: int) -> str:
    parts = [f"{len(campaign.order)} experiments are finished; this is experiment {number}."]
    if latest:
        told = "\n\n".join(_in_full(campaign, experiment) for experiment in latest)
        parts.append("The latest ones, whole:\n" + quoted(told, "the ledger"))
    others = [e for e in campaign.open_experiments() if e.number != number and e.proposal is not None]
    if others:
        lines = "\n".join(line_of(campaign, e) for e in others[-8:])
        parts.append("Other runners try this now; don't do the same:\n" + quoted(lines, "other runners"))
    return "\n\n".join(parts)


def _in_full(campaign: Campaign, experiment: Experiment) -> str:
    proposal, decision = experiment.proposal, experiment.decision
    lines = [f"#{experiment.number}: {one_line(experiment.title, 120)}"]
    if proposal is not None:
        lines.append(f"why: {one_line(proposal.reason, _FULL_LINE)}")
        lines.append(f"expected: {one_line(proposal.expected_effect, 200)}")
        moved = ", ".join(f"{c['name']} {c['old']} -> {c['new']}" for c in proposal.changes)
        if moved:
            lines.append(f"constants: {one_line(moved, 300)}")
    lines.append(f"outcome: {_outcome(campaign, experiment)}")
    if decision is not None:
        lines.append(f"lesson: {one_line(decision.lesson, 400)}")
    return "\n".join(lines)


def _titled(experiment: Experiment) -> str:
    """Return the words of an experiment's title and of the constants that it sets."""
    proposal = experiment.proposal
    assert proposal is not None
    return " ".join([proposal.hypothesis, *(f"{c['name']} {c['new']}" for c in proposal.changes)])


def _searched(experiment: Experiment) -> str:
    proposal, decision = experiment.proposal, experiment.decision
    words = [f"#{experiment.number}", experiment.verdict or "open"]
    if proposal is not None:
        words += [_titled(experiment), proposal.category, proposal.reason]
    if decision is not None:
        words += [decision.lesson, decision.reason]
    return " ".join(words)
