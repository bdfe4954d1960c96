"""One corpus, every place where words of agents and users are shown: they are read, and do nothing else."""

from __future__ import annotations

import dataclasses
import functools
import io
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console

from bot.base.text import one_line, web_address
from bot.config import NotifySettings, Stop
from bot.github.display import ActionsDisplay
from bot.notify.slack import message_line
from bot.rules import events as ev
from bot.rules.campaign import Campaign, fold
from bot.rules.decision import Rule
from bot.tell.charts.svg import progress_svg
from bot.tell.display import PlainDisplay, TerminalDisplay
from bot.tell.document import Code, Message, Words, bullets
from bot.tell.figures.campaign import Figures, figures
from bot.tell.figures.period import period
from bot.tell.figures.promotion import promotion_figures
from bot.tell.figures.results import results_tsv
from bot.tell.figures.talks import Talk
from bot.tell.page import report_html
from bot.tell.views.campaign import latest_experiments, overview
from bot.tell.views.experiment import explanation as explain
from bot.tell.views.morning import morning_message
from bot.tell.views.news import noteworthy
from bot.tell.views.promotion import promotion_title
from bot.tell.writers import slack, terminal
from tests.bot.campaigns import NOW, SIGMA, Night, diff_of
from tests.bot.hostile import ACTED_ON, CORPUS, UNSEEN
from tests.bot.telling import (
    blocks,
    explanation,
    message_text,
    promotion_body,
    report_markdown,
    standing,
    status_text,
)
from tests.families import few
from tests.slack.rules import check_blocks, too_long

# The fields of events in which somebody's words stand.
WORDS = (
    "campaign", "hypothesis", "category", "expected_effect", "risk", "proposer", "lesson", "detail", "note", "role",
    "model", "jail", "runner", "metric",
)  # fmt: skip
OURS = re.compile(r"https://example\.org/pull/\d+")
corpus = pytest.mark.parametrize(
    "evil", few(CORPUS, 16, in_ci=40), ids=[str(number) for number in range(len(CORPUS))]
)


@functools.cache
def story(words: str) -> Campaign:
    """Return a campaign with an experiment of each kind, in which every word is `words`; it is only read."""
    night = Night()
    night.baseline()
    for number, verdict in enumerate(("improved", "discarded", "crashed", "rejected", "lost", "improved"), 1):
        night.experiment(number, verdict, f"experiment {number}")  # type: ignore[arg-type]
    night.experiment(7, "discarded", "still open", finish=False)
    night.add(ev.ModelCalled(1, "role", "talk", 1, "model", 10, 10, 0, 0, 0.5, "end_turn"))
    night.add(ev.LedgerMended("note", 3))
    night.add(ev.LoopStopped("crashes", "detail", 7))

    def said(event: Any) -> Any:
        named = {field.name for field in dataclasses.fields(event)}
        changed: dict[str, Any] = {name: words for name in WORDS if name in named}
        if isinstance(event, (ev.ExperimentProposed, ev.ExperimentDecided)):
            changed["reason"] = words
        if isinstance(event, ev.Reviewed) and not event.approved:
            changed["reasons"] = (words, words)
        if isinstance(event, ev.RunFinished) and event.failure is not None:
            changed["failure"] = {"class": words, "reason": words}
        return dataclasses.replace(event, **changed)

    return fold([dataclasses.replace(each, event=said(each.event)) for each in night.recorded])


@functools.cache
def known(words: str) -> Figures:
    campaign = story(words)
    talk = Talk(words, ((words, words), ("Claude", words)), 1)
    diffs = {number: diff_of(number, words) for number in campaign.experiments}
    return figures(campaign, diffs=diffs, talks={1: (talk,)}, now=NOW, prior_sigma=SIGMA)


PLAIN = story("plain")
PLAIN_FIGURES = known("plain")


