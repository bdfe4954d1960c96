"""What waits in a campaign and what comes next: for the terminal, the page, comments and the morning."""

from __future__ import annotations

from bot.rules.ideas import READS
from bot.rules.queue import Waiting
from bot.rules.stopping import reason_of
from bot.tell.document import Document, Line, Paragraph, bullets, cut, say
from bot.tell.figures.campaign import Figures

_SHOWN = 10


def queue(figures: Figures, most: int = _SHOWN) -> Document:
    """Return the queue with what comes next above it; nothing before the campaign has begun."""
    if figures.state == "new" and not figures.queue:
        return ()
    lines = waiting_lines(figures, most)
    return (Paragraph((*say("**Next:** "), *next_line(figures))), *bullets(lines))


def waiting_lines(figures: Figures, most: int = _SHOWN) -> list[Line]:
    """Return what waits, one line for each, at most so many."""
    lines = [_line(each, figures) for each in figures.queue[:most]]
    left = len(figures.queue) - most
    return [*lines, *([say("and {} more", f"{left:,}")] if left > 0 else [])]


def next_line(figures: Figures) -> Line:
    """Return what the loop does next, in a sentence."""
    if figures.state == "paused":
        return say("nothing, the campaign is paused: `nocturne resume` lets it go on.")
    onward = reason_of(figures.stop_reason or "").onward if figures.state == "stopped" else ""
    if onward:
        return (*say("nothing: "), *say(onward))
    loop = () if figures.state == "running" else say(" No loop is running: `nocturne run` starts one.")
    asked = (each for each in figures.queue if each.kind != "held")
    first = next((each for each in asked if each.kind != "idea" or each.is_read_by(figures.proposer)), None)
    if first is None:
        return (*say("a change of the proposer's own ({}).", figures.proposer), *loop)
    return (*say(_TODO[first.kind], number=first.number, stage=first.stage), *loop)


_TODO = {
    "open": "experiment {number} goes on ({stage}).",
    "revert": "experiment {number} is taken out again.",
    "retry": "experiment {number} is tried again.",
    "idea": "idea {number} is tried.",
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
                *reader_line(each, figures.proposer),
            )


def reader_line(each: Waiting, proposer: str) -> Line:
    """Return who will read an idea, and if the present proposer can't, what would be read."""
    if each.is_read_by(proposer):
        return say("{} is asked next", proposer)
    hint = READS.get(proposer, "")
    return (*say("{} could not follow it, so it waits. ", proposer), *say(hint))
