"""Every family of writers, each with the reader that tells whether a text did more than be read."""

from __future__ import annotations

import functools
import io
import json
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from bot.agents.claude.transcripts import Transcript
from bot.agents.quoting import quoted
from bot.base.redact import Redactor
from bot.base.text import clean
from bot.forge import BODY_LIMIT, DESCRIPTION_LIMIT, REPORT_LIMIT, cut
from bot.forge.github_records import TITLE_LIMIT, marked, plain, title_of
from bot.github.display import ActionsDisplay
from bot.notify.slack import message_line
from bot.rules.decision import Rule
from bot.rules.events import Reviewed
from bot.tell.display import PlainDisplay
from bot.tell.document import Message
from bot.tell.figures.campaign import figures
from bot.tell.figures.plain import experiment_json, status_json
from bot.tell.figures.results import results_tsv
from bot.tell.sentences import commit_message, effect_line
from bot.tell.views.check import report_of
from bot.tell.views.status import review_status, score_status, train_status
from bot.tell.writers import html, markdown, slack, terminal
from tests.bot import test_pulls_safe as pulls
from tests.bot.campaigns import NOW
from tests.hostile import readers
from tests.hostile.documents import SHAPES, document
from tests.hostile.grammar import HELD, Hostile
from tests.slack.rules import check_blocks, too_long

PLAIN = ("word", "", "\u200b")  # words that do nothing, none, and none that is seen
Kind = Literal["left its place", "did something", "was not seen", "gave a secret away", "was too long"]
KINDS: tuple[Kind, ...] = (
    "left its place",
    "did something",
    "was not seen",
    "gave a secret away",
    "was too long",
)


@dataclass(frozen=True)
class Fault:
    """What a text did more than be read: in which writer, and what that wrote."""

    writer: str
    kind: Kind
    text: str
    said: str


@dataclass(frozen=True)
class Said:
    """What a writer made of a text, to be looked at: is it in its place, does it act, how long may it be.

    `secrets_in` is what may give credentials away, if that is more than the text itself.
    """

    writer: str
    text: str
    in_place: bool = True
    acts: bool = False
    unseen: bool = False
    most: int | None = None
    secrets_in: str | None = None


def faults(hostile: Hostile, said: Said) -> Iterator[Fault]:
    found: dict[Kind, bool] = {
        "left its place": not said.in_place,
        "did something": said.acts,
        "was not seen": said.unseen,
        "gave a secret away": readers.leaks(said.secrets_in or said.text, hostile.secrets),
        "was too long": said.most is not None and len(said.text) > said.most,
    }
    for kind, bad in found.items():
        if bad:
            yield Fault(said.writer, kind, hostile.text, said.text)


def on_github(text: str, number: int) -> Iterator[Said]:
    shape = number // 4 % len(SHAPES)
    if number % 4 == 0:
        yield _title(text)
    elif number % 4 == 1:
        yield _line(text)
    elif number % 4 == 2:
        for language in ("text", "diff"):
            block = "\n".join(markdown.code_block(text, language))
            page = readers.on_github(f"{block}\n\nafter")
            ours = [each.split()[0] for each in page.built] == ["pre", "p"] and "after" in page.texts
            yield Said(f"Markdown: a block of {language}", block, ours, unseen=readers.unseen(block))
    else:
        said = marked("status", markdown.write(document(shape, text)))
        page = readers.on_github(said)
        yield Said(
            "Markdown: a document", said, page.nested and tuple(page.built) in _built_on_github(shape),
            any(map(readers.acts, page.texts)), readers.unseen(said), BODY_LIMIT, page.said,
        )  # fmt: skip


def _title(text: str) -> Said:
    said = markdown.title(text, 60)
    return Said("Markdown: a title", said, "\n" not in said, readers.acts(said), readers.unseen(said), 60)


def _line(text: str) -> Said:
    said = markdown.escape(text, 400)
    page = readers.on_github(said)
    acts = any(map(readers.acts, page.texts))
    return Said("Markdown: a line", said, {*page.built} <= {"p"}, acts, readers.unseen(said), 800, page.said)


@functools.cache
def _built_on_github(shape: int) -> frozenset[tuple[str, ...]]:
    """Return what a page is built of if its words are plain, and if there are none."""
    return frozenset(
        ("comment", *readers.on_github(markdown.write(document(shape, text))).built) for text in PLAIN
    )


def as_html(text: str, number: int) -> Iterator[Said]:
    shape = number // 3 % len(SHAPES)
    if number % 3 == 0:
        said = html.write(document(shape, text))
        page = _page(said)
        in_place = page.nested and tuple(page.built) in _built_as_html(shape)
        yield Said("HTML: a document", said, in_place, unseen=readers.unseen(said), secrets_in=page.said)
    elif number % 3 == 1:
        said = f'<i title="{html.escape(text)}">{html.escape(text)}</i>'
        page = readers.Page(said)
        in_place = page.built == ["i title"] and page.nested and page.values == ["".join(page.texts)]
        yield Said("HTML: an attribute", said, in_place, unseen=readers.unseen(said), secrets_in=page.said)
    else:
        said = f"<script>{html.for_script({'words': clean(text)})}</script>"
        page = readers.Page(said)
        held = json.loads("".join(page.texts))["words"]
        in_place = page.built == ["script"] and page.nested and held == clean(text)
        yield Said("HTML: data for a script", said, in_place, secrets_in=held)