class Tags(HTMLParser):
    """The elements of a page with the names of their attributes and all their links; and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.built: list[tuple[str, ...]] = []
        self.said: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        links = [value or "" for name, value in attrs if name in ("href", "src", "id", "class")]
        self.built.append((tag, *(name for name, _ in attrs), *links))
        self.said += [value or "" for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.said.append(data)


@functools.cache
def plain_tags() -> list[tuple[str, ...]]:
    return Tags(report_html(PLAIN_FIGURES)).built


@corpus
def test_the_page(evil: str) -> None:
    page = report_html(known(evil))
    tags = Tags(page)
    assert tags.built == plain_tags()
    assert not UNSEEN.search(page)
    if one_line(evil):
        assert one_line(evil) in "\n".join(tags.said)  # it is there to be read
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert data["rows"][0]["hypothesis"] == one_line(evil)
    assert all(row["url"] is None or OURS.fullmatch(row["url"]) for row in data["rows"])
    assert not UNSEEN.search(json.dumps(data, ensure_ascii=False))


@corpus
def test_an_address_is_a_link_only_where_it_is_one(evil: str) -> None:
    assert web_address(evil) is None
    message = Message("k", "t", "s", bullets([Words("words", url=evil)]))
    assert "<" not in json.dumps(blocks(message)) and "](" not in message_text(message)


@functools.cache
def plain_chart() -> list[str]:
    return [each.tag for each in ET.fromstring(progress_svg(PLAIN_FIGURES)).iter()]


@corpus
def test_the_chart(evil: str) -> None:
    root = ET.fromstring(progress_svg(known(evil)))
    assert [each.tag for each in root.iter()] == plain_chart()
    assert not any(name.startswith("on") or "href" in name for each in root.iter() for name in each.attrib)
    said = "".join(root.itertext())
    assert not UNSEEN.search(said) and one_line(evil, 100).rstrip("…") in said


def flat(text: str) -> list[Token]:
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    return [part for token in tokens for part in (token, *(token.children or ()))]


def built(tokens: list[Token]) -> list[tuple[str, ...]]:
    """Return what a Markdown page is made of: blocks, marks, links and HTML, but for the words themselves.

    A literal in backticks is one if it is plain enough, and words otherwise.
    """
    return [
        (token.type, str(token.attrs.get("href", "")), token.content if "html" in token.type else "")
        for token in tokens
        if not token.type.startswith(("text", "code_inline")) and token.content not in ("<span>", "</span>")
    ]


@functools.cache
def plain_pages() -> dict[str, list[tuple[str, ...]]]:
    return {name: built(flat(text)) for name, text in pages(PLAIN, PLAIN_FIGURES).items()}


def pages(campaign: Campaign, of: Figures) -> dict[str, str]:
    """Return every Markdown page but those of an experiment's own pull request."""
    lacking = {e.landed.commit for e in campaign.landed() if e.landed}
    told = promotion_figures(campaign, of, 0, lacking)
    return {
        "dashboard": report_markdown(of, chart="progress.svg"),
        "standing": standing(of),
        "explanation": explanation(campaign, campaign.experiments[1], Rule()),
        "message": message_text(message_of(campaign, of)),
        "promotion": promotion_body(
            campaign, of, told, (), rule=Rule(), base=of.name, branch=of.name, on_github=True
        ),
    }


def message_of(campaign: Campaign, of: Figures) -> Message:
    news = noteworthy(campaign, of, NotifySettings(crashes=1), Stop(gpu_hours=0.1), now=NOW)
    assert len(news) >= 3
    before = period(figures(Campaign(), now=NOW), of, campaign.started_at)
    return morning_message("2026-03-09", of, before, Stop(), untold=news)


@corpus
def test_markdown(evil: str) -> None:
    campaign = story(evil)
    for name, text in pages(campaign, known(evil)).items():
        assert not UNSEEN.search(text), name
        if not one_line(evil) or ("\n\n" in evil and name == "explanation"):
            continue  # nothing to show; or paragraphs, that are kept
        tokens = flat(text)
        assert built(tokens) == plain_pages()[name], (name, text)
        shown = "".join(t.content if t.type.startswith("text") else " " for t in tokens if not t.children)
        assert not ACTED_ON.search(re.sub(r"\bEve@", "", shown)), (name, ACTED_ON.search(shown))
    title = promotion_title(*(lambda of: (of, promotion_figures(campaign, of, 0, ())))(known(evil)))
    assert not ACTED_ON.search(title) and not UNSEEN.search(title) and len(title.splitlines()) == 1


