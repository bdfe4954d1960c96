"""The page in a real browser: sorting, filtering, details, keyboard, phone width, 2,000 experiments."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bot.report.figures import figures
from bot.report.html import report_html
from tests.bot.campaigns import HOSTILE, NOW, PLAIN, SIGMA, Night, diff_of, night_of

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

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


def in_browser(page: str, script: str, folder: Path, *, size: str = "1280,900", fragment: str = "") -> Any:
    """Open `page`, run `script` in it under the page's own policy, and return what it left in `seen`."""
    hook = HOOK % script
    digest = base64.b64encode(hashlib.sha256(hook.encode()).digest()).decode()
    page = page.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    page = page.replace("</body>", f"<script>{hook}</script></body>")
    place = folder / "page.html"
    place.write_text(page, encoding="utf-8")
    dumped = _dump(place.as_uri() + fragment, folder, size)
    found = re.search(r'<pre id="out">(.*?)</pre>', dumped, re.DOTALL)
    assert found, dumped[:2000]
    seen = json.loads(html.unescape(found.group(1)))
    assert seen.get("error") is None and seen["broken"] is None and seen["violated"] is None, seen
    return seen


def _dump(url: str, folder: Path, size: str) -> str:
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={folder / 'profile'}", f"--window-size={size}", "--dump-dom", url,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=90, check=True)
    return done.stdout.decode("utf-8", errors="replace")


