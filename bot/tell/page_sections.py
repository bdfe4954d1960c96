"""The folded parts of the page between chart and table: kinds of change, lineage, what is compared, cost."""

from __future__ import annotations

from collections.abc import Sequence

from bot.base.text import one_line
from bot.tell.document import Block, Line, Paragraph, Part, Words, code, cut, paragraph, say, table
from bot.tell.figures.campaign import Figures
from bot.tell.figures.insights import Ancestor
from bot.tell.figures.rows import Row
from bot.tell.numbers import NOTHING, count, decimals, device_hours, money, percent
from bot.tell.words import device_words, effect_words
from bot.tell.writers import html

NAMED = 5  # merges that moved one constant
BRANCHES = 8  # of an incumbent that are told in words
COMPARED = 3  # merged experiments whose curves are drawn to begin with
_USES = {"incumbent": "measuring the incumbent", "open": "still open"}


def sections_html(figures: Figures) -> str:
    """Return the sections that have something to say; none before the first run."""
    parts = [_kinds(figures), _lineage(figures), _curves(figures), _cost(figures)]
    return "".join(part for part in parts if part)


def compared(figures: Figures) -> list[int]:
    """Return the experiments whose curves the page compares with the baseline's to begin with."""
    drawn = [row for row in figures.rows if len(row.curve) > 1]
    won = [row.number for row in drawn if row.landed][-COMPARED:]
    return won or [row.number for row in drawn][-1:]


def _link(row: Row, text: str | None = None) -> Words:
    return Words(text or f"#{row.number}", url=f"#e{row.number}")


def _kinds(figures: Figures) -> str:
    if not figures.kinds:
        return ""
    rows = {row.number: row for row in figures.rows}
    won = [kind for kind in figures.kinds if kind.merged]
    if won:
        merged, tried = sum(kind.merged for kind in figures.kinds), sum(kind.tried for kind in figures.kinds)
        said = f"{merged:,} of {count(tried, 'experiment')} merged, in {count(len(figures.kinds), 'kind')} of change"
    else:
        said = f"{count(len(figures.kinds), 'kind')} of change tried, none merged yet"
    lines: list[list[Part]] = []
    for kind in figures.kinds:
        best = rows[kind.best] if kind.best is not None else None
        effect: Part = NOTHING
        if best is not None:
            effect = say("{} {}", effect_words(best, figures.digits), _link(best))
        lines.append(
            [
                cut(kind.name, 60), f"{kind.tried:,}", f"{kind.merged:,}", percent(kind.share), effect,
                f"{kind.inconclusive:,}", f"{kind.crashed:,}", device_hours(kind.gpu_seconds), money(kind.cost_usd),
            ]
        )  # fmt: skip
    heads = (
        "Kind", "Tried", "Merged", "Share", "Largest merged effect", "Inconclusive", "Crashed", device_words(figures),
        "Spent on agents",
    )  # fmt: skip
    return html.folded("kinds", "What worked", said, html.write((table(heads, lines, "-nnnnnnnn"),)))


def _lineage(figures: Figures) -> str:
    if not figures.lineage or not figures.runs:
        return ""
    rows = {row.number: row for row in figures.rows}
    steps = len(figures.lineage) - 1
    said = (
        f"{count(steps, 'incumbent')} after the baseline" if steps else "the baseline is still the incumbent"
    )
    newest = reversed(list(enumerate(figures.lineage)))
    items = "".join(_ancestor(step, rows, figures, last=place == steps) for place, step in newest)
    return html.folded("lineage", "Lineage", said, f'<ol class="lineage" reversed>{items}</ol>')


def _ancestor(step: Ancestor, rows: dict[int, Row], figures: Figures, *, last: bool) -> str:
    row = rows.get(step.experiment) if step.experiment is not None else None
    if row is not None:
        came = html.line((_link(row, f"#{row.number} {one_line(row.hypothesis, 140)}"),))
    else:
        came = {"baseline": "Baseline", "base": "The base branch was taken in"}.get(
            step.origin, "Moved by hand"
        )
    marks = ' <span class="badge">incumbent</span>' if last else ""
    if step.undone_by is not None:
        marks += f' <span class="badge inconclusive">taken back by #{step.undone_by}</span>'
    ends = [rows[number] for number in step.tried if not rows[number].landed]
    return (
        f"<li><div><b>{decimals(step.score, figures.digits)}</b> {came}{marks}</div>"
        f"<p><code>{html.escape(step.commit[:10])}</code>, {count(step.runs, 'scored run')}</p>"
        f"{_branches(ends, figures)}</li>"
    )


