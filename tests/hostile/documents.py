"""Documents with somebody's words in every place that a document has."""

from __future__ import annotations

import re
from collections.abc import Callable

from bot.tell.document import (
    Code,
    Curves,
    Details,
    Document,
    Facts,
    Paragraph,
    Picture,
    Words,
    bullets,
    code,
    cut,
    heading,
    paragraph,
    say,
    table,
)

OURS = "https://example.org/pull/7"


def _sentences(text: str) -> Document:
    return (
        heading(text, 1),
        heading(say("about {}", text)),
        paragraph("so **{}** said {} of it", text, cut(text, 60)),
        paragraph("{}", text),
        paragraph("**{}**", text),
        Paragraph(say("{} and {}", Words(text, "soft"), code(text)), "note"),
        Paragraph(say("{}", Words(text, "strong")), "small"),
        paragraph("The end."),
    )


def _lists(text: str) -> Document:
    return (
        heading("Lists"),
        *bullets([text, say("x {}", text), (Words(text, "strong"),), "last"]),
        *bullets([text, say("`{}`", text), "last"], numbered=True),
        Facts(((text, say("{}", text)), ("facts", say("**{} of it**, `{}`", text, text)), ("n", say("1")))),
        paragraph("The end."),
    )


def _tables(text: str) -> Document:
    return (
        heading("Tables"),
        table(
            ("a", text, "c"),
            [(text, code(text), "1"), ("x", Words(text, "strong"), "2"), ("1", "2", "3")],
            "  n",
        ),
        table(("", ""), [("label", text), (text, "label")]),
        paragraph("The end."),
    )


def _blocks(text: str) -> Document:
    return (
        heading("Blocks"),
        Code(f"{text}\nlast", "diff"),
        Details(text, (paragraph("{}", text), Code(text), paragraph("inside"))),
        Curves("steps", "0", "1", "loss", "0", "1", (("1", "2"),)),
        paragraph("The end."),
    )


def _links(text: str) -> Document:
    address = text.lower().startswith("http") or re.fullmatch(
        r"#e\d+", text
    )  # as the page says its own places
    no_address = None if address else text  # which would be a link, and rightly
    return (
        heading("Links"),
        paragraph("see {} and {}", Words(f"a {text} b", url=OURS), Words(f"a {text} b", url=no_address)),
        paragraph("in {}", Words(f"{text} (of it", "strong", OURS)),
        *bullets([Words(f"#x{text}", "issue"), "last"]),
        Facts((("link", (Words(f"{text} (of it", "soft", OURS), Words(" (more) "), Words("x", "strong"))),)),
        Picture(f"a {text}", "F0123456789"),
        paragraph("The end."),
    )


SHAPES: tuple[Callable[[str], Document], ...] = (_sentences, _lists, _tables, _blocks, _links)


def document(shape: int, text: str) -> Document:
    """Return the document of one of the shapes in which `text` stands wherever it can."""
    return SHAPES[shape](text)
