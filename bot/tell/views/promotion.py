"""The pull request that carries a campaign's confirmed gains to its base branch: read in ten minutes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from bot.rules.aims import AIMS
from bot.rules.audits import BEFORE_PROMOTION, Lineage, audit_of
from bot.rules.campaign import Campaign
from bot.rules.decision import NULL_MERGES, Rule
from bot.rules.human import unread
from bot.rules.queue import coming_out
from bot.rules.self_reported import WORD
from bot.tell.document import (
    Document,
    Line,
    Paragraph,
    Part,
    bullets,
    code,
    cut,
    heading,
    linked,
    paragraph,
    say,
    small,
    table,
)
from bot.tell.document import told as plain
from bot.tell.figures.campaign import Figures
from bot.tell.figures.debt import minutes_of, size_words
from bot.tell.figures.promotion import PromotionFigures
from bot.tell.figures.rows import Row
from bot.tell.numbers import LEVEL, LEVEL_NOTE, NOTHING, count, decimals, memory, percent
from bot.tell.sentences import lineage_refused
from bot.tell.views.campaign import notes
from bot.tell.views.change import FileLines
from bot.tell.words import (
    confirmation_words,
    digits_of,
    effect_words,
    gain_amount,
    lines_words,
    told_scores,
)
from bot.tell.writers import markdown

_ROWS = 80  # changes in the table; each is at most 700 characters
_FILES = 30
_NAMED = 40  # experiments named in one line
_WARNINGS = 5


def promotion_title(figures: Figures, told: PromotionFigures) -> str:
    """Return `Nocturne: val_bpb 0.9970 → 0.9721, 5 confirmed changes`."""
    changes = changes_words(figures, told)
    ends = [end for end in told_scores(figures, told.told, told.before, told.after) if end != NOTHING]
    if told.gain is None and told.told is None:
        # Measured by different tests or machines: no two scores to lay side by side.
        ends = ends[-1:]
    return f"Nocturne: {markdown.title(figures.metric, 64)} {' → '.join(ends)}, {changes}"


def changes_words(figures: Figures, told: PromotionFigures) -> str:
    """Return how many changes there are and what they may be called: `confirmed` only if head and baseline, run side by
    side, show a gain. A score that candidates' code could write confirms nothing."""
    if figures.self_reported:
        return count(len(told.changes), f"{WORD} change")
    if told.is_confirmed:
        return count(len(told.changes), "confirmed change")
    return f"{count(len(told.changes), 'change')}, not confirmed"


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
    explained: int | None = None,
    audits: Lineage | None = None,
) -> Document:
    """Return the promotion's text: what is gained, change by change, what to ask, and how to take it.

    Every part is bounded, whatever its words are, but for the explanations: of the first `explained` changes.
    """
    return (
        *_stopped(audits),
        *_coming_out(campaign),
        *_headline(figures, told, base),
        *_audited(audits),
        *_changes(figures, told),
        *_explained(told.changes, {e.number for e in unread(campaign)}, explained),
        *_files(files),
        *_questions(figures, told, rule),
        *_how(base, branch, on_github=on_github),
        *small(LEVEL_NOTE),
    )


def _explained(changes: Sequence[Row], unread: Collection[int], most: int | None) -> Document:
    """Explain the first changes, in the order in which they landed."""
    if not changes:
        return ()
    minutes = count(sum(minutes_of(row) for row in changes), "minute")
    waiting = sum(row.number in unread for row in changes)
    note = (
        "Each of them was read by somebody before."
        if not waiting
        else "Nobody has read any of it yet."
        if waiting == len(changes)
        else f"{waiting} of them nobody has read yet."
    )
    shown = changes if most is None else changes[:most]
    left = count(len(changes) - len(shown), "more change")
    return (
        heading("What each change means, and what to ask"),
        paragraph("About {} to read. {}", minutes, note),
        *(block for row in shown for block in _change(row, is_unread=row.number in unread)),
        *((paragraph("{}: each is explained on its own pull request.", left),) if shown != changes else ()),
    )


def _change(row: Row, *, is_unread: bool) -> Document:
    said = row.explanation
    name, size = linked(row.number, row.url), f"({size_words(row)}{', not read yet' if is_unread else ''})"
    return (
        paragraph("**{}: {}** {}", name, cut(row.hypothesis, 140), size),
        *bullets(
            [
                say("What changes: {}", cut(said.changed, 300)),
                say("Why it may work: {}", cut(said.why, 400)),
                say("What it might break: {}", cut(said.risk, 300)),
                *(say("Ask: {}", cut(question, 200)) for question in said.questions),
            ]
        ),
    )


