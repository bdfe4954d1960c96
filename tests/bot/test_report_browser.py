"""The page in a real browser: sorting, filtering, details, keyboard, phone width, 2,000 experiments."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.rules.events import RunFinished
from bot.tell.figures.campaign import figures
from bot.tell.figures.rows import Row
from bot.tell.figures.talks import talks_of
from bot.tell.page import report_html
from tests.bot.browser import CHROMIUM, DESKTOP, PHONE, Browser, browser
from tests.bot.campaigns import HOSTILE, NOW, PLAIN, SIGMA, Night, diff_of, night_of
from tests.bot.hostile import CORPUS

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

TRANSCRIPT = """# Experiment 1: proposer

Model: claude. Tools: propose.

## Instructions

```text
Never shown: they are the same each time.
```

## Nocturne

````text
## no heading, and ``` no end
{words}
````

## Claude

```text
{middle}
```

Ended with tool_use; 10 tokens read, 0 of them from the cache; 5 written.
"""
# Written into a copy of the page: clicks like a person and leaves what it saw in <pre id="out">.
HOOK = """
"use strict";
addEventListener("error", (event) => { window.broken = String(event.message); });
addEventListener("securitypolicyviolation", (event) => { window.violated = event.violatedDirective; });
const $ = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];
const numbers = () => all("#rows > .row").map((row) => Number(row.dataset.number));
const column = (n) => all(`#rows > .row > td:nth-child(${n})`).map((cell) => cell.textContent);
const type = (text) => { $("#search").value = text; $("#search").dispatchEvent(new Event("input")); };
const key = (name) => $("#chart").dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
const seen = {};
try { (() => { %s })(); } catch (error) { seen.error = String(error.stack); }
seen.broken = window.broken ?? null;
seen.violated = window.violated ?? null;
const out = document.createElement("pre");
out.id = "out";
out.textContent = JSON.stringify(seen);
document.body.append(out);
"""


def page_of(night: Night) -> str:
    campaign = night.campaign()
    diffs = {number: diff_of(number, HOSTILE[number % len(HOSTILE)]) for number in campaign.experiments}
    return report_html(figures(campaign, diffs=diffs, now=NOW, prior_sigma=SIGMA))


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser") / "profile") as started:
        yield started


def in_browser(chrome: Browser, page: str, script: str, folder: Path, *, part: str = "") -> Any:
    """Open `page`, run `script` in it under the page's own policy, and return what it left in `seen`."""
    hook = HOOK % script
    digest = base64.b64encode(hashlib.sha256(hook.encode()).digest()).decode()
    page = page.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    page = page.replace("</body>", f"<script>{hook}</script></body>")
    place = folder / "page.html"
    place.write_text(page, encoding="utf-8")
    chrome.open(place, part=part)
    seen = json.loads(chrome.value("document.getElementById('out').textContent"))
    assert seen.get("error") is None and seen["broken"] is None and seen["violated"] is None, seen
    assert chrome.complaints == []
    return seen


def test_every_column_sorts_both_ways_and_says_so(chrome: Browser, tmp_path: Path) -> None:
    script = """
    seen.start = numbers();
    seen.heads = all("#heads th").map((head) => head.dataset.key);
    for (const name of seen.heads) {
      const button = () => $(`#heads th[data-key=${name}] button`);
      button().click(); const up = numbers(); const said = $(`#heads th[data-key=${name}]`).getAttribute("aria-sort");
      button().click(); const down = numbers();
      seen[name] = { up, down, said, also: $(`#heads th[data-key=${name}]`).getAttribute("aria-sort"),
                     sorted: all("#heads th[aria-sort]").length };
    }
    """
    night = night_of(30, hostile=False)
    night.experiment(31, "discarded", "Not done yet", finish=False)
    seen = in_browser(chrome, page_of(night), script, tmp_path)
    rows = {row.number: row for row in figures(night.campaign(), now=NOW).rows}
    assert seen["start"] == sorted(rows, reverse=True)
    assert len(seen["heads"]) == 12
    values: dict[str, Callable[[Row], Any]] = {
        "number": lambda r: r.number,
        "score": lambda r: r.score,
        "effect": lambda r: r.effect,
        "runs": lambda r: r.runs,
        "memory": lambda r: r.memory_mb,
        "seconds": lambda r: r.seconds or None,
        "pull": lambda r: r.pull,
        "ended": lambda r: r.finished_at,
        "hypothesis": lambda r: r.hypothesis.lower(),
        "state": lambda r: r.state,
        "category": lambda r: r.category,
        "net": lambda r: None if r.added is None else r.added - (r.removed or 0),
    }
    for name in seen["heads"]:
        # The order among equals is by number, and what is unknown comes last in both directions.
        known = [n for n in rows if values[name](rows[n]) is not None]
        unknown = [n for n in rows if n not in known]
        if name != "seconds":
            assert set(seen[name]["up"][: len(known)]) == set(known), name
        up = [values[name](rows[n]) for n in seen[name]["up"][: len(known)]]
        down = [values[name](rows[n]) for n in seen[name]["down"][: len(known)]]
        assert up == sorted(up) and down == sorted(down, reverse=True), name
        assert seen[name]["up"][len(known) :] == unknown, name
        assert (seen[name]["said"], seen[name]["also"]) == ("ascending", "descending")
        assert seen[name]["sorted"] == 1


