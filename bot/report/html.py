"""The report: one self-contained HTML page that needs no network and sends nothing anywhere."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from math import isfinite
from string import Template
from typing import Any

from bot.report.chart import UNITS, chart_css, progress_svg
from bot.report.debt import reading_title, size_words
from bot.report.figures import Figures, status_json
from bot.report.formats import count, duration, moment, score, with_margin
from bot.report.rows import Curve, Dot, Row, RunLine
from bot.report.sections import compared, sections_html
from bot.report.talks import Talk
from bot.report.words import (
    facts,
    gain_note,
    gain_words,
    lines_words,
    memory_words,
    rejections_note,
    score_words,
    state_words,
    time_words,
    title,
    warnings,
)
from bot.text import clean, clean_diff, html_text, json_for_script, one_line, web_address

DIFF_LIMIT = 20_000
"""Characters of a diff that the page carries; the pull request has the rest."""


def report_html(figures: Figures) -> str:
    """Return the page. Its policy forbids every load and every script but its own."""
    style = chart_css() + _asset("page.css")
    script = _asset("page.js") + _asset("compare.js")
    first, last = score_words(figures)
    unit = UNITS.get(figures.metric)
    return Template(_asset("page.html")).substitute(
        title=html_text(title(figures)),
        policy=_policy(style, script),
        style=style,
        script=script,
        state=figures.state,
        state_words=html_text(one_line(state_words(figures))),
        metric=html_text(one_line(figures.metric, 60) + (f", {unit}" if unit else "")),
        known="known" if figures.best else "unknown",
        first=first,
        last=last,
        gain=html_text(gain_words(figures)),
        note=html_text(" ".join(filter(None, (gain_note(figures), rejections_note(figures))))),
        facts="".join(
            f"<div><dt>{html_text(name)}</dt><dd>{_value(value)}</dd></div>" for name, value in facts(figures)
        ),
        warnings="".join(f'<p class="warning">{html_text(one_line(text))}</p>' for text in warnings(figures)),
        reading=_reading(figures),
        wide=progress_svg(figures, width=1120, height=400, interactive=True),
        narrow=progress_svg(figures, width=400, height=360, interactive=True),
        sections=sections_html(figures),
        total=count(figures.total, "experiment"),
        footer=html_text(
            f"Started {moment(figures.started_at)}, last event {moment(figures.last_at)}, "
            f"written {moment(figures.now.isoformat())}."
        ),
        data=json_for_script(page_data(figures)),
    )


def page_data(figures: Figures) -> dict[str, Any]:
    """Return what the page's script works on: plain figures, and the same figures as people read them."""
    return {
        "status": _cleaned(status_json(figures)),
        "lowerIsBetter": figures.lower_is_better,
        "verdicts": figures.verdicts,
        "rows": [_row(row, figures.digits) for row in figures.rows],
        "dots": [_dot(dot, figures.digits) for dot in figures.dots],
        "curves": {run: _curve(curve) for run, curve in figures.incumbent_curves.items()},
        "baseline": _curve(figures.baseline_curve),
        "compared": compared(figures),
    }


def _row(row: Row, digits: int) -> dict[str, Any]:
    return {
        "number": row.number,
        "state": row.state,
        "open": row.open,
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
            "score": score(row.score, digits),
            "effect": with_margin(row.effect, row.half_width, digits),
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
            f"{score(row.score, digits)} against {score(row.against, digits)}, "
            f"effect {with_margin(row.effect, row.half_width, digits)}: "
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
    outcome = one_line(line.failure, 200) if line.failure else score(line.score, digits)
    memory = "" if line.memory_mb is None else f"{line.memory_mb / 1024:.1f} GiB"
    return [line.run, str(line.seed), outcome, duration(line.seconds), memory, one_line(line.jail)]


def _dot(dot: Dot, digits: int) -> list[Any]:
    outcome = f"failed: {one_line(dot.failure or '', 160)}" if dot.score is None else score(dot.score, digits)
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
    if not figures.debt.reading:
        return ""
    items = []
    for row in figures.debt.reading:
        address, name = web_address(row.url), f"Experiment {row.number}"
        rel = 'rel="noreferrer noopener" target="_blank"'
        link = f'<a href="{html_text(address)}" {rel}>{name}</a>' if address else name
        said = (
            f"{one_line(row.hypothesis, 140)} ({size_words(row)}). {one_line(row.explanation.changed, 300)}"
        )
        items.append(f"<li>{link}: {html_text(said)}</li>")
    heading = f'<h2 id="reading-title">{html_text(reading_title(figures.debt))}</h2>'
    return f'<section class="reading" aria-labelledby="reading-title">{heading}<ul>{"".join(items)}</ul></section>'


def _value(value: str) -> str:
    """Set what stands in brackets smaller."""
    head, bracket, rest = value.partition(" (")
    return html_text(head) + (f" <small>{html_text(rest.rstrip(')'))}</small>" if bracket else "")


def _policy(style: str, script: str) -> str:
    """Return a content security policy (W3C CSP level 3) that allows these two texts and nothing else."""

    def source(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; script-src {source(script)}; style-src {source(style)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _asset(name: str) -> str:
    return (files("bot.report") / "assets" / name).read_text(encoding="utf-8")
