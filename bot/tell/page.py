"""The report: one self-contained HTML page that needs no network and sends nothing anywhere."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from math import isfinite
from string import Template
from typing import Any

from bot.base.text import clean, clean_diff, one_line, web_address
from bot.rules.shares import run_words
from bot.tell.charts.svg import UNITS, chart_css, progress_svg
from bot.tell.document import bullets
from bot.tell.figures.campaign import Figures
from bot.tell.figures.debt import reading_title
from bot.tell.figures.plain import status_json
from bot.tell.figures.rows import Curve, Dot, Row, RunLine
from bot.tell.figures.talks import Talk
from bot.tell.numbers import count, decimals, duration, memory, moment
from bot.tell.page_sections import compared, merged_html, sections_html
from bot.tell.views.campaign import headline_facts, notes, reading_lines
from bot.tell.views.queue import queue
from bot.tell.words import (
    effect_words,
    gain_note,
    gain_words,
    level_note,
    lines_words,
    memory_words,
    rejections_note,
    score_words,
    state_words,
    time_words,
    title,
    where_words,
)
from bot.tell.writers import html

_BEFORE = Template('<span class="from">$first</span><span class="arrow" role="img" aria-label="to">→</span>')
DIFF_LIMIT = 20_000
"""Characters of a diff that the page carries; the pull request has the rest."""


def report_html(figures: Figures, *, version: str | None = None) -> str:
    """Return the page. Its policy forbids every load and every script but its own.

    With a `version` it is one that is served: it asks its server for a newer one.
    """
    style = chart_css() + _asset("page.css")
    script = _asset("page.js") + _asset("compare.js") + (_asset("live.js") if version is not None else "")
    first, last = score_words(figures)
    unit = UNITS.get(figures.metric)
    return Template(_asset("page.html")).substitute(
        title=html.escape(title(figures)),
        policy=_policy(style, script, served=version is not None),
        version=html.escape(version or ""),
        style=style,
        script=script,
        state=figures.state,
        state_words=html.escape(one_line(state_words(figures))),
        where=html.escape(where_words(figures)),
        metric=html.escape(one_line(figures.metric, 60) + (f", {unit}" if unit else "")),
        known="known" if figures.best else "unknown",
        scores="".join(
            [*([_BEFORE.substitute(first=first)] if first != last else []), f"<strong>{last}</strong>"]
        ),
        gain=html.escape(gain_words(figures)),
        note=html.escape(" ".join(filter(None, (gain_note(figures), rejections_note(figures))))),
        facts=html.write((headline_facts(figures),)),
        warnings=html.write(notes(figures)),
        reading=merged_html(figures) + _reading(figures) + _queue(figures),
        wide=progress_svg(figures, width=1120, height=400, interactive=True),
        narrow=progress_svg(figures, width=400, height=360, interactive=True),
        sections=sections_html(figures),
        total=count(figures.total, "experiment"),
        footer=html.escape(
            f"Started {moment(figures.started_at)}, last event {moment(figures.last_at)}, "
            f"written {moment(figures.now.isoformat())}. {level_note(figures)}"
        ),
        data=html.for_script(page_data(figures)),
    )


def page_data(figures: Figures) -> dict[str, Any]:
    """Return what the page's script works on: plain figures, and the same figures as people read them."""
    digits: dict[int | None, int | None] = {row.number: row.digits for row in figures.rows}
    return {
        "status": _cleaned(status_json(figures)),
        "lowerIsBetter": figures.lower_is_better,
        "verdicts": figures.verdicts,
        "rows": [_row(row, figures.digits) for row in figures.rows],
        "dots": [_dot(dot, digits.get(dot.experiment) or figures.digits) for dot in figures.dots],
        "curves": {run: _curve(curve) for run, curve in figures.incumbent_curves.items()},
        "baseline": _curve(figures.baseline_curve),
        "compared": compared(figures),
        "wholeDiff": _short(clean_diff(figures.whole_diff)),
    }


