"""One real campaign, told everywhere: every figure, as it is read back out of the rendered text, is the same.

The loop runs as a user starts it, the messages are sent by the real client to a Slack on loopback that keeps
Slack's limits and pace, and the figures are read from what a human would read.
"""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.agents.claude.transcripts import Conversations, folder_of
from bot.agents.proposers.offline import OfflineProposer
from bot.base.text import Clean
from bot.forge import PullRequest
from bot.loop.context import open_context
from bot.tell.display import PlainDisplay
from tests.bot.forge_readers import noting, readable
from tests.bot.repositories import CONFIG, git, make_repository, nocturne, status
from tests.slack.rules import check_blocks, too_long
from tests.slack.server import Slack, serve

CHANNEL = "C0123456789"
pytestmark = pytest.mark.timeout(1200)
NUMBER = r"[-+]?\d[\d,]*(?:\.\d+)?"
AMOUNT = rf"((?:better|worse) by {NUMBER}(?: ± {NUMBER})?)"


@dataclass(frozen=True)
class Told:
    """A campaign after its last experiment, and all that was made of it."""

    top: Path
    slack: Slack
    page: str
    dashboard: str
    promotion: PullRequest
    pulls: dict[int, PullRequest]
    status: dict[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        """What the page's script works on."""
        found = re.search(r'id="data">(.*?)</script>', self.page, re.DOTALL)
        assert found is not None
        data: dict[str, Any] = json.loads(found[1])
        return data


@pytest.fixture(scope="module", params=[4, pytest.param(32, marks=pytest.mark.slow)])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("told")
    config = f"slack: {{channel: {CHANNEL}, every_minutes: 0}}\nstop: {{experiments: {request.param}}}\n"
    top = make_repository(folder / "repo", config=CONFIG + config)
    with serve() as slack, pytest.MonkeyPatch.context() as patch:
        slack.channel(CHANNEL)
        slack.strict_pace = request.param > 30
        environ = {"SLACK_BOT_TOKEN": slack.token(), "SLACK_API_URL": slack.api_url}
        noting(patch)
        nocturne(top, "run", env=environ, timeout=900)
        nocturne(top, "morning", env=environ)
        context = open_context(top, None, PlainDisplay(io.StringIO()), {}, OfflineProposer())
        campaign = context.ledger.refresh()
        assert campaign.promotion is not None
        kept = Conversations(folder_of(context.git.common_dir, context.name), redact=Clean)
        kept.begin(2, "reviewer", "word").said([{"type": "text", "text": "Is it <b>simpler</b>?"}])
        nocturne(top, "report", "--html", str(folder / "page.html"))
        yield Told(
            top=top,
            slack=slack,
            page=(folder / "page.html").read_text(),
            dashboard=git(top, "show", "nocturne/ledger:main/README.md"),
            promotion=readable(context.forge).get_pull(campaign.promotion.pull),
            pulls={
                e.number: readable(context.forge).get_pull(e.pull.pull)
                for e in campaign.experiments.values()
                if e.pull
            },
            status=status(top),
        )
        assert slack.broken == []


def plain(text: str) -> str:
    """Return text as its reader sees it: no escapes, no tags, no joiners, and a minus that is one."""
    text = html.unescape(re.sub(r"<[^<>]*>", "", text)).replace("\u200d", "").replace("\u2212", "-")
    return re.sub(r"\\([^\w\s])", r"\1", text)


def read(pattern: str, text: str) -> tuple[str, ...]:
    found = re.search(pattern, text)
    assert found is not None, (pattern, text[:2000])
    return found.groups()


def summary(slack: Slack) -> str:
    """Return the morning's message as it stands in the channel."""
    (found,) = [m for m in slack.channel(CHANNEL).messages if "the morning of" in json.dumps(m.blocks)]
    parts = []
    for block in found.blocks:
        for text in (block.get("text"), *block.get("fields", ()), *block.get("elements", ())):
            if text:
                parts.append(re.sub(r"<[^<>|]*\|([^<>]*)>", r"\1", text["text"]))
    return plain("\n".join(parts))


def facts_of(page: str) -> dict[str, str]:
    """Return the headline's figures of the page without what stands in small."""
    pairs = re.findall(r"<dt>(.*?)</dt><dd>(.*?)(?: <small>.*?</small>)?</dd>", page)
    return {name: plain(value) for name, value in pairs}


def table_of(markdown: str, first: str) -> list[dict[str, str]]:
    """Return the rows of the Markdown table whose first column is `first`."""
    lines = iter(markdown.splitlines())
    head = next(line for line in lines if line.startswith(f"| {first} |"))
    names = [plain(name).strip() for name in head.strip("| ").split(" | ")]
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        cells = re.split(r"(?<!\\) \| ", line.removeprefix("| ").removesuffix(" |"))
        rows.append(
            dict(
                zip(
                    names,
                    (plain(re.sub(r"\[(.*?)\]\(.*?\)", r"\1", cell)).strip() for cell in cells),
                    strict=True,
                )
            )
        )
    return rows


def test_the_headline_is_the_same_everywhere(told: Told) -> None:
    page, dashboard, message = plain(told.page), plain(told.dashboard), summary(told.slack)
    ends = {
        "page": read(rf'<span class="from">({NUMBER})</span>.*?<strong>({NUMBER})</strong>', told.page),
        "dashboard": read(rf"\*\*loss ({NUMBER}) → ({NUMBER})\*\*", dashboard),
        "slack": read(rf"\*loss ({NUMBER}) → ({NUMBER}),", message),
        "promotion": read(rf"\*\*loss ({NUMBER}) → ({NUMBER})\*\*", plain(told.promotion.body)),
        "promotion's title": read(rf"loss ({NUMBER}) → ({NUMBER}),", plain(told.promotion.title)),
        "terminal": read(rf"loss ({NUMBER}) → ({NUMBER}),? ", plain(nocturne(told.top, "status").stdout)),
    }
    assert len(set(ends.values())) == 1, ends
    (first, last) = ends["page"]
    places, value = len(first.partition(".")[2]), told.status["told"]
    assert (
        value is not None
        and first == f"{value['first']:.{places}f}"
        and last == f"{value['last']:.{places}f}"
    )
    gains = {
        "page": read(rf'<p class="gain"><b>{AMOUNT}', told.page),
        "dashboard": read(rf"\*\*, {AMOUNT}", dashboard),
        "slack": read(rf"\*loss .*?, {AMOUNT}", message),
        "promotion": read(
            rf"(?:corrected for bias: |flatter, it is |the head is ){AMOUNT}", plain(told.promotion.body)
        ),
    }
    assert len(set(gains.values())) == 1, gains
    assert gains["page"] == (f"better by {value['value']:.{places}f} ± {value['half_width']:.{places}f}",)
    for text in (page, dashboard, message, plain(told.promotion.body)):
        assert ("flatter" in text) == (value["how"] == "picked")


def test_counts_time_and_money_are_the_same_everywhere(told: Told) -> None:
    page, message = facts_of(told.page), summary(told.slack)
    dashboard = dict(re.findall(r"^\| ([\w -]+) \| (.+?) \|$", plain(told.dashboard), re.MULTILINE))
    for name in ("Experiments", "Merged", "Crashed", "CPU-hours", "Spent on agents"):
        (slack,) = read(rf"\*{name}\*\n(.+)", message)
        assert page[name] == dashboard[name] == slack, name
    known = told.status
    assert page["Experiments"] == str(known["experiments"]["total"])
    assert page["Merged"] == str(known["landed"]) != "0"
    assert page["Crashed"] == str(known["experiments"]["crashed"])
    assert float(page["CPU-hours"]) == pytest.approx(known["gpu_seconds"] / 3600, abs=0.005)
    assert read(rf"out of ({NUMBER}) measured experiments?", told.promotion.body) == (
        str(sum(row["effect"] is not None for row in told.data["rows"])),
    )
    (each,) = read(r"\*Per merge\*\n(.+)", message)
    assert f"{each} for each merge" in plain(told.page)
    whole = read(
        rf"the whole campaign: ({NUMBER}) experiments, ({NUMBER}) merged, ({NUMBER}) CPU-hours", message
    )
    assert whole == (page["Experiments"], page["Merged"], page["CPU-hours"])
    # The parts that the page counts add up to the same.
    costs = re.search(r"<b>all together</b></td>(.*?)</tr>", told.page)
    assert costs is not None
    sums = re.findall(r">([^<>]+)</td>", costs[1])
    assert sums == [page["Experiments"], page["Runs"], page["CPU-hours"], page["Spent on agents"]]


def test_every_effect_is_the_same_everywhere(told: Told) -> None:
    rows = {row["number"]: row for row in told.data["rows"]}
    effects = {number: plain(row["shown"]["effect"]) for number, row in rows.items()}
    assert len(effects) == told.status["experiments"]["total"]
    latest = table_of(told.dashboard, r"\#")
    assert [int(row["#"]) for row in latest] == sorted(rows, reverse=True)[:50]
    for row in latest:
        assert row["effect"] == effects[int(row["#"])]
        assert row["verdict"].strip("*") == rows[int(row["#"])]["state"]
        assert row["score"] == plain(rows[int(row["#"])]["shown"]["score"])
    changes = table_of(told.promotion.body, "experiment")
    assert changes and {int(row["experiment"]) for row in changes} <= {n for n in rows if rows[n]["landed"]}
    for row in changes:
        assert row["effect"] == effects[int(row["experiment"])]
    wins = re.findall(rf"• loss ({NUMBER} ± {NUMBER}), experiment (\d+)", summary(told.slack))
    assert len(wins) >= min(3, told.status["landed"])
    for shown, number in wins:
        assert shown == effects[int(number)]
    measured = 0
    for number, pull in told.pulls.items():
        # Two digits of its own uncertainty, as everywhere.
        found = re.search(rf"loss {NUMBER}, ({NUMBER}) ± ({NUMBER}) vs", plain(pull.body))
        if found is None:
            assert rows[number]["effect"] is None, pull.body
            continue
        measured += 1
        for shown, exact in zip(
            found.groups(), (rows[number]["effect"], rows[number]["halfWidth"]), strict=True
        ):
            places = len(shown.partition(".")[2])
            assert float(shown) == pytest.approx(exact, abs=0.51 * 10**-places)
    assert measured == sum(row["effect"] is not None for row in rows.values()) > 0


def test_the_page_carries_the_clones_conversations(told: Told) -> None:
    talks = {row["number"]: row["talks"] for row in told.data["rows"] if row["talks"]}
    assert talks == {
        2: [{"role": "reviewer", "parts": [["Nocturne", "Is it <b>simpler</b>?"]], "leftOut": 0}]
    }


def test_slack_took_every_message_within_its_limits(told: Told) -> None:
    posted = told.slack.channel(CHANNEL).messages
    refused = {call.error for call in told.slack.calls if call.error is not None}
    assert refused <= {"ratelimited"}  # and what came too fast was sent again
    for message in posted:
        check_blocks(message.blocks, lambda file: file in told.slack.files)
        assert not too_long(message.blocks) and 0 < len(message.text) <= 600
    said = [json.dumps(message.blocks, ensure_ascii=False) for message in posted]
    assert sum("the morning of" in each for each in said) == 1
    threads = {message.thread for message in posted if message.thread is not None}
    starts = [message for message in posted if message.thread is None]
    assert len(starts) <= 3 and threads <= {message.ts for message in starts}  # a night may pass midnight
    assert "the loop stopped (experiments)" in "".join(said)
    assert "".join(said).count("New best") <= told.status["landed"]
    (file,) = told.slack.files.values()
    assert file.complete and (file.content or b"").startswith(b"\x89PNG")