def _page(said: str) -> readers.Page:
    return readers.Page(said, frozenset(("small",)))


@functools.cache
def _built_as_html(shape: int) -> frozenset[tuple[str, ...]]:
    # A long value stands smaller than a short one.
    texts = (*PLAIN, *("w" * length for length in range(2, 50)))
    return frozenset(tuple(_page(html.write(document(shape, text))).built) for text in texts)


def on_slack(text: str, number: int) -> Iterator[Said]:
    shape, smallest = number // 3 % len(SHAPES), number % 2 == 0
    if number % 3 == 0:
        blocks = slack.write(document(shape, text), smallest=smallest)
        check_blocks(blocks, lambda _: True)
        texts = list(readers.slack_texts(blocks))
        said = "\n".join(each for _, each in texts)
        made = tuple(readers.on_slack(each) for kind, each in texts if kind == "mrkdwn")
        acts = any(readers.acts(_without_ours(each)) for kind, each in texts if kind == "mrkdwn")
        in_place = made in _made_on_slack(shape, smallest) and not too_long(blocks)
        yield Said("Slack: blocks", said, in_place, acts, readers.unseen(said))
    else:
        for name, line, most in (
            ("a line", slack.escape(text, 80), 160),
            ("a notification", message_line(Message("key", text, text)), 2 * slack.SUMMARY),
        ):
            in_place = readers.on_slack(line) == readers.on_slack("word")
            yield Said(f"Slack: {name}", line, in_place, readers.acts(line), readers.unseen(line), most)


def _without_ours(mrkdwn: str) -> str:
    """Return mrkdwn without the links and the marks that are ours."""
    return re.sub(r"<https://example\.org/pull/7\||(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", "", mrkdwn)


@functools.cache
def _made_on_slack(shape: int, smallest: bool) -> frozenset[tuple[tuple[str, ...], ...]]:
    made = set()
    for text in PLAIN:
        texts = readers.slack_texts(slack.write(document(shape, text), smallest=smallest))
        made.add(tuple(readers.on_slack(each) for kind, each in texts if kind == "mrkdwn"))
    return frozenset(made)


