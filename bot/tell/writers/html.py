"""HTML and SVG: text nodes, quoted attributes, data for scripts, and documents as a page of ours shows them."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from typing import Any

from bot.base.text import clean, clean_diff, one_line, web_address
from bot.tell.document import (
    Block,
    Bullets,
    Code,
    Curves,
    Details,
    Document,
    Facts,
    Heading,
    Line,
    Paragraph,
    Picture,
    Table,
    Words,
    spaced,
)

_REL = 'rel="noreferrer noopener" target="_blank"'
_TAGS = {"strong": "b", "soft": "em", "code": "code"}
_SHORT, _LONG = 40, ' class="long"'  # characters of a value that may stand large
_CLASSES = {"note": ' class="warning"', "small": ' class="note"'}


def write(document: Document) -> str:
    """Return a document as HTML."""
    return "".join(_block(block) for block in document)


def escape(text: str) -> str:
    """Return `text` for an HTML or SVG text node or a quoted attribute."""
    return html.escape(clean(text), quote=True)


def for_script(data: Any) -> str:
    """Return `data` as JSON that can stand inside a `<script>` element, whatever its strings hold."""
    compact = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return compact.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def line(of: Line) -> str:
    """Return a line of a document."""
    return "".join(_words(words) for words in of)


def folded(name: str, heading: str, said: str, inside: str) -> str:
    """Return a part of the page that is folded at first, with a few words on what is inside, which is HTML."""
    return (
        f'<details class="part" id="{name}"><summary><h2>{escape(heading)}</h2><span>{escape(said)}</span></summary>'
        f'<div class="inside">{inside}</div></details>'
    )


def _words(words: Words) -> str:
    said = escape(one_line(words.text, words.limit))
    tag = _TAGS.get(words.look)
    if tag:
        said = f"<{tag}>{said}</{tag}>"
    url = words.url or ""
    if re.fullmatch(r"#e\d+", url):  # an experiment on the page itself
        said = f'<a href="{url}">{said}</a>'
    elif web_address(url):
        said = f'<a href="{escape(url)}" {_REL}>{said}</a>'
    return spaced(words.text, said)


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"<h{block.level}>{line(block.line)}</h{block.level}>"
        case Paragraph():
            return f"<p{_CLASSES.get(block.kind, '')}>{line(block.line)}</p>"
        case Bullets():
            tag = "ol" if block.numbered else "ul"
            return f"<{tag}>{''.join(f'<li>{line(each)}</li>' for each in block.lines)}</{tag}>"
        case Facts():
            return "".join(
                f"<div{_LONG if sum(len(words.text) for words in of) > _SHORT else ''}><dt>{escape(name)}</dt>"
                f"<dd>{_value(of)}</dd></div>"
                for name, of in block.pairs
            )
        case Table():
            return _table(block)
        case Code():
            text = clean_diff(block.text) if block.language == "diff" else clean(block.text)
            return f"<pre><code>{escape(text)}</code></pre>"
        case Details():
            return f"<details><summary>{escape(block.summary)}</summary>{write(block.inside)}</details>"
        case Picture(path=str() as path):
            return f'<img src="{escape(path)}" alt="{escape(block.shows)}">'
        case Picture() | Curves():
            return ""  # the page's script draws curves


def _table(table: Table) -> str:
    kinds = [' class="num"' if place in table.numeric else "" for place, _ in enumerate(table.heads)]
    head = "".join(
        f'<th scope="col"{kind}>{escape(name)}</th>' for kind, name in zip(kinds, table.heads, strict=True)
    )
    body = "".join(
        f"<tr>{''.join(f'<td{kind}>{line(cell)}</td>' for kind, cell in zip(kinds, row, strict=True))}</tr>"
        for row in table.rows
    )
    return (
        '<div class="wide-table" tabindex="0" role="region" aria-label="Table">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _value(of: Line) -> str:
    """Return a value, what stands in brackets at its end set smaller."""
    *before, last = of or (Words(""),)
    head, bracket, rest = last.text.partition(" (")
    if not bracket or last.look != "plain" or last.url or not rest.endswith(")"):
        return line(of)
    return f"{line((*before, replace(last, text=head)))} <small>{escape(one_line(rest[:-1], last.limit))}</small>"
