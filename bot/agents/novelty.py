"""Is a proposal new? What is too near to an earlier experiment is sent back with that experiment's result.

Four kinds of nearness, from the surest to the least sure: the same edit of the code, the same constants set
to the same values within one part in a hundred, nearly the same words, and one more step in a direction in
which a category has failed several times in a row. What stood there before does not matter: a setting that was
tried is a repeat on a newer incumbent too, and who wants it again has to say what changed. The same idea in
other words is the reviewer's question, who sees the nearest experiments (`bot.agents.memory.nearest`).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bot.agents.constants import literal_value, rewrite
from bot.agents.formats.plain import plain_text
from bot.agents.formats.site import Value
from bot.rules.outer.mechanisms.novel import same_value
from bot.rules.proposal import Change, PastExperiment, Proposal

Kind = Literal["edit", "constants", "words", "direction"]

FAILURES = 6
"""Failures in a row of one category in one direction, after which one more step is sent back."""
_ALIKE = 0.8  # share of common words from which two texts say the same


@dataclass(frozen=True)
class Repeat:
    """The earlier experiment that a proposal repeats, in which way, and one sentence that says so."""

    past: PastExperiment
    kind: Kind
    why: str


def repeats(
    proposal: Proposal,
    history: Sequence[PastExperiment],
    *,
    files: Mapping[str, str] | None = None,
    failures: int | None = FAILURES,
) -> Repeat | None:
    """Return what `proposal` repeats, the surest kind first and the latest experiment of it; None if new.

    `files` are the editable files of the incumbent; without them a proposal with changed constants is taken
    to change nothing else. Reverts are no repeats, neither as proposal nor in the past. `failures=None` leaves
    the direction out.
    """
    if proposal.category == "revert":
        return None
    past = [
        p
        for p in sorted(history, key=lambda p: p.number, reverse=True)
        if p.category != "revert" and not p.may_come_again
    ]
    edit = "" if files is None else edit_beside(files, proposal.files, proposal.changes)
    found = twin(proposal.changes, edit, past)
    if found is not None:
        return found
    mine = words_of(f"{proposal.hypothesis} {proposal.reason}")
    for one in past:
        # If constants are all that both change, their values have said it already.
        exact = proposal.changes and one.changes and not (edit or one.edit)
        if not exact and overlap(mine, words_of(f"{one.hypothesis} {one.reason}")) >= _ALIKE:
            return _repeat(one, "words", "says nearly the same words")
    return None if failures is None else _worn_out(proposal, past, failures)


def twin(changes: Sequence[Change], edit: str, history: Sequence[PastExperiment]) -> Repeat | None:
    """Return the latest experiment that set the same constants to the same values and made the same other edit.

    `edit` is what `edit_beside` says. Nothing is read from words here.
    """
    mine = _values(changes)
    for one in sorted(history, key=lambda past: past.number, reverse=True):
        if one.category == "revert" or edit != one.edit or not (edit or mine):
            continue
        theirs = _values(one.changes)
        if mine.keys() == theirs.keys() and all(same_value(mine[name], theirs[name]) for name in mine):
            did = "makes the same edit" if edit else f"sets {_settings(changes)}"
            return _repeat(one, "edit" if edit else "constants", did)
    return None


def _values(changes: Sequence[Change]) -> dict[tuple[str, str], Value]:
    return {(change.file, change.local): _value_of(change.new) for change in changes}


def _value_of(literal: str) -> Value:
    """Return what a source literal is worth; what is none stands for itself."""
    worth = literal_value(literal)
    return literal.strip() if worth is None else worth


def edit_beside(before: Mapping[str, str], after: Mapping[str, str], changes: Sequence[Change]) -> str:
    """Return a digest of what `after` changes beside the constants in `changes`; empty if that is all.

    Comments, docstrings and format do not count, nor does where in its file a line stands.
    """
    digest = hashlib.sha256()
    for path in sorted(after):
        literals = {change.name: change.new for change in changes if change.file == path}
        old = before.get(path, "")
        try:
            expected = rewrite(old, literals, path) if literals else old
        except (KeyError, ValueError, RecursionError):
            expected = old
        gone, come = _plain_lines(path, expected), _plain_lines(path, after[path])
        for sign, lines in (("-", gone - come), ("+", come - gone)):
            for line in sorted(lines.elements()):
                digest.update(f"{path}\0{sign}{line}\0".encode(errors="surrogatepass"))
    found = digest.hexdigest()
    return "" if found == hashlib.sha256().hexdigest() else found


def _plain_lines(path: str, text: str) -> Counter[str]:
    return Counter(line.strip() for line in plain_text(path, text).splitlines() if line.strip())


def _worn_out(proposal: Proposal, past: Sequence[PastExperiment], failures: int) -> Repeat | None:
    """Return the latest of `failures` failures in a row that changed the same constants in the same direction."""
    way = _ways(proposal.changes)
    if not way:
        return None
    same = [p for p in past if p.category == proposal.category and set(_ways(p.changes)) & set(way)]
    streak = [p for p in same[:failures] if _ways(p.changes) == way and _failed(p)]
    if len(streak) < failures:
        return None
    steps = ", ".join(str(p.number) if p.claim is None else p.called for p in reversed(streak))
    why = f"It goes on in the direction in which experiments {steps} failed, one after another."
    return Repeat(streak[0], "direction", why)


def _ways(changes: Sequence[Change]) -> dict[str, int]:
    """Return which way each constant moves, +1 or -1; empty if one of them has no more or less."""
    ways: dict[str, int] = {}
    for change in changes:
        old, new = literal_value(change.old), literal_value(change.new)
        if isinstance(old, str | None) or isinstance(new, str | None) or old == new:
            return {}
        ways[f"{change.file}:{change.local}"] = 1 if new > old else -1
    return ways


def _failed(past: PastExperiment) -> bool:
    if past.landed or past.verdict in (None, "lost", "improved"):
        return False
    return past.effect is None or past.effect >= 0  # a near miss is no failure


def _repeat(past: PastExperiment, kind: Kind, what: str) -> Repeat:
    return Repeat(past, kind, f"It {what} as {past.called}, {_outcome(past)}.")


def _outcome(past: PastExperiment) -> str:
    if past.verdict is None:
        return "which another loop is trying now"
    if past.effect is None:
        return f"which ended {past.verdict}"
    return f"which ended {past.verdict} ({past.measured})"


def _settings(changes: Sequence[Change]) -> str:
    return ", ".join(f"{change.name} to {change.new}" for change in changes)


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