def test_every_column_sorts_both_ways_and_says_so(tmp_path: Path) -> None:
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
    seen = in_browser(page_of(night), script, tmp_path)
    rows = {row.number: row for row in figures(night.campaign(), now=NOW).rows}
    assert seen["start"] == sorted(rows, reverse=True)
    assert len(seen["heads"]) == 12
    values = {
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
        "net": lambda r: None if r.added is None else r.added - r.removed,
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


def test_filters_by_verdict_and_by_text(tmp_path: Path) -> None:
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
    seen = in_browser(page_of(night), script, tmp_path)
    rows = figures(night.campaign(), now=NOW).rows
    assert seen["crashed"] == [row.number for row in rows[::-1] if row.state == "crashed"]
    assert seen["pressed"] == ["crashed"] and seen["count"] == f"{len(seen['crashed'])} of 30 experiments"
    warm = [row.number for row in rows[::-1] if "Warm up" in row.hypothesis]
    assert seen["text"] == warm and seen["both"] == [n for n in warm if n in seen["crashed"]]
    assert seen["number"] == [12] and seen["none"] == [] and seen["said"] and seen["back"] == 30


def test_a_row_opens_its_details(tmp_path: Path) -> None:
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
    seen = in_browser(page_of(night), script, tmp_path)
    assert seen["before"] == ["false", True] and seen["after"] == ["true", "e2"]
    assert f"Because {PLAIN[1]}" in seen["words"] and f"Lesson of {PLAIN[1]}" in seen["words"]
    assert seen["add"].startswith("+    matrix_lr = 0.03") and seen["del"] == "-    matrix_lr = 0.04"
    assert len(set(seen["colours"])) == 2
    assert len(seen["curves"]) == 4 and max(seen["curves"]) > 200  # two keys of the legend, two curves
    assert (
        "seconds of training" in seen["axes"] and "candidate" in seen["axes"] and "incumbent" in seen["axes"]
    )
    assert seen["runs"] == 2 and seen["kept"] == "e2" and seen["closed"]


def test_hostile_words_are_shown_and_do_nothing(tmp_path: Path) -> None:
    night = Night()
    night.baseline()
    for number, words in enumerate(HOSTILE, 1):
        night.experiment(number, "discarded", words)
    script = """
    window.alert = () => { seen.alerted = true; };
    for (const row of all(".row")) row.querySelector(".open-row").click();
    seen.elements = all("img, iframe, object, #rows script, #rows b, a[href^=javascript]").length;
    seen.scripts = document.scripts.length;
    const words = (row) => row.querySelector(".open-row").textContent;
    seen.words = Object.fromEntries(all(".row").map((row) => [row.dataset.number, words(row)]));
    seen.links = all("#rows a").map((link) => link.href);
    """
    seen = in_browser(page_of(night), script, tmp_path)
    assert "alerted" not in seen and seen["elements"] == 0 and seen["scripts"] == 3
    assert seen["words"]["1"] == HOSTILE[0] and seen["words"]["5"] == HOSTILE[4]
    assert all(link.startswith("https://example.org/pull/") for link in seen["links"])


def test_the_policy_stops_foreign_scripts_and_loads(tmp_path: Path) -> None:
    """The page's own policy, not only our escaping, stands between an agent's words and the reader."""
    evil = "<script>document.title='owned'</script><img src='data:,' onerror=\"document.title='owned'\">"
    place = tmp_path / "page.html"
    place.write_text(page_of(night_of(3)).replace("<main>", f"<main>{evil}"), encoding="utf-8")
    dumped = _dump(place.as_uri(), tmp_path, "1280,900")
    assert "<title>overnight · Nocturne</title>" in dumped
    assert dumped.count('class="row"') == 3  # our own script did run


def test_the_chart_answers_keys_and_pointer(tmp_path: Path) -> None:
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
    seen = in_browser(page_of(night), script, tmp_path)
    assert PLAIN[1] in seen["last"] and "out of memory" in seen["last"] and seen["shown"]
    assert seen["first"].startswith("Baseline")
    assert f"#1 {PLAIN[0]}" in seen["third"] and "±" in seen["third"] and seen["changed"] == 2
    assert seen["opened"] == [True, "e1"] and seen["hidden"]
    assert seen["hovered"] == seen["third"] and seen["inside"]


@pytest.mark.parametrize("experiments", [0, 30])
def test_a_phone_scrolls_down_only(tmp_path: Path, experiments: int) -> None:
    """In a frame of 390 px, because a headless window is never narrower than 500."""
    inner = page_of(night_of(experiments) if experiments else Night())
    script = """
    for (const row of all(".row")) row.querySelector(".open-row").click();
    parent.postMessage(JSON.stringify({ wide: innerWidth, needs: document.documentElement.scrollWidth,
      past: all("body *").filter((e) => e.getClientRects().length && e.getBoundingClientRect().left >= innerWidth
        && !e.closest(".chips, pre, .runs, .skip")).length, sort: $("#sort").offsetWidth > 0 }), "*");
    """
    hook = f"const $ = (s) => document.querySelector(s), all = (s) => [...document.querySelectorAll(s)]; {script}"
    digest = base64.b64encode(hashlib.sha256(hook.encode()).digest()).decode()
    inner = inner.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    (tmp_path / "inner.html").write_text(
        inner.replace("</body>", f"<script>{hook}</script></body>"), encoding="utf-8"
    )
    outer = tmp_path / "outer.html"
    outer.write_text(
        "<!doctype html><pre id=out></pre><script>addEventListener('message', (event) => "
        "{ document.getElementById('out').textContent = event.data; });</script>"
        "<iframe src='inner.html' style='border:0;width:390px;height:844px'></iframe>"
    )
    found = re.search(r'<pre id="out">(.*?)</pre>', _dump(outer.as_uri(), tmp_path, "1000,900"))
    assert found and found.group(1)
    seen = json.loads(html.unescape(found.group(1)))
    assert seen["wide"] == 390 and seen["needs"] <= 390 and seen["past"] == 0 and seen["sort"]


def test_two_thousand_experiments_are_laid_out_bit_by_bit(tmp_path: Path) -> None:
    script = """
    seen.laid = numbers().length; seen.count = $("#count").textContent;
    type("#1999"); seen.found = numbers();
    type(""); $("#more").click(); seen.all = numbers().length; seen.more = $("#more").hidden;
    """
    page = page_of(night_of(2000))
    seen = in_browser(page, script, tmp_path)
    assert 0 < seen["laid"] <= 400 and seen["count"] == "2,000 experiments"
    assert seen["found"] == [1999] and seen["all"] == 2000 and seen["more"]
    assert len(page) < 6_000_000


def test_a_link_opens_its_experiment(tmp_path: Path) -> None:
    script = "seen.open = [$('#d7') !== null, document.activeElement.closest('.row')?.id];"
    assert in_browser(page_of(night_of(30)), script, tmp_path, fragment="#e7")["open"] == [True, "e7"]
