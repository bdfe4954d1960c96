"""What waits in a campaign and what comes next: for the terminal, the page, comments and the morning."""

from __future__ import annotations

from bot.rules.ideas import READS
from bot.rules.queue import Waiting
from bot.tell.document import Document, Line, bullets, cut, paragraph, say
from bot.tell.figures.campaign import Figures

_SHOWN = 10


def queue(figures: Figures, most: int = _SHOWN) -> Document:
    """Return the queue with what comes next above it; nothing before the campaign has begun."""
    if figures.state == "new" and not figures.queue:
        return ()
    lines = waiting_lines(figures, most)
    return (paragraph("**Next:** {}", next_words(figures)), *bullets(lines))


def waiting_lines(figures: Figures, most: int = _SHOWN) -> list[Line]:
    """Return what waits, one line for each, at most so many."""
    lines = [_line(each, figures) for each in figures.queue[:most]]
    left = len(figures.queue) - most
    return [*lines, *([say("and {} more", f"{left:,}")] if left > 0 else [])]


def next_words(figures: Figures) -> str:
    """Return what the loop does next, in a sentence."""
    if figures.state == "paused":
        return "nothing, the campaign is paused: `nocturne resume` lets it go on."
    loop = (
        "" if figures.state == "running" else " No loop is running that has it in hand: `nocturne run` does."
    )
    first = next(
        (
            each
            for each in figures.queue
            if each.kind != "held" and (each.kind != "idea" or each.is_read_by(figures.proposer))
        ),
        None,
    )
    if first is None:
        return f"a change of the proposer's own ({figures.proposer or 'offline'}).{loop}"
    return f"{_TODO[first.kind].format(first.number, first.stage)}.{loop}"


_TODO = {
    "open": "experiment {0} goes on ({1})",
    "revert": "experiment {0} is taken out again",
    "retry": "experiment {0} is tried again",
    "idea": "idea {0} is tried",
}


def _line(each: Waiting, figures: Figures) -> Line:
    what = cut(each.text, 140)
    match each.kind:
        case "open":
            return say("open: experiment {} ({}): {}", each.number, each.stage, what)
        case "revert":
            return say("to be taken out: experiment {}: {}", each.number, what)
        case "retry":
            return say("to be tried again: experiment {}: {}", each.number, what)
        case "held":
            return say("held for a reader: experiment {}: {}", each.number, what)
        case "idea":
            return (
                *say("idea {}: {}. ", each.number, what),
                *say("{}", reader_words(each, figures.proposer)),
            )


def reader_words(each: Waiting, proposer: str) -> str:
    """Return who will read an idea, and if the present proposer can't, what would be read."""
    if each.is_read_by(proposer):
        return f"{proposer or 'offline'} is asked next"
    hint = READS.get(proposer, "")
    return f"{proposer} could not follow it, so it waits.{hint and ' '}{hint}"
