"""Pages are well-formed, need no network, and hostile words in them do nothing."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from bot.base.text import clean, one_line, web_address
from bot.rules import events as ev
from bot.tell.charts.scale import robust_range, tick_digits, ticks
from bot.tell.charts.svg import progress_svg
from bot.tell.figures.campaign import Figures, figures
from bot.tell.page import report_html
from bot.tell.writers import html, markdown
from tests.bot.campaigns import HOSTILE, NOW, PLAIN, SIGMA, Night, diff_of, night_of
from tests.bot.telling import report_markdown, status_text, table_text

SVG = "{http://www.w3.org/2000/svg}"
VOID = {"meta", "input", "br", "link", "img", "hr"}


def seen(night: Night) -> Figures:
    campaign = night.campaign()
    diffs = {number: diff_of(number, HOSTILE[number % len(HOSTILE)]) for number in campaign.experiments}
    return figures(campaign, diffs=diffs, now=NOW, prior_sigma=SIGMA)


class Strict(HTMLParser):
    """Fails on an element that is closed by another's tag, and remembers what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()


@pytest.mark.parametrize("experiments", [0, 1, 30, pytest.param(2000, marks=pytest.mark.long)])
def test_page_is_well_formed_and_loads_nothing(experiments: int) -> None:
    page = report_html(seen(night_of(experiments) if experiments else Night()))
    page.encode("utf-8")
    parser = Strict()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    names = [tag for tag, _ in parser.tags]
    assert names.count("script") == 2 and names.count("style") == 1
    assert not {"img", "link", "iframe", "object", "embed", "base", "form"} & set(names)
    for tag, attributes in parser.tags:
        assert not [
            name for name in attributes if name.startswith("on") or name in ("src", "srcset", "style")
        ]
        if not (attributes.get("href") or "#").startswith("#"):  # a link that is only followed
            assert tag == "a" and attributes["rel"] == "noreferrer noopener"
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|innerHTML|insertAdjacentHTML|eval\(", page)


def test_policy_forbids_the_network_and_every_other_script() -> None:
    parser = Strict()
    parser.feed(report_html(seen(night_of(3))))
    policy = next(a["content"] for tag, a in parser.tags if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in (policy or "").split(";"))
    assert rules["default-src"] == "'none'"
    assert re.fullmatch(r"'sha256-[\w+/]{43}='", rules["script-src"])
    assert "unsafe" not in (policy or "")


@pytest.mark.parametrize("experiments", [0, 1, 30, pytest.param(2000, marks=pytest.mark.long)])
def test_chart_is_well_formed_with_a_mark_for_every_run(experiments: int) -> None:
    of = seen(night_of(experiments) if experiments else Night())
    text = progress_svg(of)
    assert not re.search(
        r"https?://(?!www\.w3\.org/2000/svg\")",
        re.sub(
            r"<title>.*?</title>|<text class=\"step\".*?</text>", "", text, flags=re.S
        ),  # words, and no links
    )
    root = ET.fromstring(text)
    groups = [g for g in root.iter(f"{SVG}g") if (g.get("class") or "").startswith("dots")]
    marks = [mark for group in groups for mark in group.findall(f"{SVG}g")]
    assert len(marks) == len(of.dots)
    titles = [mark.findtext(f"{SVG}title") or "" for mark in marks]
    for row in of.rows:
        if row.runs:
            assert sum(1 for title in titles if title.startswith(f"#{row.number} ")) == row.runs
    for circle in root.iter(f"{SVG}circle"):
        assert 0 <= float(circle.get("cx", "-1")) <= 1040 and 0 <= float(circle.get("cy", "-1")) <= 400


def test_chart_titles_hold_the_hypothesis() -> None:
    night = Night()
    night.baseline()
    for number, words in enumerate((*PLAIN, *HOSTILE), 1):
        night.experiment(number, "discarded", words)
    titles = "\n".join(t.text or "" for t in ET.fromstring(progress_svg(seen(night))).iter(f"{SVG}title"))
    for words in (*PLAIN, *HOSTILE):
        assert one_line(words, 140) in titles


def test_one_awful_run_is_clipped_and_marked() -> None:
    night = night_of(20, hostile=False)
    calm = progress_svg(seen(night))
    night.experiment(21, "discarded", "Forgot the loss", score=57.0)
    wild = progress_svg(seen(night))
    assert 'class="off"' in wild and 'class="off"' not in calm

    def ticks_of(text: str) -> list[str]:
        return re.findall(r'text-anchor="end">([\d.]+)</text>', text)

    assert ticks_of(wild) == ticks_of(calm)
    assert "57.0000" in wild  # the title still says what it was


def test_failed_runs_stand_at_the_worse_edge() -> None:
    heights = {}
    for direction in ("minimize", "maximize"):
        night = Night(direction=direction)
        night.baseline()
        night.experiment(1, "crashed", "Too large")
        root = ET.fromstring(progress_svg(seen(night)))
        group = next(g for g in root.iter(f"{SVG}g") if g.get("class") == "dots crashed")
        path = next(group.iter(f"{SVG}path")).get("d") or ""
        heights[direction] = float(re.findall(r"[\d.]+", path)[1])
    assert heights["minimize"] < 100 < 300 < heights["maximize"]


def test_robust_range_keeps_the_staircase_and_drops_the_outlier() -> None:
    low, high = robust_range([1.0, 1.001, 0.99, 1.02, 50.0, -3.0], [1.0, 0.99], 0.001)
    assert low < 0.99 and 1.001 < high < 2
    low, high = robust_range([1.0, 0.2], [1.0, 0.2], 0.001)
    assert low < 0.2 and high > 1.0
    for scores in ([], [0.5], [0.5, 0.5], [0.0, 0.0]):
        low, high = robust_range(scores, scores, 0.0)
        assert low < high


@pytest.mark.parametrize(
    ("low", "high"), [(0.98, 1.01), (0.9901, 0.9903), (-4.0, 7.5), (12.0, 9000.0), (0.0, 1e-6)]
)
def test_ticks_are_round_inside_and_distinct_in_print(low: float, high: float) -> None:
    marks = ticks(low, high, 5)
    assert 3 <= len(marks) <= 9
    assert all(low - 1e-9 <= mark <= high + 1e-9 for mark in marks)
    printed = [f"{mark:.{tick_digits(marks)}f}" for mark in marks]
    assert len(set(printed)) == len(marks)
    steps = {f"{b - a:.6e}" for a, b in pairwise(marks)}
    assert len({step[0] for step in steps} & {"1", "2", "5"}) == 1


@pytest.mark.parametrize("words", HOSTILE)
def test_markdown_words_do_nothing(words: str) -> None:
    said = markdown.escape(words)
    bare = re.sub(r"\\.", "", said).replace("<span>$</span>", "")
    assert not re.search(r"[<>`|*_\[\]$\x00-\x1f\u202e]", bare)
    assert not re.search(r"[@#]\w|https?:|www\.|GH-\d", said)


def test_markdown_table_keeps_its_columns_and_links_only_web_addresses() -> None:
    night = night_of(30)
    night.add(ev.PullOpened(30, 130, "b", "javascript:alert(1)"))
    text = report_markdown(seen(night), latest=30)
    for line in text.splitlines():
        if line.startswith("| ["):
            assert len(re.findall(r"(?<!\\)\|", line)) == 9, line
    assert "](javascript:" not in text.replace("\\](", "")
    assert re.search(r"^\| 30 \|", text, re.MULTILINE), "no link to what is no web address"
    assert "| [28](https://example.org/pull/128) |" in text


def test_markdown_shows_the_chart_only_when_asked() -> None:
    of = seen(night_of(30))
    assert "![" not in re.sub(r"!\\\[", "", report_markdown(of))
    assert "![progress](progress.svg)" in report_markdown(of, chart="progress.svg")


def test_markdown_names_every_win_and_limits_the_rest() -> None:
    of = seen(night_of(100, hostile=False))
    text = report_markdown(of, latest=5, dead_ends=3)
    wins = text.split("## What was merged")[1].split("##")[0]
    assert len(re.findall(r"^- ", wins, re.MULTILINE)) == of.landed == 10
    assert "95 earlier experiments." in text and "And 67 more." in text


def test_terminal_prints_no_escape_and_no_markup_of_agents() -> None:
    night = night_of(30)
    night.add(ev.LoopStopped("plateau", "\x1b[2J[bold]gone", 30))
    of = seen(night)
    said = status_text(of, 250) + table_text(of, width=250)
    assert "\x1b" not in said and "\x07" not in said and "\u202e" not in said
    assert "[red]markup[/red]" in said and "[bold]gone" in said


def test_json_in_a_script_ends_no_script() -> None:
    text = html.for_script({"words": list(HOSTILE)})
    assert not re.search(r"[<>&\u2028\u2029]", text) and "\\u003c/script" in text


def test_clean_keeps_what_people_write() -> None:
    assert clean("Größe 学習率 🚀\n\ttab") == "Größe 学習率 🚀\n\ttab"
    assert clean("a\r\nb\rc") == "a\nb\nc"
    assert clean("\x1b[1;31mred\x1b[0m \x9b31mx \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\") == "red x link"
    assert one_line("word " * 50, 20).endswith("…") and len(one_line("word " * 50, 20)) <= 20


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "/srv/pull/1", "", "https://a b", 'https://x"y', None]
)
def test_only_web_addresses_become_links(url: str | None) -> None:
    assert web_address(url) is None
    assert web_address("https://github.com/o/r/pull/7") == "https://github.com/o/r/pull/7"
