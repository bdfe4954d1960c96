"""The sentences and labels that every rendering of a campaign shares. Plain text, not escaped yet."""

from __future__ import annotations

from collections.abc import Mapping

from bot.base.text import one_line
from bot.rules.ahead import Record
from bot.rules.campaign import Campaign
from bot.rules.confirming import CONFIDENCE, Confirmation
from bot.rules.events import MergeDoubted
from bot.rules.night import Use
from bot.rules.rung_record import RungRecord
from bot.rules.self_reported import WORD
from bot.rules.shares import run_words
from bot.tell.figures.campaign import Figures
from bot.tell.figures.debt import debt_words
from bot.tell.figures.gains import Measured, Told, told_of
from bot.tell.figures.rows import Row
from bot.tell.numbers import (
    LEVEL,
    LEVEL_NOTE,
    NOTHING,
    clock,
    count,
    decimals,
    device_hours,
    duration,
    margin,
    memory,
    moment,
    money,
    percent,
    places,
)
from bot.tell.sentences import ENOUGH_CUTS

NOT_MEASURED = "not measured yet"


def title(figures: Figures) -> str:
    """Return the campaign's name, or a word in its place before it has one."""
    return figures.name or "campaign"


def where_words(figures: Figures) -> str:
    """Return in which repository, on which machine, and from when to when the campaign went."""
    begun, ended = moment(figures.started_at), moment(figures.last_at)
    dates = begun if begun == ended else f"{begun.removesuffix(' UTC')} to {ended}"
    return " · ".join(filter(None, (figures.repository, one_line(figures.noise.runner, 80), dates)))


def state_words(figures: Figures) -> str:
    """Return the state, and for a stop its reason: `stopped (plateau): 12 experiments without ...`."""
    if figures.stop_reason is None or figures.stop_reason == figures.state:
        return f"{figures.state}: {figures.stop_detail}" if figures.stop_detail else figures.state
    words = f"{figures.state} ({figures.stop_reason})"
    return f"{words}: {figures.stop_detail}" if figures.stop_detail else words


def digits_of(figures: Figures, told: Told | None) -> int:
    """Return how many decimals a gain and its two scores deserve: as many as its margin bears."""
    return places(told.half_width) if told is not None and told.half_width else figures.digits


def score_words(figures: Figures) -> tuple[str, str]:
    """Return as text from which score to which the campaign has come: the two that its gain is the difference of."""
    return told_scores(figures, figures.told, figures.baseline, figures.incumbent)


def way_words(figures: Figures) -> str:
    """Return the metric and from which score to which it has come: `val_bpb 0.9979 → 0.9903`; one score while it has
    not moved, the metric alone before anything is measured."""
    first, last = score_words(figures)
    if first == last:
        return figures.metric if first == NOTHING else f"{figures.metric} {first}"
    return f"{figures.metric} {first} → {last}"


def told_scores(
    figures: Figures, told: Told | None, before: Measured | None, after: Measured | None
) -> tuple[str, str]:
    """Return the two scores of a gain as text; without one those of the two commits."""
    ends = (told.first, told.last) if told else tuple(end.score if end else None for end in (before, after))
    first, last = (decimals(end, digits_of(figures, told)) for end in ends)
    return first, last


def gain_words(figures: Figures) -> str:
    """Return the gain as everything tells it, and by which runs:
    `better by 0.0074 ± 0.0010 (side by side, 3 new seeds each: confirmed)`."""
    told = figures.told
    if figures.baseline is None or figures.baseline.score is None:
        return NOT_MEASURED
    if figures.incumbent is not None and figures.incumbent.commit == figures.baseline.commit:
        return "no improvement yet"
    if told is None:
        if figures.gain is not None:
            return "no improvement yet"
        return "not comparable: measured on different machines, or by different tests"
    return f"{gain_amount(figures, told)} ({_by_which_runs(figures, told)})"


def _by_which_runs(figures: Figures, told: Told) -> str:
    found = figures.confirmation
    if told.how == "beside" and found is not None:
        sure = "confirmed" if found.holds and found.is_whole else "not confirmed"
        said = f"side by side, {count(told.runs[1], 'new seed')} each"
        return f"{said}: {WORD if figures.self_reported else sure}"
    more = f"; {WORD}" if figures.self_reported else ""
    if told.how == "fresh":
        return f"bias-corrected: {count(told.runs[1], 'run')} made after all merges{more}"
    return f"by the runs that picked the winners, which flatter; not measured anew yet{more}"


