"""What a reader must know before believing the figures. Plain text, not escaped yet."""

from __future__ import annotations

from collections.abc import Mapping

from bot.rules.rule_changes import said as said_of
from bot.rules.self_reported import FIX
from bot.tell.figures.campaign import Figures
from bot.tell.figures.claims import ClaimFigures
from bot.tell.figures.debt import debt_warning
from bot.tell.numbers import count

_WISHES = 5


def warnings(figures: Figures) -> list[str]:
    """Return what a reader must know before believing the figures."""
    said = []
    if figures.unjailed:
        said.append(
            f"Unjailed: {figures.unjailed:,} of {count(figures.runs, 'run')} went without a jail. "
            "Candidate code could reach the network and the files of its user."
        )
    if figures.doubted_runs:
        said.append(
            f"Not believed: {figures.doubted_runs:,} of {count(figures.runs, 'run')}, for they trained slower or faster"
            " than their commits do, as on a machine that others use. They ran once more."
        )
    said += [f"Open in the jail, on a machine of these runs: {each}." for each in figures.gaps]
    if figures.self_reported:
        said.append(
            "Self-reported: the candidate's code runs where its score is measured, and could write it. Believe a gain"
            f" after you have read its change, or build a wall: {FIX}."
        )
    said += [f"{each}." for each in figures.stood_in]
    if figures.audits:
        said.append(f"{figures.audits[0].upper()}{figures.audits[1:]}.")
    if figures.left_out is not None:
        said.append(
            f"The base branch has moved to {figures.left_out.base[:12]}, and the campaign goes on without that:"
            f" {figures.left_out.reason}."
        )
    if (waiting := debt_warning(figures.debt)) is not None:
        said.append(waiting)
    if figures.claims.total:
        said.append(claims_words(figures.claims))
    if figures.wished:
        said.append(wished_words(figures.wished))
    said += [said_of(change) for change in figures.rule_changes[-1:]]
    said += [f"Ledger mended: {note}" for note in figures.mended]
    return said


def claims_words(claims: ClaimFigures) -> str:
    """Return what was imported, and that nothing rests on it."""
    tried = f"{claims.tried} of them were tried here since" if claims.tried else "none of them was tried here"
    return (
        f"Unverified: {count(claims.total, 'experiment')} of another tool, imported from {', '.join(claims.sources)};"
        f" {tried}. They steer the search, and no verdict and no gain rests on them."
    )


def wished_words(wished: Mapping[str, int]) -> str:
    """Return what proposals wanted to import and could not, most wanted first."""
    named = [f"{module} ({count(times, 'proposal')})" for module, times in list(wished.items())[:_WISHES]]
    more = f" and {len(wished) - _WISHES} more" if len(wished) > _WISHES else ""
    return (
        f"Wished: {', '.join(named)}{more}. Candidates use what the environment has: install it where they run, or"
        " say in the program that it is not to be had."
    )
