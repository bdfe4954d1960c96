"""One figure, one meaning: three recorded campaigns told everywhere, and every figure read back out of each text."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import pytest

from bot.config import NotifySettings, Stop
from bot.rules import events as ev
from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.tell.figures.campaign import Figures, figures
from bot.tell.figures.period import period
from bot.tell.figures.plain import experiment_json, status_json
from bot.tell.figures.promotion import promotion_figures
from bot.tell.page import report_html
from bot.tell.sentences import effect_line
from bot.tell.views.comparison import comparison
from bot.tell.views.morning import morning_message
from bot.tell.views.news import night_message, noteworthy
from bot.tell.views.promotion import promotion_title
from bot.tell.views.watch import watching
from bot.tell.views.whole import whole
from tests.bot.campaigns import NOW, SIGMA, Night, commit_of, night_of
from tests.bot.telling import (
    blocks,
    closing_comment,
    promotion_body,
    pull_body,
    report_markdown,
    screen,
    standing,
    status_text,
    table_text,
)
from tests.bot.test_confirming import played

FIGURE = re.compile(r"([-+\u2212]?\d[\d.]*) (?:±|\+/-) (\d[\d.]*)")
LEVEL = "90 %"
# Losses of a training at moments of it: a drawing, and the lines of a table.
CURVE = re.compile(r"```mermaid[^`]*```|^ +\d+( +\d+\.\d{3,}){2} +[-+\u2212]?\d+\.\d{3,} *$", re.MULTILINE)
WIDE = 400  # columns of a terminal that cuts nothing
SCORE = re.compile(r"(?<![\w.:/#-])\d+\.\d{3,}(?![\w.]*\d)")


def drifting() -> Night:
    """Machines that get worse by half a sigma with each run; no gain is measured anew since the last merge."""
    night = Night()
    night.baseline(2)
    for number, verdict in enumerate(("improved", "discarded", "inconclusive", "improved"), 1):
        for commit in night.level:
            night.level[commit] += SIGMA / 2
        night.experiment(number, verdict, f"Try {number}")  # type: ignore[arg-type]
    del night.recorded[-1]
    return night


def with_held() -> Night:
    """A merge that nobody has read, another one that is held for that, and a head that was run beside its baseline."""
    night = Night()
    night.baseline(3)
    night.experiment(1, "improved", "Warm up")
    played(night, 3, gain=0.0123)
    number, commit = 2, commit_of("experiment 2 'Cool down'")
    night.experiment(number, "improved", "Cool down", finish=False)
    level = night.level[night.incumbent]
    night.add(
        ev.ExperimentDecided(
            number, 1, "improved", True, -0.00214, 0.00093, SIGMA, level - 0.00214, level, 2, 3, "it is",
            "Cool down helps",
        )
    )  # fmt: skip
    night.add(ev.LandingHeld(number, 1, 1, 1))
    assert night.campaign().experiments[number].commit == commit
    return night


def maximised() -> Night:
    return night_of(20, hostile=False, direction="maximize")


NIGHTS = {"drifting": drifting, "held": with_held, "maximised": maximised}


@dataclass(frozen=True)
class Everything:
    campaign: Campaign
    known: Figures
    texts: Mapping[str, str]
    commit_lines: list[str]


@pytest.fixture(scope="module", params=NIGHTS)
def everything(request: pytest.FixtureRequest) -> Everything:
    campaign = NIGHTS[request.param]().campaign()
    known = figures(campaign, now=NOW, prior_sigma=SIGMA, max_unread=1)
    before = figures(Campaign(), now=NOW)
    promotion = promotion_figures(campaign, known, 0, set(campaign.incumbents))
    message = morning_message("2026-03-09", known, period(before, known, NOW.isoformat()), Stop())
    pulls = {
        f"pull request {e.number}": pull_body(campaign, e, "", rule=Rule()) + closing_comment(campaign, e)
        for e in campaign.experiments.values()
        if e.decision is not None and e.candidate is not None
    }
    shown = {
        f"show {e.number}": screen(
            whole(campaign, e, "", into="nocturne/main", rule=Rule(), on_github=True), WIDE
        )
        for e in campaign.experiments.values()
    }
    rows = [row for row in known.rows if row.commit]
    compared = {
        f"diff {one.number} {other.number}": screen(comparison(known, one, other, ""), WIDE)
        for one, other in pairwise(rows)
    }
    due = noteworthy(campaign, known, NotifySettings(new_best=0.0), Stop(), now=NOW)
    decided = [e.decision for e in campaign.experiments.values() if e.decision is not None]
    body = promotion_body(
        campaign, known, promotion, [], rule=Rule(), base="main", branch="nocturne/main", on_github=True
    )
    return Everything(
        campaign,
        known,
        {
            "message": html.unescape(json.dumps(blocks(message), ensure_ascii=False)),
            "night": html.unescape(
                json.dumps(blocks(night_message("n", "2026-03-08", known, due)), ensure_ascii=False)
            ),
            "page": page_words(report_html(known)),
            "dashboard": report_markdown(known),
            "comment": standing(known),
            "terminal": status_text(known, WIDE) + table_text(known),
            "watch": screen(watching(known, title=None, width=WIDE), WIDE),
            "diff": screen(comparison(known, None, rows[-1], ""), WIDE),
            "promotion": promotion_title(known, promotion) + body,
            **pulls,
            **shown,
            **compared,
        },
        [line for decision in decided if (line := effect_line(campaign, decision))],
    )


def test_no_margin_stands_without_its_level_and_no_sign_is_another(everything: Everything) -> None:
    for name, text in everything.texts.items():
        assert "+/-" not in text, name
        if FIGURE.search(text):
            assert LEVEL in text, name
    for line in everything.commit_lines:
        assert LEVEL in line and "-" not in line.partition(",")[2]


def test_every_margin_is_one_that_json_has_with_its_own_digits(everything: Everything) -> None:
    told = status_json(everything.known)["told"]
    rows = [experiment_json(row) for row in everything.known.rows]
    exact = {(row["effect"], row["half_width"]) for row in rows if row["half_width"]}
    exact |= {(told["value"], told["half_width"])} if told else set()
    assert exact
    written = {spelled(*pair) for pair in exact}
    seen = set()
    for name, text in {**everything.texts, "lines": "\n".join(everything.commit_lines)}.items():
        for value, half in FIGURE.findall(text):
            assert (bare(value), half) in written, (name, value, half)
            seen.add((bare(value), half))
    assert seen == written, "each is told somewhere"


def test_every_score_is_the_rounding_of_one_that_json_has(everything: Everything) -> None:
    """Whatever has three decimals or more, anywhere: a score, an effect, an end of an interval, the noise."""
    known = everything.known
    told = status_json(known)
    rows = [experiment_json(row) for row in known.rows]
    exact = {told["noise"]["sigma"], *(told[name]["score"] for name in ("baseline", "incumbent", "best"))}
    for gain in filter(None, (told["told"], told["gain"], told["corrected_gain"], told["confirmation"])):
        exact |= {value for value in gain.values() if isinstance(value, float)}
        exact |= {value for name in ("baseline", "head") for value in gain.get(name, ())}
    for row in rows:
        exact |= {row["score"], row["against"], row["effect"], row["half_width"]}
        if row["half_width"]:
            exact |= {row["effect"] - row["half_width"], row["effect"] + row["half_width"]}
        exact |= {line["score"] for line in row["run_lines"]}
    exact |= {run.score for run in everything.campaign.runs.values()}
    exact.add(sum(row["effect"] for row in rows if row["landed"]))  # as the promotion adds them up
    values = [abs(value) for value in exact if value is not None]
    for name, text in {**everything.texts, "lines": "\n".join(everything.commit_lines)}.items():
        found = SCORE.findall(CURVE.sub("", text))
        for figure in found:
            digits = len(figure.partition(".")[2])
            assert any(f"{value:.{digits}f}" == figure for value in values), (name, figure)
        assert found or name.startswith(("pull", "show", "diff", "night")), name


def test_the_gain_is_the_difference_of_the_two_scores_everywhere(everything: Everything) -> None:
    told = everything.known.told
    assert told is not None and told.value > 0
    sign = 1 if everything.known.lower_is_better else -1
    assert sign * (told.first - told.last) == pytest.approx(told.value)
    digits = len(spelled(told.value, told.half_width or 0.0)[0].partition(".")[2])
    first, last = (f"{end:.{digits}f}" for end in (told.first, told.last))
    amount = f"better by {told.value:.{digits}f} ± "
    for name in ("message", "night", "dashboard", "comment", "terminal", "watch", "promotion"):
        plain = re.sub(r"[\\*]", "", everything.texts[name])
        assert f"{first} → {last}" in plain and amount in plain, name
    page = everything.texts["page"]
    assert f">{first}<" in page and f">{last}<" in page and amount in page
    flatters = told.how == "picked"
    for text in everything.texts.values():
        assert flatters or "flatter" not in text


def test_what_the_merges_and_the_device_are_called(everything: Everything) -> None:
    unread = everything.known.debt.merges
    assert unread == sum(row.landed for row in everything.known.rows)
    for name in ("message", "page", "dashboard", "terminal"):
        assert f"{unread} merge" in everything.texts[name] and "GPU-hours" in everything.texts[name], name
        assert f"{unread} of " not in everything.texts[name].partition("Unread")[2][:20]


def test_hours_of_a_cpu_are_not_those_of_a_gpu() -> None:
    night = drifting()
    night.recorded = [
        ev.Recorded(
            ev.RunFinished(
                **{**vars(item.event), "metrics": {"peak_memory_mb": 200.0}, "runner": "x86_64 x2"}
            )
            if isinstance(item.event, ev.RunFinished)
            else item.event,
            item.at,
            item.by,
        )
        for item in night.recorded
    ]
    known = figures(night.campaign(), now=NOW, prior_sigma=SIGMA)
    for text in (report_html(known), report_markdown(known), status_text(known)):
        assert "CPU-hours" in text and "GPU" not in text


def page_words(page: str) -> str:
    """Return what the page says in words: its text, and what its script puts into the table; no charts."""
    data = json.loads(html.unescape(re.search(r'id="data"[^>]*>(.*?)</script>', page, re.DOTALL)[1]))  # type: ignore[index]
    rows = [" ".join((*row["shown"].values(), *(text for _, text in row["words"]))) for row in data["rows"]]
    text = re.sub(r"<(svg|script|style).*?</\1>", " ", page, flags=re.DOTALL)
    return html.unescape("\n".join((text, *rows)))


def spelled(value: float, half: float) -> tuple[str, str]:
    """Return a figure and its margin as they must be written: two digits of the margin, at least two decimals."""
    digits = next(d for d in range(2, 9) if half * 10**d >= 10 or d == 8)
    return bare(f"{value:.{digits}f}"), f"{half:.{digits}f}"


def bare(value: str) -> str:
    """Return a figure without its sign: "better by" says it in words."""
    return value.lstrip("+-\u2212")