def gain_amount(figures: Figures, told: Told) -> str:
    """Return a gain with its margin: `better by 0.0074 ± 0.0010`."""
    word = "better" if told.value >= 0 else "worse"
    return f"{word} by {margin(abs(told.value), told.half_width, digits_of(figures, told), '')}"


def gain_note(figures: Figures) -> str:
    """Return what the gain and its two scores are made of, empty if there is none."""
    told = figures.told
    if told is None:
        return ""
    if told.how == "beside":
        said = f"The two scores are means of {count(told.runs[0], 'new seed')} each."
    else:
        made = "made after all merges" if told.how == "fresh" else "by which it was picked"
        said = (
            f"The two scores are means of {count(told.runs[0], 'run')} of the baseline and"
            f" {count(told.runs[1], 'run')} of the incumbent {made}."
        )
    if figures.taken_in:
        said += (
            f" The base branch was taken in {count(figures.taken_in, 'time')} meanwhile: what it brought lies between"
            " them, and is not counted as a gain."
        )
    return said


def level_note(figures: Figures) -> str:
    """Return what `±` stands for, empty if there is none."""
    told = figures.told is not None and bool(figures.told.half_width)
    return LEVEL_NOTE if told or any(row.half_width for row in figures.rows) else ""


def effect_words(row: Row, digits: int) -> str:
    """Return the effect of an experiment with its margin; `digits` are the campaign's, for one without any."""
    return margin(row.effect, row.half_width, row.digits or digits)


def row_score(row: Row, digits: int) -> str:
    """Return the score of an experiment, with as many decimals as its effect."""
    return decimals(row.score, row.digits or digits)


def device_words(figures: Figures) -> str:
    """Return what hours of the training device are called: `GPU-hours`."""
    return f"{figures.device}-hours"


def facts(figures: Figures) -> list[tuple[str, str]]:
    """Return the headline's figures as label and value."""
    experiments = f"{figures.total:,}" + (f" ({figures.open} open)" if figures.open else "")
    return [
        ("Experiments", experiments),
        ("Merged", f"{figures.landed:,}"),
        ("Crashed", f"{figures.verdicts['crashed']:,}"),
        ("Runs", f"{figures.runs:,}" + (f" ({figures.failed_runs} failed)" if figures.failed_runs else "")),
        (device_words(figures), device_hours(figures.gpu_seconds)),
        *([("Busy", use_words(figures.use))] if figures.use is not None else []),
        *([("Prepared ahead", ahead_words(figures.ahead))] if figures.ahead.prepared else []),
        ("Spent on agents", money(figures.cost_usd)),
        ("Noise (sigma)", noise_words(figures)),
        *((f"{_rung(each.share)} runs", rung_words(each)) for each in figures.rungs),
        *([("Cuts", cut_words(figures.cut))] if figures.cut else []),
        ("Unread", debt_words(figures.debt)),
    ]


def use_words(use: Use) -> str:
    """Return what share of the time something ran, and why nothing ran in the rest."""

    def shares(*parts: tuple[float, str]) -> str:
        return ", ".join(
            f"{percent(part / use.wall)} {what}" for part, what in parts if part >= use.wall / 200
        )

    said = f"{percent(use.running / use.wall)} of {duration(use.wall)}"
    beside = shares((use.running - use.useful, "for runs beside the verdicts"))
    idle = shares(
        (use.prepared, "until the next experiment was ready"),
        (use.late, "until other work was done"),
        (use.between, "from one run to the next"),
    )
    return said + (f" ({beside})" if beside else "") + (f"; idle {idle}" if idle else "")


def ahead_words(record: Record) -> str:
    """Return what became of the experiments that were prepared while another trained."""
    said = f"{record.prepared:,}: {record.trained:,} trained"
    said += f" ({record.carried:,} carried over to a newer incumbent)" if record.carried else ""
    return f"{said}, {record.dropped:,} dropped ({money(record.dropped_usd)})" if record.dropped else said


def _rung(share: float) -> str:
    return run_words(share).removesuffix(" run").capitalize()