def _row(row: Row, digits: int) -> dict[str, Any]:
    digits = row.digits or digits
    return {
        "number": row.number,
        "state": row.state,
        "open": row.open,
        "look": row.look,
        "landed": row.landed,
        "hypothesis": one_line(row.hypothesis),
        "category": one_line(row.category),
        "score": row.score,
        "effect": row.effect,
        "halfWidth": row.half_width,
        "runs": row.runs,
        "net": None if row.added is None or row.removed is None else row.added - row.removed,
        "seconds": row.seconds if row.runs else None,
        "memory": row.memory_mb,
        "pull": row.pull,
        "url": web_address(row.url),
        "ended": row.finished_at,
        "shown": {
            "score": decimals(row.score, digits),
            "effect": effect_words(row, digits),
            "lines": lines_words(row),
            "time": time_words(row),
            "memory": memory_words(row),
            "ended": moment(row.finished_at)[5:16] if row.finished_at else "",
        },
        "words": [[label, clean(text)] for label, text in _words(row, digits) if text.strip()],
        "commit": row.commit,
        "runLines": [_run_line(line, digits) for line in row.run_lines],
        "diff": _short(clean_diff(row.diff)),
        "talks": [_talk(talk) for talk in row.talks],
        "curve": _curve(row.curve),
        "against": row.curve_against,
    }


def _words(row: Row, digits: int) -> list[tuple[str, str]]:
    evidence = ""
    if row.effect is not None:
        evidence = (
            f"{decimals(row.score, digits)} against {decimals(row.against, digits)}, "
            f"effect {effect_words(row, digits)}: "
            f"{count(row.candidate_runs, 'run')} of the candidate, {row.incumbent_runs} of the incumbent"
        )
    return [
        ("What changes", row.explanation.changed),
        ("Why it may work", row.explanation.why),
        ("What it might break", row.explanation.risk),
        ("Ask", " ".join(row.explanation.questions) if row.landed else ""),
        ("Expected", row.expected_effect),
        ("Evidence", evidence),
        ("Decision", row.decision),
        ("Failure", row.failure or ""),
        ("Lesson", row.lesson),
        ("Takes back", f"experiment {row.reverts}" if row.reverts is not None else ""),
        ("Proposed by", row.proposer),
    ]


def _run_line(line: RunLine, digits: int) -> list[str]:
    outcome = one_line(line.failure, 200) if line.failure else decimals(line.score, digits)
    peak = "" if line.memory_mb is None else memory(line.memory_mb)
    name = line.run if line.share == 1 else f"{line.run} ({run_words(line.share)})"
    return [name, str(line.seed), outcome, duration(line.seconds), peak, one_line(line.jail)]


def _dot(dot: Dot, digits: int) -> list[Any]:
    outcome = (
        f"failed: {one_line(dot.failure or '', 160)}" if dot.score is None else decimals(dot.score, digits)
    )
    return [dot.experiment, dot.kind, outcome, moment(dot.at)]


def _cleaned(data: Any) -> Any:
    """Return plain data with every text in it cleaned."""
    if isinstance(data, dict):
        return {name: _cleaned(value) for name, value in data.items()}
    if isinstance(data, list):
        return [_cleaned(value) for value in data]
    return clean(data) if isinstance(data, str) else data


def _talk(talk: Talk) -> dict[str, Any]:
    parts = [[one_line(speaker, 60), clean(text)] for speaker, text in talk.parts]
    return {"role": one_line(talk.role, 60), "parts": parts, "leftOut": talk.left_out}


def _curve(curve: Curve) -> list[list[float]]:
    """Round a curve to what a screen can show: the page carries thousands. A diverged loss leaves a gap."""
    return [
        [int(step), round(seconds, 1), float(f"{loss:.5g}")]
        for step, seconds, loss in curve
        if isfinite(loss)
    ]


def _short(diff: str) -> str:
    if len(diff) <= DIFF_LIMIT:
        return diff
    kept = diff[:DIFF_LIMIT].rsplit("\n", 1)[0]
    return f"{kept}\n… {diff.count(chr(10)) - kept.count(chr(10)):,} more lines"


def _reading(figures: Figures) -> str:
    """Return what a human should read first as a list."""
    lines = reading_lines(figures)
    if not lines:
        return ""
    heading = f'<h2 id="reading-title">{html.escape(reading_title(figures.debt))}</h2>'
    return f'<section class="reading" aria-labelledby="reading-title">{heading}{html.write(bullets(lines))}</section>'


def _queue(figures: Figures) -> str:
    """Return what waits and what comes next."""
    said = html.write(queue(figures))
    heading = '<h2 id="queue-title">What waits</h2>'
    return f'<section class="reading" aria-labelledby="queue-title">{heading}{said}</section>' if said else ""


def _policy(style: str, script: str, *, served: bool) -> str:
    """Return a content security policy (W3C CSP level 3) that allows these two texts and nothing else."""

    def source(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    asks = "'self'" if served else "'none'"
    return (
        f"default-src 'none'; script-src {source(script)}; style-src {source(style)}; "
        f"connect-src {asks}; base-uri 'none'; form-action 'none'"
    )


def _asset(name: str) -> str:
    return (files("bot.tell") / "assets" / name).read_text(encoding="utf-8")
