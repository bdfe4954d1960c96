"""What the views say, written as tests read it: Markdown, Slack's blocks, and the terminal's text."""

from __future__ import annotations

import functools
import io
import itertools
from collections.abc import Callable
from typing import Any, ParamSpec

from rich.console import Console

from bot.rules.campaign import Campaign
from bot.tell.document import Block, Bullets, Document, Facts, Heading, Line, Message
from bot.tell.figures.campaign import Figures
from bot.tell.figures.promotion import PromotionFigures
from bot.tell.views import campaign as campaigns
from bot.tell.views import (
    change,
    experiment,
    idea,
    need,
    promotion,
    runs,
    status,
    verdict,
)
from bot.tell.writers import markdown, slack, terminal

P = ParamSpec("P")


def _in_markdown(view: Callable[P, Document]) -> Callable[P, str]:
    @functools.wraps(view)
    def write(*args: P.args, **more: P.kwargs) -> str:
        return markdown.write(view(*args, **more))

    return write


report_markdown = _in_markdown(campaigns.report)
standing = _in_markdown(campaigns.standing)
explanation = _in_markdown(experiment.explanation)
pull_body = _in_markdown(experiment.pull_body)

closing_comment = _in_markdown(status.closing_comment)
held_comment = _in_markdown(status.held_comment)
issue_body = _in_markdown(need.issue_body)
outcome = _in_markdown(idea.outcome)
change_text = _in_markdown(change.change)
curve_text = _in_markdown(runs.curves)
cost_text = _in_markdown(verdict.cost)


def promotion_body(
    campaign: Campaign, figures: Figures, told: PromotionFigures, *args: Any, **more: Any
) -> str:
    """Return a promotion's text as it is opened: with as many explanations as fit."""

    def explaining(changes: int) -> Document:
        return promotion.promotion_body(campaign, figures, told, *args, explained=changes, **more)

    return markdown.fitting(explaining, len(told.changes))


def message_text(message: Message, picture: str | None = None) -> str:
    return markdown.write(message.document(picture))


def blocks(message: Message, *, image: str | None = None, smallest: bool = False) -> list[dict[str, Any]]:
    return slack.write(message.document(image), smallest=smallest)


def prose(text: str, limit: int = 400) -> str:
    return markdown.escape(text, limit)


def block(made: Block) -> list[str]:
    return markdown.write((made,)).rstrip("\n").split("\n")


def screen(document: Document, width: int = 120) -> str:
    """Return a document as a terminal of this width shows it, without colours."""
    out = io.StringIO()
    terminal.show(document, Console(file=out, width=width, highlight=False))
    return out.getvalue()


def status_text(figures: Figures, width: int = 120) -> str:
    """Return what `nocturne status` says above its table."""
    return screen(campaigns.overview(figures), width)


def table_text(figures: Figures, latest: int = 10_000, width: int = 120) -> str:
    """Return the table of experiments as a terminal shows it."""
    return screen(campaigns.latest_experiments(figures, latest=latest, width=width), width)


def said(line: Line) -> str:
    """Return the words of a line."""
    return "".join(words.text for words in line)


def facts_of(document: Document) -> dict[str, str]:
    """Return the figures at a glance."""
    return {
        name: said(value) for block in document if isinstance(block, Facts) for name, value in block.pairs
    }


def lists_of(document: Document) -> dict[str, list[str]]:
    """Return the lists of a document by the headings above them."""
    pairs = itertools.pairwise(document)
    return {
        said(above.line): [said(line) for line in below.lines]
        for above, below in pairs
        if isinstance(above, Heading) and isinstance(below, Bullets)
    }
