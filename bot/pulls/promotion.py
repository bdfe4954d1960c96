"""The pull request that carries a campaign's confirmed gains to its base branch: read in ten minutes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bot.forge import BODY_LIMIT, cut
from bot.pulls import safe
from bot.pulls.change import FileLines
from bot.report.debt import minutes_of, size_words
from bot.report.figures import Figures
from bot.report.formats import count, score, with_margin
from bot.report.gains import GAIN_CONFIDENCE, Gain
from bot.report.promotion import PromotionFigures
from bot.report.rows import Row
from bot.report.words import lines_words, warnings
from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.rules.exactness import REPEATED
from bot.rules.self_reported import WORD
from bot.rules.unreviewed import unread
from bot.text import web_address

_ROWS = 80  # changes in the table; each is at most 700 characters
_FILES = 30
_NAMED = 40  # experiments named in one line
_WARNINGS = 5
_SPARE = 1_000  # characters


def promotion_title(figures: Figures, told: PromotionFigures) -> str:
    """Return `Nocturne: val_bpb 0.9970 → 0.9721, 5 confirmed changes`."""
    changes = count(len(told.changes), f"{trust(figures)} change")
    ends = [score(end.score, figures.digits) for end in (told.before, told.after) if end.score is not None]
    if told.gain is None:  # measured by different tests or machines: no two scores to lay side by side
        ends = ends[-1:]
    return f"Nocturne: {safe.title(figures.metric, 64)} {' → '.join(ends)}, {changes}"


def trust(figures: Figures) -> str:
    """Return what a change of the campaign may be called: a score that its own code could write confirms nothing."""
    return WORD if figures.self_reported else "confirmed"


def promotion_body(
    campaign: Campaign,
    figures: Figures,
    told: PromotionFigures,
    files: Sequence[FileLines],
    *,
    rule: Rule,
    base: str,
    branch: str,
    on_github: bool,
) -> str:
    """Return the promotion's text: what is gained, change by change, what to ask, and how to take it.

    Every part is bounded, whatever its words are, so that the whole stays below `BODY_LIMIT`.
    """
    sections = [
        _headline(figures, told, base),
        _changes(figures, told),
        _files(files),
        _questions(figures, told, rule),
        _how(base, branch, on_github=on_github),
    ]
    room = BODY_LIMIT - sum(len(line) + 1 for lines in sections for line in lines) - _SPARE
    sections.insert(2, _explained(told.changes, {e.number for e in unread(campaign)}, room))
    return cut("\n\n".join("\n".join(lines) for lines in sections if lines) + "\n", BODY_LIMIT)


def _explained(changes: Sequence[Row], unread: Collection[int], room: int) -> list[str]:
    """Explain change by change, in the order in which they landed, as far as `room` characters go."""
    minutes = count(sum(minutes_of(row) for row in changes), "minute")
    waiting = sum(row.number in unread for row in changes)
    note = (
        f"{waiting} of them nobody has read yet." if waiting else "Each of them was read by somebody before."
    )
    lines = ["### What each change means, and what to ask", "", f"About {minutes} to read. {note}"]
    for place, row in enumerate(changes):
        block = _block(row, is_unread=row.number in unread)
        room -= sum(len(line) + 1 for line in block)
        if room < 0:
            more = count(len(changes) - place, "more change")
            return [*lines, "", f"{more}: each is explained on its own pull request."]
        lines += block
    return lines if changes else []


def _block(row: Row, *, is_unread: bool) -> list[str]:
    said = row.explanation
    state = ", not read yet" if is_unread else ""
    return [
        "",
        f"**{_name(row)}: {safe.prose(row.hypothesis, 140)}** ({size_words(row)}{state})",
        "",
        f"- What changes: {safe.prose(said.changed, 300)}",
        f"- Why it may work: {safe.prose(said.why, 400)}",
        f"- What it might break: {safe.prose(said.risk, 300)}",
        *(f"- Ask: {safe.prose(question, 200)}" for question in said.questions),
    ]


def _name(row: Row) -> str:
    """Return the experiment's number, linked to its pull request."""
    url = web_address(row.url)
    return f"[{row.number}]({url})" if url else str(row.number)


def _headline(figures: Figures, told: PromotionFigures, base: str) -> list[str]:
    first, last = (score(end.score, figures.digits) for end in (told.before, told.after))
    metric, way = safe.prose(figures.metric, 64), "lower" if figures.lower_is_better else "higher"
    changes = count(len(told.changes), f"{trust(figures)} change")
    lines = [
        f"**{metric} {first} → {last}** ({way} is better), from {changes} out of"
        f" {count(told.tried, 'experiment')} of campaign {safe.prose(figures.name, 80)}."
        f" {safe.code(base)} stays as it is until this is merged.",
        "",
        _gain(figures, told),
    ]
    lines += [
        line
        for text in warnings(figures)[:_WARNINGS]
        for line in ("", f"> **Note:** {safe.prose(text, 400)}")
    ]
    return lines