def test_filters_by_verdict_and_by_text(chrome: Browser, tmp_path: Path) -> None:
    script = """
    $("#chips [data-verdict=crashed]").click();
    seen.crashed = numbers(); seen.pressed = all("#chips [aria-pressed=true]").map((chip) => chip.dataset.verdict);
    seen.count = $("#count").textContent;
    type("warm UP"); seen.both = numbers();
    $("#chips [data-verdict=crashed]").click(); seen.text = numbers();
    type("#12"); seen.number = numbers();
    type("no such words"); seen.none = numbers(); seen.said = !$("#nothing").hidden;
    type(""); seen.back = numbers().length;
    """
    night = night_of(30, hostile=False)
    seen = in_browser(chrome, page_of(night), script, tmp_path)
    rows = figures(night.campaign(), now=NOW).rows
    assert seen["crashed"] == [row.number for row in rows[::-1] if row.state == "crashed"]
    assert seen["pressed"] == ["crashed"] and seen["count"] == f"{len(seen['crashed'])} of 30 experiments"
    warm = [row.number for row in rows[::-1] if "Warm up" in row.hypothesis]
    assert seen["text"] == warm and seen["both"] == [n for n in warm if n in seen["crashed"]]
    assert seen["number"] == [12] and seen["none"] == [] and seen["said"] and seen["back"] == 30


def test_a_row_opens_its_details(chrome: Browser, tmp_path: Path) -> None:
    script = """
    const button = $("#e2 .open-row");
    seen.before = [button.getAttribute("aria-expanded"), $("#d2") === null];
    button.click();
    seen.after = [button.getAttribute("aria-expanded"), $("#d2").previousElementSibling.id];
    seen.words = $("#d2 .words").textContent;
    seen.add = $("#d2 .diff .add").textContent; seen.del = $("#d2 .diff .del").textContent;
    seen.colours = [getComputedStyle($("#d2 .diff .add")).color, getComputedStyle($("#d2 .diff .del")).color];
    seen.curves = all("#d2 .curve path.mine, #d2 .curve path.theirs").map((path) => path.getAttribute("d").length);
    seen.axes = $("#d2 .curve").textContent;
    seen.runs = all("#d2 .runs tbody tr").length;
    $("#heads th[data-key=number] button").click(); seen.kept = $("#d2").previousElementSibling.id;
    $("#e2 td").click(); seen.closed = $("#d2") === null;
    """
    night = Night()
    night.baseline()
    night.experiment(1, "discarded", PLAIN[0])
    night.experiment(2, "improved", PLAIN[1])
    seen = in_browser(chrome, page_of(night), script, tmp_path)
    assert seen["before"] == ["false", True] and seen["after"] == ["true", "e2"]
    assert f"Because {PLAIN[1]}" in seen["words"] and f"Lesson of {PLAIN[1]}" in seen["words"]
    assert seen["add"].startswith("+    matrix_lr = 0.03") and seen["del"] == "-    matrix_lr = 0.04"
    assert len(set(seen["colours"])) == 2
    assert len(seen["curves"]) == 4 and max(seen["curves"]) > 200  # two keys of the legend, two curves
    assert (
        "seconds of training" in seen["axes"] and "candidate" in seen["axes"] and "incumbent" in seen["axes"]
    )
    assert seen["runs"] == 2 and seen["kept"] == "e2" and seen["closed"]