def _branches(ends: list[Row], figures: Figures) -> str:
    """Return what was tried on an incumbent and did not become the next one: the newest with their words."""
    told, rest = ends[: -BRANCHES - 1 : -1], ends[:-BRANCHES]
    items = "".join(f"<li>{_try(row)} {_end(row, figures)}</li>" for row in told)
    if rest:
        items += (
            f"<li><span>{count(len(rest), 'earlier one')}:</span> {' '.join(map(_try, reversed(rest)))}</li>"
        )
    return f'<ul class="branches">{items}</ul>' if items else ""


def _end(row: Row, figures: Figures) -> str:
    effect = f", {effect_words(row, figures.digits)}" if row.effect is not None else ""
    return html.line(say("{} ({}{})", cut(row.hypothesis, 100), row.state, effect))


def _try(row: Row) -> str:
    name = html.escape(f"{row.look}: {one_line(row.hypothesis, 100)}")
    return f'<a class="try {row.look}" href="#e{row.number}" title="{name}">{row.number}</a>'


def merged_html(figures: Figures) -> str:
    """Return what the merges change together: each constant against the baseline, and the whole diff."""
    if not figures.landed:
        return ""
    rows = {row.number: row for row in figures.rows}
    merged, several = figures.merged, len({net.file for net in figures.merged.constants}) > 1

    def by(numbers: Sequence[int]) -> Line:
        said = say("{}, …, ", _link(rows[numbers[0]])) if len(numbers) > NAMED else ()
        for place, number in enumerate(numbers[-NAMED:]):
            said += say("{}{}", ", " if place else "", _link(rows[number]))
        return said

    lines: list[list[Part]] = []
    for net in merged.constants:
        name = say("{} in {}", code(net.name, 80), code(net.file, 80)) if several else code(net.name, 80)
        lines.append([name, code(net.before, 60), code(net.after, 60), by(net.experiments)])
    parts: list[Block] = []
    if lines:
        parts.append(table(("Constant", "Baseline", "Now", "Merged by"), lines))
    if merged.beside:
        parts.append(Paragraph((*say("Merges that change more than constants: "), *by(merged.beside))))
    if not parts:
        parts.append(paragraph("All that was merged was taken out again, or moved back."))
    whole = (
        html.folded("whole", "The whole change", "baseline to incumbent", '<div id="whole-diff"></div>')
        if figures.whole_diff
        else ""
    )
    return (
        '<section class="reading" id="merged" aria-labelledby="merged-title"><h2 id="merged-title">What was merged</h2>'
        f"{html.write(tuple(parts))}{whole}</section>"
    )


def _curves(figures: Figures) -> str:
    """Return the place for the experiments that are compared: the page's script fills it."""
    if not figures.rows:
        return ""
    curves = "Training loss, as each training told it. " if compared(figures) else ""
    inside = (
        f'<div id="compare"></div><p class="note">{curves}“Compare” in an experiment’s details, or the key c on its'
        " row, adds it here or takes it out.</p>"
    )
    return html.folded(
        "curves", "Compare", "experiments beside each other, with their learning curves", inside
    )


def _cost(figures: Figures) -> str:
    if not figures.spent:
        return ""
    each = figures.cost_per_merge
    said = (
        f"{device_hours(figures.gpu_seconds)} {device_words(figures)}, {money(figures.cost_usd)} for agents"
    )
    said += "" if each is None else f", {money(each)} for each merge"
    lines: list[list[Part]] = [
        [
            _USES.get(spent.use, spent.use), f"{spent.experiments:,}" if spent.experiments else NOTHING,
            f"{spent.runs:,}", device_hours(spent.gpu_seconds), money(spent.cost_usd),
        ]
        for spent in figures.spent
    ]  # fmt: skip
    lines.append(
        [Words("all together", "strong"), f"{figures.total:,}", f"{figures.runs:,}", device_hours(figures.gpu_seconds),
         money(figures.cost_usd)]
    )  # fmt: skip
    tables = [
        table(("Spent on", "Experiments", "Runs", device_words(figures), "Spent on agents"), lines, "-nnnn")
    ]
    if figures.roles:
        heads = ("Role", "Calls", "Tokens read", "From the cache", "Tokens written", "Cost")
        rows: list[list[Part]] = [
            [
                cut(role, 40), f"{bill.calls:,}", f"{bill.prompt_tokens:,}", percent(bill.cached_share),
                f"{bill.output_tokens:,}",
                money(bill.usd) + (f" and {bill.unpriced:,} unpriced" if bill.unpriced else ""),
            ]
            for role, bill in figures.roles
        ]  # fmt: skip
        tables.append(table(heads, rows, "-nnnnn"))
    return html.folded("cost", "Cost", said, html.write(tuple(tables)))