def _headline(figures: Figures, told: PromotionFigures, base: str) -> Document:
    first, last = told_scores(figures, told.told, told.before, told.after)
    said = paragraph(
        "**{} {} → {}** ({} is better): {}, out of {} of campaign {}. {} stays as it is until this is merged.",
        cut(figures.metric, 64), first, last, "lower" if figures.lower_is_better else "higher",
        changes_words(figures, told), count(sum(told.tried.values()), "measured experiment"), cut(figures.name, 80),
        code(base),
    )  # fmt: skip
    return (said, Paragraph(_gain(figures, told)), *notes(figures)[:_WARNINGS])


def _stopped(audits: Lineage | None) -> Document:
    """Say first of all that audits stop a promotion."""
    if audits is None or not audits.refused:
        return ()
    return (
        paragraph("**Don't merge this.** {}.", cut(lineage_refused(audits), 900)),
        paragraph(
            "Fewer than 1 of 10,000 honest campaigns is stopped like this. If you have read these changes and know"
            " better, merge by hand."
        ),
    )


def _coming_out(campaign: Campaign) -> Document:
    """Say which merges somebody wants taken out before this is merged."""
    numbers = coming_out(campaign)
    if not numbers:
        return ()
    named = ", ".join(map(str, numbers[:_NAMED]))
    return (
        paragraph("**Don't merge this yet.** To be taken out on a human's word, and still in it: {}.", named),
    )


def _audited(audits: Lineage | None) -> Document:
    """Say what the head's audit before the promotion found, and what all audits of its lineage say together."""
    if audits is None or audits.refused:
        return ()
    head = audit_of(audits.head) if audits.head is not None else None
    if head is None or audits.pooled is None:
        said = say(
            "**The head is not audited yet** at {} times the usual number of positions: its next run is.",
            BEFORE_PROMOTION,
        )
        return (Paragraph(said),)
    upper, whole = (decimals(value, 5) for value in (head.upper, audits.pooled.upper))
    return (
        paragraph(
            "**The head was asked again at {} positions**, {} times as many as in a usual run, without what comes after"
            " them: at most {} bits per byte of its score come from looking ahead (99 %). All {} of its lineage"
            " together, at {} positions: at most {}.",
            f"{head.probes:,}", head.factor, upper, count(audits.pooled.audits, "audit"),
            f"{audits.pooled.probes:,}", whole,
        ),
    )  # fmt: skip


def _gain(figures: Figures, told: PromotionFigures) -> Line:
    known = told.told
    if known is None:
        return say(
            "What they gained together can't be said: not all of it was measured on one kind of machine, by one"
            " test."
        )
    amount, (before, after) = gain_amount(figures, known), known.runs
    if told.confirmation is not None:
        said = confirmation_words(figures, told.confirmation)
        return say("**{}**", said) if told.is_confirmed else say("**Not confirmed.** {}", said)
    command = code("nocturne confirm")
    lacking = (
        say("Head and baseline were not run side by side since the last merge: {} does it.", command)
        if figures.self_reported
        else say(
            "**Not confirmed yet:** head and baseline were not run side by side since the last merge. {} does it.",
            command,
        )
    )
    if known.how == "picked":
        return say(
            "**The gain is not corrected for bias yet**: not all of it was measured again since it won. By the runs"
            " that picked the winners, which flatter, it is {} ({}+{} runs, {} interval). {}",
            amount, before, after, LEVEL, lacking,
        )  # fmt: skip
    return say(
        "**Gain, corrected for bias: {}**, on {}+{} runs that picked nothing ({} interval). {}",
        amount, before, after, LEVEL, lacking,
    )  # fmt: skip


def _changes(figures: Figures, told: PromotionFigures) -> Document:
    heads = ("experiment", "hypothesis", "effect", "runs", "lines", "commit")
    rows = [_row(row, figures.digits) for row in told.changes[-_ROWS:]]
    said = []
    if len(told.changes) > _ROWS:
        earlier = count(len(told.changes) - _ROWS, "earlier change")
        said.append(f"{earlier} not listed: `git log` has them all.")
    if told.undone:
        named = ", ".join(str(number) for number in told.undone[:_NAMED])
        more = f" and {len(told.undone) - _NAMED} more" if len(told.undone) > _NAMED else ""
        said.append(f"Merged and taken out again, so not counted: {named}{more}.")
    return (
        heading("What changed, one by one"),
        table(heads, rows, "n-nnn-"),
        *((paragraph(" ".join(said)),) if said else ()),
    )