def on_a_terminal(text: str, number: int) -> Iterator[Said]:
    if number % 3 == 0:
        out = io.StringIO()
        console = Console(file=out, force_terminal=number % 2 == 0, width=5_000)
        terminal.show(document(number // 3 % len(SHAPES), text), console)
        said = out.getvalue()
        yield Said("terminal: a document", said, acts=readers.on_terminal(said) > 0)
        return
    for name, display in (("a log", PlainDisplay), ("a job's log", ActionsDisplay)):
        out = io.StringIO()
        display(out).note(text)
        said = out.getvalue()
        lines = said.removesuffix("\n").split("\n")
        command = name == "a job's log" and (lines[0].lstrip().startswith("::") or "##[" in said)
        shown = said.replace("#\u200b#", "")
        yield Said(f"terminal: {name}", said, len(lines) == 1, command or readers.on_terminal(shown) > 0)


def as_a_check_run(text: str, number: int) -> Iterator[Said]:
    places = pulls.TOGETHER[number // 3 % len(pulls.TOGETHER)]
    campaign, _ = pulls.story(pulls.filled(places, text))
    experiment = campaign.experiments[1]
    assert experiment.decision is not None
    title = markdown.title(effect_line(campaign, experiment.decision, 200) or text, 200)
    yield Said("check run: the title", title_of(title), acts=readers.acts(title), most=TITLE_LIMIT)
    for said in (
        train_status(campaign, experiment, experiment.decision)[1],
        score_status(campaign, experiment.decision)[1],
        review_status(Reviewed(1, 1, False, (text,), "f"), None)[1],
    ):
        told = cut(plain(said), DESCRIPTION_LIMIT)
        yield Said("a status", told, "\n" not in told, unseen=readers.unseen(told), most=DESCRIPTION_LIMIT)
    if number % 3 == 0:
        report = report_of(campaign, experiment, Rule())
        yield from _report(places, (report.summary, report.text))


def _report(places: tuple[str, ...], parts: tuple[str, str]) -> Iterator[Said]:
    for name, part, built in zip(("summary", "text"), parts, _built_as_a_check_run(places), strict=True):
        said = cut(plain(part), REPORT_LIMIT)
        page = readers.on_github(said)
        yield Said(
            f"check run: the {name}", said, page.nested and tuple(page.built) in built,
            any(map(readers.acts, page.texts)), readers.unseen(said), REPORT_LIMIT, page.said,
        )  # fmt: skip


@functools.cache
def _built_as_a_check_run(places: tuple[str, ...]) -> tuple[frozenset[tuple[str, ...]], ...]:
    made = []
    for text in PLAIN:
        campaign, _ = pulls.story(pulls.filled(places, text))
        report = report_of(campaign, campaign.experiments[1], Rule())
        made.append([tuple(readers.on_github(part).built) for part in (report.summary, report.text)])
    return tuple(frozenset(parts) for parts in zip(*made, strict=True))


def in_a_prompt(text: str, number: int) -> Iterator[Said]:
    redact = Redactor(HELD)
    said: str = redact(quoted(text, text[:200], 1_000))
    yield Said("prompt: quoted data", said, readers.in_prompt(said), unseen=readers.unseen(said), most=1_400)
    if number % 10 == 0:
        yield _transcript(text, redact)


def _transcript(text: str, redact: Redactor) -> Said:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.md")
        transcript = Transcript([path], "Experiment 1: proposer", redact)
        result = {"type": "tool_result", "tool_use_id": text[:40], "content": text}
        transcript.said([{"type": "text", "text": text}, result])
        transcript.note(text)
        said = path.read_text(encoding="utf-8", errors="replace")
    page = readers.on_github(said)
    kinds = [each.split()[0] for each in page.built if each != "em"]
    in_place = kinds == ["h1", "h2", "pre", "p", "pre", "p"] and page.nested
    return Said("prompt: a transcript", said, in_place, unseen=readers.unseen(said))


def as_data(text: str, number: int) -> Iterator[Said]:
    places = pulls.TOGETHER[number // 3 % len(pulls.TOGETHER)]
    campaign, _ = pulls.story(pulls.filled(places, text), finished=True)
    if number % 3:
        table = results_tsv(campaign)
        rows = readers.rows(table)
        in_place = [len(row) for row in rows] == [5] * 3 and [row[3] for row in rows] == [
            "status",
            "keep",
            "discard",
        ]
        calculates = any(row[4].startswith(tuple("=+-@\t\r")) for row in rows)
        yield Said("data: results.tsv", table, in_place, calculates, readers.unseen(table))
        return
    made = figures(campaign, diffs={}, now=NOW)
    for name, data in (
        ("status", json.dumps(status_json(made))),
        ("an experiment", json.dumps([experiment_json(row) for row in made.rows])),
    ):
        said = "\n".join(readers.strings(data))
        yield Said(f"data: JSON of {name}", said, unseen=readers.unseen(said))


Family = Callable[[str, int], Iterator[Said]]
FAMILIES: dict[str, Family] = {
    "GitHub Markdown": on_github,
    "HTML": as_html,
    "Slack": on_slack,
    "terminal": on_a_terminal,
    "check-run outputs": as_a_check_run,
    "prompts to models": in_a_prompt,
    "results.tsv and JSON": as_data,
}
COMMITS = "commit messages"
_OURS = ("Nocturne-Campaign", "Nocturne-Experiment", "Nocturne-Category", "Nocturne-Proposer")


def commits(texts: Sequence[Hostile]) -> Iterator[tuple[Hostile, Said]]:
    """Yield what git itself reads of a commit for each text; all of them go through it at once."""
    with tempfile.TemporaryDirectory() as folder:

        def git(*words: str, said: bytes = b"") -> bytes:
            done = subprocess.run(["git", *words], cwd=folder, input=said, capture_output=True, check=True)
            return done.stdout

        git("init", "-q", "--bare", ".")
        stream = b""
        for hostile in texts:
            message = _message(hostile.text).encode()
            stream += b"commit refs/heads/x\ncommitter A <a@example.org> 0 +0000\ndata %d\n%s\n" % (
                len(message),
                message,
            )
        git("fast-import", "--quiet", said=stream)
        asked = "--format=%B%x00%s%x00%(trailers:only)%x00"
        told = git("log", "-z", "--reverse", asked, "refs/heads/x").decode().split("\0")
    for number, hostile in enumerate(texts):
        whole, subject, trailers = told[number * 4 : number * 4 + 3]
        names = [line.partition(":")[0] for line in trailers.strip("\n").split("\n")]
        in_place = tuple(names) == _OURS and "Nocturne-Experiment: 7\n" in trailers and bool(subject.strip())
        acts = readers.acts(whole) or readers.in_mail(whole)
        yield hostile, Said("commit: a message", whole, in_place, acts, readers.unseen(whole), 6_500)


def _message(text: str) -> str:
    return commit_message(
        experiment=7, campaign="main", hypothesis=text, category=text, reason=text, expected=text, proposer=text
    )  # fmt: skip


def checked(texts: Sequence[Hostile], family: str) -> Iterator[Fault]:
    """Yield what texts do in a family of writers."""
    if family == COMMITS:
        for hostile, said in commits(texts):
            yield from faults(hostile, said)
        return
    for number, hostile in enumerate(texts):
        for said in FAMILIES[family](hostile.text, number):
            yield from faults(hostile, said)