def _gain(figures: Figures, told: PromotionFigures) -> str:
    if told.gain is None:
        return (
            "What they gained together can't be said: not all of it was measured on one kind of machine, by one"
            " test."
        )
    picked = (
        f"On all runs it is {_amount(told.gain, figures)}"
        f" ({told.gain.baseline_runs}+{told.gain.incumbent_runs} runs), which flatters: winners are picked by them."
    )
    if told.corrected is None:
        return (
            "**The gain is not corrected for bias yet**: not all of it was measured again since it won."
            f" {picked}"
        )
    return (
        f"**Gain, corrected for bias: {_amount(told.corrected, figures)}**"
        f", on {told.corrected.baseline_runs}+{told.corrected.incumbent_runs} runs"
        f" that picked nothing (one-sided {GAIN_CONFIDENCE:.0%} margin). {picked}"
    )


def _amount(gain: Gain, figures: Figures) -> str:
    word, digits = "better" if gain.value >= 0 else "worse", figures.digits
    margin = "" if gain.half_width is None else f" ± {gain.half_width:.{digits}f}"
    if margin and figures.noise.sigma == 0:
        margin = f" {REPEATED}"
    return f"{word} by {abs(gain.value):.{digits}f}{margin}"


def _changes(figures: Figures, told: PromotionFigures) -> list[str]:
    lines = [
        "### What changed, one by one", "",
        "| experiment | hypothesis | effect | runs | lines | commit |",
        "| ---: | --- | ---: | ---: | ---: | --- |",
    ]  # fmt: skip
    lines += [_row(row, figures.digits) for row in told.changes[-_ROWS:]]
    notes = []
    if len(told.changes) > _ROWS:
        notes.append(
            f"{count(len(told.changes) - _ROWS, 'earlier change')} not listed: `git log` has them all."
        )
    if told.undone:
        named = ", ".join(str(number) for number in told.undone[:_NAMED])
        more = f" and {len(told.undone) - _NAMED} more" if len(told.undone) > _NAMED else ""
        notes.append(f"Merged and taken out again, so not counted: {named}{more}.")
    return [*lines, "", " ".join(notes)] if notes else lines


def _row(row: Row, digits: int) -> str:
    cells = [
        _name(row), safe.prose(row.hypothesis, 140), with_margin(row.effect, row.half_width, digits),
        f"{row.candidate_runs}+{row.incumbent_runs}", lines_words(row), f"`{(row.commit or '')[:7]}`",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _files(files: Sequence[FileLines]) -> list[str]:
    added, removed = sum(file.added for file in files), sum(file.removed for file in files)
    lines = [
        "### All together", "",
        f"{count(len(files), 'file')} changed, {count(added, 'line')} added, {removed:,} removed.", "",
    ]  # fmt: skip
    lines += [f"- {safe.code(file.path)}: +{file.added:,} −{file.removed:,}" for file in files[:_FILES]]
    return [*lines, f"- and {count(len(files) - _FILES, 'more file')}"] if len(files) > _FILES else lines


def _questions(figures: Figures, told: PromotionFigures, rule: Rule) -> list[str]:
    lines = ["### Before you merge", ""]
    lines.append(
        "- Would you make each of these changes without the score? One whose reason you don't see may fit this"
        " short budget, this data or this kind of machine only."
    )
    largest = max(told.changes, key=lambda row: abs(row.effect or 0.0), default=None)
    if largest is not None and largest.effect is not None and len(told.changes) > 1:
        lines.append(
            f"- Experiment {largest.number} has the largest effect"
            f" ({with_margin(largest.effect, largest.half_width, figures.digits)}): is it the one you would expect?"
        )
    single = [abs(row.effect) for row in told.changes if row.effect is not None]
    known = told.gain if told.corrected is None else told.corrected
    if known is not None and len(single) > 1:
        lines.append(
            f"- One by one the effects add up to {sum(single):.{figures.digits}f}, together they are"
            f" {known.value:.{figures.digits}f}: the difference is what picking and overlap pretend."
        )
    if told.tried:
        chance = (1 - rule.confidence) * told.tried
        lines.append(
            f"- {count(told.tried, 'experiment')} were measured at {rule.confidence:.0%} confidence. Were none of them"
            f" any better, chance alone would have merged about {chance:.1f}."
        )
    before, after = told.memory_mb
    if before and after:
        lines.append(
            f"- Peak memory went from {before:,.0f} to {after:,.0f} MiB: is that all right where you train?"
        )
    lines.append("- Does a longer training, at the length that you care for, keep the gain?")
    return lines


def _how(base: str, branch: str, *, on_github: bool) -> list[str]:
    call = "the comment `/nocturne promote`" if on_github else "`nocturne promote`"
    return [
        "### How to take it", "",
        f"Best by a merge commit: it keeps the commits that were measured. Squash and rebase do no harm: the"
        f" campaign takes {safe.code(base)} in by itself and goes on from there. It also does when you push to"
        f" {safe.code(base)} otherwise. Each change can be taken out before, by `revert` on its own pull request.",
        "",
        f"This pull request is kept up to date while {safe.code(branch)} goes on. Close it to turn the gains down;"
        f" {call} opens another.",
    ]  # fmt: skip