def _row(row: Row, digits: int) -> list[Part]:
    return [
        linked(row.number, row.url), cut(row.hypothesis, 140), effect_words(row, digits),
        f"{row.candidate_runs}+{row.incumbent_runs}", lines_words(row), code((row.commit or "")[:7]),
    ]  # fmt: skip


def _files(files: Sequence[FileLines]) -> Document:
    added, removed = sum(file.added for file in files), sum(file.removed for file in files)
    lines = [say("{}: {}", code(file.path), f"+{file.added:,} −{file.removed:,}") for file in files[:_FILES]]
    if len(files) > _FILES:
        lines.append(say("and {}", count(len(files) - _FILES, "more file")))
    total = f"{count(len(files), 'file')} changed, {count(added, 'line')} added, {removed:,} removed."
    return (heading("All together"), paragraph(total), *bullets(lines))


def _questions(figures: Figures, told: PromotionFigures, rule: Rule) -> Document:
    asked: list[Part] = [
        "Would you make each of these changes without the score? One whose reason you don't see may fit this short"
        " budget, this data or this kind of machine only."
    ]
    largest = max(told.changes, key=lambda row: abs(row.effect or 0.0), default=None)
    if largest is not None and largest.effect is not None and len(told.changes) > 1:
        effect = effect_words(largest, figures.digits)
        asked.append(
            f"Experiment {largest.number} has the largest effect ({effect}): is it the one you would expect?"
        )
    single = [abs(row.effect) for row in told.changes if row.effect is not None]
    if told.told is not None and len(single) > 1:
        apart_more = sum(single) > told.told.value
        digits = digits_of(figures, told.told)
        apart, together = (decimals(value, digits) for value in (sum(single), told.told.value))
        why = (
            "the difference is what picking and overlap pretend"
            if apart_more
            else "so nothing is lost together"
        )
        asked.append(f"One by one the effects add up to {apart}, together they are {together}: {why}.")
    if told.tried:
        asked.append(plain(_by_chance(told.tried, rule)))
    before, after = told.memory_mb
    if before and after and memory(before) != memory(after):
        asked.append(
            f"Peak memory went from {memory(before)} to {memory(after)}: is that all right where you train?"
        )
    asked.append("Does a longer training, at the length that you care for, keep the gain?")
    return (heading("Before you merge"), *bullets(asked))


def _how(base: str, branch: str, *, on_github: bool) -> Document:
    call = say("the comment `/nocturne promote`") if on_github else say("`nocturne promote`")
    revert = say("`/nocturne revert` on its own pull request" if on_github else "`nocturne revert NUMBER`")
    return (
        heading("How to take it"),
        paragraph(
            "Best by a merge commit: it keeps the commits that were measured. Squash and rebase do no harm: the"
            " campaign takes {} in by itself and goes on from there, as it does when you push to {} otherwise. Each"
            " change can be taken out before, by {}.",
            code(base), code(base), revert,
        ),
        paragraph(
            "This pull request is kept up to date while {} goes on. Close it to turn the gains down; {} opens"
            " another.",
            code(branch), call,
        ),
    )  # fmt: skip


def _by_chance(tried: Mapping[str, int], rule: Rule) -> str:
    """Return how many would have merged by chance: under each aim those that were decided under it."""
    rates = {aim: NULL_MERGES[aim] for aim in AIMS}
    known = Counter({aim: tried.get(aim, 0) for aim in AIMS}) + Counter({rule.aim: tried.get("", 0)})
    whole, chance = sum(known.values()), sum(rates[aim] * number for aim, number in known.items())
    rules = " and ".join(
        f"`{aim}` ({percent(rates[aim], 1)} of what changes nothing merges)" for aim in known
    )
    about = "hardly one" if chance < 0.1 else f"about {chance:.1f}"
    was = "was" if whole == 1 else "were"
    return (
        f"{count(whole, 'experiment')} {was} measured by the rule {rules}. If none were any better, chance alone would"
        f" have merged {about} of them."
    )