def test_hostile_words_are_shown_and_do_nothing(chrome: Browser, tmp_path: Path) -> None:
    night = Night()
    night.baseline()
    for number, words in enumerate(CORPUS, 1):
        night.experiment(number, "improved" if number % 3 == 0 else "discarded", words)
    script = """
    window.alert = () => { seen.alerted = true; };
    for (const row of all(".row")) row.querySelector(".open-row").click();
    for (const part of all("details")) part.open = true;
    seen.wide = document.documentElement.scrollWidth <= innerWidth;
    const elements = "img, iframe, object, base, foreignObject, #rows script, #rows b";
    seen.elements = all(`${elements}, a[href^=javascript], [onload], [onfocus]`).length;
    seen.scripts = document.scripts.length;
    const words = (row) => row.querySelector(".open-row").textContent;
    seen.words = Object.fromEntries(all(".row").map((row) => [row.dataset.number, words(row)]));
    seen.links = all("#rows a").map((link) => link.href);
    """
    seen = in_browser(chrome, page_of(night), script, tmp_path)
    assert len(seen["words"]) == len(CORPUS) and seen["wide"]
    assert "alerted" not in seen and seen["elements"] == 0 and seen["scripts"] == 3
    assert seen["words"]["1"] == HOSTILE[0] and seen["words"]["5"] == HOSTILE[4]
    assert all(link.startswith("https://example.org/pull/") for link in seen["links"])


def test_the_policy_stops_foreign_scripts_and_loads(chrome: Browser, tmp_path: Path) -> None:
    """The page's own policy, not only our escaping, stands between an agent's words and the reader."""
    evil = "<script>document.title='owned'</script><img src='data:,' onerror=\"document.title='owned'\">"
    place = tmp_path / "page.html"
    place.write_text(page_of(night_of(3)).replace("<main>", f"<main>{evil}"), encoding="utf-8")
    chrome.open(place)
    assert chrome.value("document.title") == "overnight · Nocturne"
    assert any("Content Security Policy" in said for said in chrome.complaints)
    assert chrome.value("document.querySelectorAll('.row').length") == 3  # our own script did run


def test_the_chart_answers_keys_and_pointer(chrome: Browser, tmp_path: Path) -> None:
    script = """
    key("End"); seen.last = $("#tip").textContent; seen.shown = !$("#tip").hidden;
    key("Home"); seen.first = $("#tip").textContent;
    key("ArrowRight"); key("ArrowRight"); seen.third = $("#tip").textContent;
    seen.changed = all("#tip pre .add, #tip pre .del").length;
    key("Enter"); seen.opened = [$("#d1") !== null, document.activeElement.closest(".row")?.id];
    key("Escape"); seen.hidden = $("#tip").hidden;
    const dot = all(".wide [data-i]").find((mark) => mark.dataset.i === "2").getBoundingClientRect();
    const near = { clientX: dot.x + 6, clientY: dot.y + 6, bubbles: true };
    $("#chart").dispatchEvent(new PointerEvent("pointermove", near));
    seen.hovered = $("#tip").textContent;
    seen.inside = $("#tip").getBoundingClientRect().right <= innerWidth;
    """
    night = Night()
    night.baseline(2)
    night.experiment(1, "discarded", PLAIN[0])
    night.experiment(2, "crashed", PLAIN[1])
    seen = in_browser(chrome, page_of(night), script, tmp_path)
    assert PLAIN[1] in seen["last"] and "out of memory" in seen["last"] and seen["shown"]
    assert seen["first"].startswith("Baseline")
    assert f"#1 {PLAIN[0]}" in seen["third"] and "±" in seen["third"] and seen["changed"] == 2
    assert seen["opened"] == [True, "e1"] and seen["hidden"]
    assert seen["hovered"] == seen["third"] and seen["inside"]


@pytest.mark.long
def test_two_thousand_experiments_are_laid_out_bit_by_bit(chrome: Browser, tmp_path: Path) -> None:
    script = """
    seen.laid = numbers().length; seen.count = $("#count").textContent;
    type("#1999"); seen.found = numbers();
    type(""); $("#more").click(); seen.all = numbers().length; seen.more = $("#more").hidden;
    """
    page = page_of(night_of(2000))
    seen = in_browser(chrome, page, script, tmp_path)
    assert 0 < seen["laid"] <= 400 and seen["count"] == "2,000 experiments"
    assert seen["found"] == [1999] and seen["all"] == 2000 and seen["more"]
    assert len(page) < 6_000_000


def test_a_link_opens_its_experiment(chrome: Browser, tmp_path: Path) -> None:
    script = "seen.open = [$('#d7') !== null, document.activeElement.closest('.row')?.id];"
    assert in_browser(chrome, page_of(night_of(30)), script, tmp_path, part="#e7")["open"] == [True, "e7"]


# With mouse and keys, as a reader has them


def shown(night: Night, folder: Path) -> Path:
    """Write the page of a night in which every experiment has a conversation."""
    campaign = night.campaign()
    talk = TRANSCRIPT.format(words=HOSTILE[0], middle="m" * 9000)
    known = figures(
        campaign,
        diffs={number: diff_of(number, "plain") for number in campaign.experiments},
        talks=talks_of({number: [talk] for number in campaign.experiments}),
        now=NOW,
        prior_sigma=SIGMA,
    )
    place = folder / "page.html"
    place.write_text(report_html(known), encoding="utf-8")
    return place