@corpus
def test_slack(evil: str) -> None:
    said = slack.escape(evil)
    assert not re.search(r"[*~`<>]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:[a-z0-9_+'-]+:", said, re.IGNORECASE)
    assert not re.search(r"&(?!amp;|lt;|gt;)", said) and not ACTED_ON.search(said) and not UNSEEN.search(said)
    campaign = story(evil)
    message = message_of(campaign, known(evil))
    for small in (False, True):
        made = blocks(message, image="F0123456789", smallest=small)
        check_blocks(made, lambda _: True)
        assert not too_long(made)
        check_mrkdwn(made)
    assert not re.search(r"[<>*]", message_line(message).replace("∗", "")) and message_line(message)


def check_mrkdwn(thing: Any) -> None:
    """Every text of these blocks links to our pull requests alone, and to nobody."""
    if isinstance(thing, list):
        for each in thing:
            check_mrkdwn(each)
    elif isinstance(thing, dict) and thing.get("type") in ("mrkdwn", "plain_text"):
        text = thing["text"]
        assert not UNSEEN.search(text) and thing.get("verbatim", True) and not thing.get("emoji", False)
        if thing["type"] == "mrkdwn":
            links = re.findall(r"<([^<>|]*)\|[^<>|]*>", text)
            assert all(OURS.fullmatch(link) for link in links), links
            rest = re.sub(r"<[^<>]*>", "", text)
            rest = re.sub(r"`([^`\n]+)`", r"\1", rest)  # code of ours: nobody else's backtick is one
            assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)|`|~", rest) and not ACTED_ON.search(rest)
            assert text.count("<") == text.count(">") == len(links)
    elif isinstance(thing, dict):
        for each in thing.values():
            check_mrkdwn(each)


@corpus
def test_terminal(evil: str) -> None:
    campaign = story(evil)
    of = known(evil)
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    console.print(terminal.panel(of.name, overview(of)))
    terminal.show(
        (*latest_experiments(of, width=120), *explain(campaign, campaign.experiments[1], Rule())), console
    )
    terminal.show((Code(evil), Code(evil, "diff"), Code(evil, "markdown")), console)
    assert status_text(of).count("\n") == status_text(PLAIN_FIGURES).count("\n")
    assert not UNSEEN.search(terminal.escape(evil))
    for display, out in (
        (TerminalDisplay(console), screen),
        (PlainDisplay(log := io.StringIO()), log),
        (ActionsDisplay(job := io.StringIO()), job),
    ):
        display.note(evil)
        for experiment in campaign.experiments.values():
            display.experiment_begun(campaign, experiment)
            display.run_started(title=evil, replicate=1, seed=2)
            display.run_progress({"event": "progress", "fraction": 0.5, "loss": 2.0, "seconds": 3.0})
            for run in campaign.runs.values():
                if run.experiment == experiment.number:
                    display.run_finished(run)
            display.experiment_finished(campaign, experiment)
        display.close()
        # Colours are ours, and on the terminal the bar's moves of the cursor.
        shown = re.sub(r"\x1b\[(?:[\d;]*m|\d*[AK]|\?25[hl])|\r", "", out.getvalue()).replace("#\u200b#", "")
        assert not UNSEEN.search(shown), repr(UNSEEN.search(shown))
    for line in job.getvalue().splitlines():
        # Where a line is a command of ours, nothing else in it is one.
        assert re.match(r"::(group|endgroup|notice)\b", line) or not re.search(r"^\s*::|##\[", line), line
    runs = sum(run.experiment is not None for run in campaign.runs.values())
    assert len(log.getvalue().splitlines()) == 1 + 2 * len(campaign.experiments) + runs


@corpus
def test_results_tsv(evil: str) -> None:
    lines = results_tsv(story(evil)).split("\n")
    assert len(lines) == len(results_tsv(PLAIN).split("\n"))
    assert all(line.count("\t") == 4 for line in lines[:-1])
    assert not any(UNSEEN.search(line) or '"' in line for line in lines)
