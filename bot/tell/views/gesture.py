"""What is answered to a human who did something to a pull request by hand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from bot.tell.document import Block, Details, Document, cut, linked, paragraph


def reopened(who: str) -> Document:
    """Return the comment on a finished experiment's pull request that was opened again."""
    said = "**{} opened this again: it is tried again.** The next experiment tries it on the present incumbent, by a"
    return (
        paragraph(f"{said} pull request of its own; this one is closed then, with a link.", cut(who, 60)),
    )


def tried_again(number: int, url: str) -> Document:
    """Return the comment on a reopened pull request once experiment `number` tries it again."""
    where = linked(number, url, "experiment {}")
    return (paragraph("**Tried again** by {}. What is said and measured of it stands there.", where),)


def about_label(label: str, is_over: bool) -> Document:
    """Return the answer to a label of ours that a human put on a pull request and that commands nothing."""
    said = "The label `{}` says what was measured, and commands nothing."
    more = " What a human may say of a finished experiment: `/nocturne approve`, `/nocturne retry`, `/nocturne revert`."
    if not is_over:
        more = " It is taken off at the end; `nocturne:rejected` ends an open experiment, as closing it does."
    return (paragraph(said + more, cut(label, 60)),)


def no_longer(reason: str) -> Document:
    """Return the comment on a reopened pull request that can't be tried again."""
    return (paragraph("It is not tried again: {}.", cut(reason, 300)),)


def too_late(who: str) -> Document:
    """Return what is said to whoever closed a pull request at the moment at which it was merged."""
    said = "{} closed this as it was being merged: the next experiment takes it out again."
    return (paragraph(said, cut(who, 60)),)


def kept_words(labels: Sequence[str], instead: Document) -> list[Block]:
    """Return what a closing comment says of labels that people put on and, if they changed the text, ours `instead`."""
    parts: list[Block] = []
    if labels:
        said = "Put on by hand, and taken off: {}. Such labels say what was measured; only `nocturne:rejected`, put on"
        parts.append(paragraph(f"{said} an open experiment, ends it.", ", ".join(labels)))
    if instead:
        parts.append(paragraph("The text above was edited by hand, and stays so. Nocturne's own:"))
        flat = [each.inside if isinstance(each, Details) else (each,) for each in instead]
        parts.append(Details("The whole report", tuple(chain.from_iterable(flat))))
    return parts