def test_a_reader_with_a_mouse(chrome: Browser, tmp_path: Path) -> None:
    """Sort, filter, open a diff and a conversation, compare curves: each by a click where it lies."""
    chrome.open(shown(night_of(30, hostile=False), tmp_path))
    numbers = "[...document.querySelectorAll('#rows > .row')].map((row) => Number(row.dataset.number))"
    assert chrome.value(numbers)[:2] == [30, 29]
    chrome.click("#heads th[data-key=number] button")
    assert chrome.value(numbers)[:2] == [1, 2]
    chrome.click("#chips [data-verdict=improved]")
    assert chrome.value(numbers) == [1, 11, 21]
    chrome.click("#search")
    chrome.write("#21")
    assert chrome.value(numbers) == [21]
    chrome.click("#e21 .open-row")
    assert "matrix_lr = 0.04" in chrome.value("document.querySelector('#d21 .diff .del').innerText")
    talk = "document.querySelector('#d21 .talk')"
    assert chrome.value(f"{talk}.children.length") == 1
    chrome.click("#d21 .talk summary")
    said = chrome.value(f"{talk}.innerText")
    assert HOSTILE[0] in said and "more characters …" in said and "Never shown" not in said
    assert chrome.value("document.querySelectorAll('.talk img, .talk script').length") == 0
    lines = "document.querySelectorAll('#compare > svg path.line').length"
    assert chrome.value(lines) == 3  # the merged ones
    chrome.click("#d21 .compare")
    assert chrome.value(lines) == 2 and chrome.value("document.getElementById('curves').open")
    chrome.click("#d21 .compare")
    chrome.click("#compare [data-away='1']")
    assert chrome.value("[...document.querySelectorAll('#compare a')].map((a) => a.textContent)") == [
        "#11",
        "#21",
    ]
    chrome.click("#lineage summary")
    chrome.click("#lineage .try.crashed")
    assert chrome.value("document.activeElement.closest('.row').id") == "e24"
    chrome.click("#e24 .open-row")
    assert chrome.value("document.getElementById('d24') === null")
    chrome.click("#lineage .try.crashed")  # the same address again
    assert chrome.value("document.getElementById('d24') !== null")
    assert chrome.complaints == []


def test_a_reader_with_keys_alone(chrome: Browser, tmp_path: Path) -> None:
    """Everything can be reached by Tab, shows where the focus is, and obeys Enter or Space."""
    chrome.open(shown(night_of(3, hostile=False), tmp_path))
    chrome.key("Tab")
    assert chrome.value("document.activeElement.className") == "skip"
    assert chrome.value("document.activeElement.getBoundingClientRect().left") >= 0
    reached = []
    name = "(e => e.id || e.dataset.key || e.className || e.parentElement.id || e.tagName)(document.activeElement)"
    for _ in range(60):
        chrome.key("Tab")
        here = chrome.value(name)
        if here == "BODY":
            break
        reached.append(here)
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert chrome.value(outline) != "none", here
    for wanted in ("chart", "kinds", "lineage", "curves", "cost", "search", "open-row"):
        assert wanted in reached, (wanted, reached)
    chrome.value("document.querySelector('#kinds summary').focus()")
    chrome.key("Enter")
    assert chrome.value("document.getElementById('kinds').open")
    chrome.value("document.querySelector('#heads th[data-key=number] button').focus()")
    chrome.key("Space")
    assert chrome.value("document.querySelector('#rows > .row').id") == "e1"
    chrome.value("document.querySelector('#e2 .open-row').focus()")
    chrome.key("Enter")
    assert chrome.value("document.querySelector('#d2 .diff') !== null")
    chrome.key("Enter")
    assert chrome.value("document.querySelector('#d2') === null")
    # Any two experiments beside each other: c on their rows.
    compared = "[...document.querySelectorAll('#compare .beside tbody tr')].map((row) => row.innerText.split('\\t')[0])"
    chosen = "[...document.querySelectorAll('#compare .legend a')].map((link) => link.textContent)"
    for number in chrome.value(chosen):  # to begin with, what was merged
        chrome.value(f"document.querySelector('#e{number[1:]} .open-row').focus()")
        chrome.key("c")
    assert chrome.value(chosen) == [] and chrome.value(compared) == []
    for number in (3, 2):
        chrome.value(f"document.querySelector('#e{number} .open-row').focus()")
        chrome.key("c")
    assert chrome.value(compared) == ["#2", "#3"] and chrome.value("document.getElementById('curves').open")
    assert chrome.value("document.querySelector('#compare .note').innerText").endswith("nocturne diff 2 3")
    chrome.key("c")
    assert chrome.value(chosen) == ["#3"]
    assert chrome.complaints == []


