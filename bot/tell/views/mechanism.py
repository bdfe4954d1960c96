"""The pull request of a mechanism that the researcher wrote: why, what it was checked for, what it is worth."""

from __future__ import annotations

from bot.rules.events import MechanismWritten
from bot.tell.document import Document, code, cut, paragraph, paragraphs, table


def mechanism_title(name: str) -> str:
    """Return the title of its commit and of the pull request."""
    return f"Mechanism {name}"


def mechanism_body(written: MechanismWritten, campaign: str, worth: str) -> Document:
    """Return its text; `worth` is what the trial says of it so far."""
    return (
        paragraph(
            "Search code for the outer loop of campaign {}, written by {} before experiment {}. It runs in a jail, and"
            " is on trial.",
            code(campaign), cut(written.author, 80), written.experiment,
        ),
        *paragraphs(written.rationale),
        table(("check", "result"), [(cut(each, 40), "passed") for each in written.checks]),
        paragraph("Worth: {}.", cut(worth, 300)),
        paragraph(
            "`/nocturne outer {} off` takes it out. To merge or to close this changes nothing in the campaign.",
            written.mechanism,
        ),
    )  # fmt: skip