def rung_words(record: RungRecord) -> str:
    """Return what came of the runs with a share of the budget, in few words: how many experiments they ended, how they
    agree in rank with whole runs, and how many winners they may have cost."""
    said = f"{record.given_up:,} of {record.tried:,} given up"
    if record.agreement is not None:
        said += f"; rank agreement {decimals(record.agreement, 2)}"
    if not record.pays:
        said += "; costs more than it saves, so `rungs: auto` ends it"
    if record.distrusted:
        said += f"; misleads for {', '.join(record.distrusted)}"
    if not record.given_up:
        return said
    if record.lost is None:
        return f"{said}; none ran in full to check yet"
    return f"{said}; lost about {record.lost:.2g} winners (at most {record.lost_at_most:.2g})"


def cut_words(cut: Mapping[str, float]) -> str:
    """Return how many targets are kept from all runs, and what cheat they catch, in few words."""
    cuts, caught = int(cut["cuts"]), cut.get("cuts_caught_bpb")
    if not cuts:
        return "none (`nocturne doctor` says why)"
    refuse = "refuse" if cuts >= ENOUGH_CUTS else "too few to refuse"
    return f"{cuts:,} targets that no run is shown, {refuse} a cheat" + (
        "" if caught is None else f" of {caught:.2g}"
    )


def noise_words(figures: Figures) -> str:
    """Return the noise of one run and what it was learned from."""
    noise = figures.noise
    if noise.sigma is None:
        return "unknown"
    if noise.sigma == 0:
        return f"none, repeats exactly ({count(noise.runs, 'run')})"
    return f"{noise.sigma:.2g} ({count(noise.runs, 'run') if noise.runs else 'assumed'})"


def rejections_note(figures: Figures) -> str:
    """Return how rejections by the reviewing model fared if they were trained once; empty if none was."""
    seen = figures.rejections
    if not seen.trained:
        return ""
    words = {
        "better": "would have been better",
        "worse": "would have been worse",
        "unclear": "could not be told from the incumbent",
        "crashed": "would have crashed",
        "refused": "would have been refused by the evaluator",
    }
    said = [f"{times} {words[outcome]}" for outcome, times in seen.outcomes if times]
    return (
        f"Of {count(seen.rejected, 'proposal')} that the reviewer rejected {seen.trained} {_was(seen.trained)} trained"
        f" once all the same: {', '.join(said)}."
    )


def _was(times: int) -> str:
    return "was" if times == 1 else "were"


def lines_words(row: Row) -> str:
    """Return the size of a change, such as `+3 −2`."""
    return "" if row.added is None or row.removed is None else f"+{row.added} \u2212{row.removed}"


def memory_words(row: Row) -> str:
    """Return the peak memory of an experiment's runs."""
    return "" if row.memory_mb is None else memory(row.memory_mb)


def time_words(row: Row) -> str:
    """Return the time of an experiment's runs."""
    return clock(row.seconds) if row.runs else ""


def confirmation_words(figures: Figures, found: Confirmation) -> str:
    """Return in a sentence what head and baseline showed side by side, and whether that confirms the gain; by
    self-reported scores nothing is confirmed."""
    told = told_of(None, None, found, found.baseline)
    assert told is not None
    seeds = count(len(found.pairs), "new seed")
    said = f"Run side by side with {seeds} each, the head is {gain_amount(figures, told)} than the baseline"
    said += f" ({LEVEL} interval)" if found.half_width else ""
    if figures.self_reported:
        return f"{said}: {WORD}, by code that candidates may change."
    if not found.is_whole:
        return f"{said}: one pair of runs confirms nothing."
    sure = f"with {100 * CONFIDENCE:.0f} % confidence"
    if not found.holds:
        return f"{said}: that is not beyond the noise."
    least = decimals(found.least, digits_of(figures, told))
    return f"{said}: the gain is confirmed" + (f", at least {least} {sure}." if found.half_width else ".")


def doubt_words(campaign: Campaign, doubt: MergeDoubted) -> str:
    """Return what was claimed for a merge, and what it was worth when it was measured side by side."""
    digits = places(abs(doubt.claimed - doubt.worth) or 1.0)
    claimed, worth = (decimals(value, digits) for value in (doubt.claimed, doubt.worth))
    return f"a gain of {claimed} {campaign.metric} was measured when it was merged, {worth} side by side"