# What is past the edge, what is too small to hit, and what can't be read on its ground.
LAYOUT = """(() => {
  const all = (selector) => [...document.querySelectorAll(selector)], wide = innerWidth;
  const inside = (e) => e.closest(".chips, pre, .runs, .wide-table, .scroll, .skip, svg") === null;
  const seen = (e) => e.checkVisibility() && e.getClientRects().length > 0;
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((c) => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (!/, 0\\)$/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const box = (e) => e.getBoundingClientRect(), said = (e) => e.outerHTML.slice(0, 120);
  const words = "p, dt, dd, td, th button, h1, h2, h3, h4, li, summary span, a, .badge, pre span, .compare";
  const pale = all(words).filter((e) => {
    if (!seen(e) || !e.textContent.trim() || e.closest("svg, .from, .arrow, :disabled")) return false;
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
  });
  return {
    wide, needs: document.documentElement.scrollWidth,
    past: all("body *").filter((e) => inside(e) && seen(e) && box(e).right > wide + 1).map(said),
    small: all("button, summary, select, input").filter((e) => seen(e) && box(e).height < 18).map(said),
    pale: [...new Set(pale.map((e) => `${e.tagName}.${e.className} ${e.textContent.slice(0, 30)}`))].slice(0, 8),
    cards: all("#rows > .row").length,
  };
})()"""


def check_layout(
    chrome: Browser, place: Path, size: tuple[int, int], *, dark: bool, experiments: int
) -> None:
    chrome.open(place, size=size, dark=dark)
    chrome.value("document.querySelectorAll('.part').forEach((part) => { part.open = true; })")
    for number in (experiments, experiments - 1):
        if number > 0:
            chrome.click(f"#e{number} .open-row")
            chrome.click(f"#d{number} .talk summary")
    seen = chrome.value(LAYOUT)
    assert seen["wide"] == size[0] and seen["needs"] <= size[0], seen
    assert seen["past"] == [] and seen["small"] == [] and seen["pale"] == [], seen
    assert (seen["cards"] > 0) == (experiments > 0)
    assert chrome.value("getComputedStyle(document.body).backgroundColor") == (
        "rgb(12, 15, 22)" if dark else "rgb(246, 247, 249)"
    )
    assert chrome.picture().startswith(b"\x89PNG") and chrome.complaints == []


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_nothing_is_past_the_edge_or_too_pale(chrome: Browser, tmp_path: Path, size: tuple[int, int]) -> None:
    check_layout(chrome, shown(night_of(30), tmp_path), size, dark=size == PHONE, experiments=30)


@pytest.mark.long
@pytest.mark.parametrize("experiments", [0, 1, 30, 2000])
def test_every_page_fits_every_screen(chrome: Browser, tmp_path: Path, experiments: int) -> None:
    place = shown(night_of(experiments) if experiments else Night(), tmp_path)
    for size in (PHONE, DESKTOP):
        for dark in (False, True):
            check_layout(chrome, place, size, dark=dark, experiments=experiments)


def test_learning_curves_run_from_left_to_right_over_seconds_or_steps(
    chrome: Browser, tmp_path: Path
) -> None:
    """A training that went on from a checkpoint tells some places twice, and its clock anew."""
    night = night_of(3, hostile=False)
    for place, recorded in enumerate(night.recorded):
        if isinstance(recorded.event, RunFinished) and recorded.event.curve:
            curve = recorded.event.curve
            event = replace(recorded.event, curve=(*curve[:30], *curve[10:]))
            night.recorded[place] = replace(recorded, event=event)
    script = """
    const runs = () => all("#compare svg:not(.swatch) :is(path.theirs, path.line)")
      .map((path) => path.getAttribute("d").slice(1).split("L").map((point) => Number(point.split(" ")[0])));
    const axis = () => all("#compare svg:not(.swatch) text").pop().textContent;
    $("#curves").open = true;
    seen.seconds = runs(); seen.over = axis();
    $("#compare button.axis").click();
    seen.steps = runs(); seen.then = axis();
    """
    seen = in_browser(chrome, page_of(night), script, tmp_path)
    assert (seen["over"], seen["then"]) == ("seconds of training", "steps of training")
    for line in (*seen["seconds"], *seen["steps"]):
        assert len(line) == 40 and line == sorted(set(line))
