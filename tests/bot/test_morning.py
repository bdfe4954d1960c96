"""The morning and the night of a real campaign: what is told, once, with the figures of the report."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from bot.agents.proposers.offline import OfflineProposer
from bot.config import NotifySettings, Stop
from bot.doctor import slack_checks
from bot.errors import UserError
from bot.ledger import now, stamp
from bot.loop import telling
from bot.loop.context import Context, open_context
from bot.loop.render import figures_of
from bot.loop.telling import morning, notify, tell
from bot.notify import delivery
from bot.notify.notifier import NotSent
from bot.notify.slack import SlackApp
from bot.notify.webhook import SlackWebhook
from bot.rules.events import ExperimentClaimed, ExperimentProposed, LoopStopped, MessageIntended
from bot.rules.proposal import stand_in
from bot.tell.display import PlainDisplay
from bot.tell.figures.campaign import figures
from bot.tell.figures.period import period
from bot.tell.numbers import device_hours
from bot.tell.views.morning import dead_ends, morning_message, wins
from bot.tell.views.news import noteworthy
from bot.tell.words import gain_words, score_words
from bot.tell.writers.slack import BLOCKS, TOTAL, length
from tests.bot.campaigns import HOSTILE, NOW, night_of
from tests.bot.repositories import CONFIG, events, make_repository, nocturne, packed
from tests.bot.telling import blocks, facts_of, lists_of, message_text
from tests.families import few
from tests.slack.server import Fault, Slack, serve

CHANNEL = "C0123456789"
SETTINGS = (
    CONFIG
    + f"slack: {{channel: {CHANNEL}, every_minutes: 0}}\nstop: {{experiments: 6}}\n"
    + "verdict: {remeasure_every: 1}\n"
)
KINDS = ("message_intended", "message_ended", "chart_shown")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository after a campaign that ran into its limit, of which nobody was told."""
    top = make_repository(tmp_path_factory.mktemp("night") / "repo", config=SETTINGS)
    nocturne(top, "run")
    return packed(top)


@pytest.fixture
def top(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "repo"))


@pytest.fixture
def slack() -> Iterator[Slack]:
    with serve() as server:
        server.channel(CHANNEL)
        yield server


def environ(slack: Slack) -> dict[str, str]:
    return {"SLACK_BOT_TOKEN": slack.token(), "SLACK_API_URL": slack.api_url}


def context_of(top: Path, slack: Slack, *, hook: bool = False, said: io.StringIO | None = None) -> Context:
    """Return a context in this process, which does not wait for Slack."""
    context = open_context(top, None, PlainDisplay(said or io.StringIO()), {}, OfflineProposer())
    if hook:
        return replace(context, notifier=SlackWebhook(slack.hook(CHANNEL), sleep=lambda _: None))
    token = slack.token()
    app = SlackApp(token, CHANNEL, {"SLACK_API_URL": slack.api_url}, sleep=lambda _: None)
    return replace(context, notifier=app)


def ledger(top: Path) -> list[str]:
    return [event["kind"] for event in events(top, "refs/remotes/nocturne/ledger") if event["kind"] in KINDS]


def texts(slack: Slack) -> str:
    return "\n".join(json.dumps(each.blocks, ensure_ascii=False) for each in slack.channel(CHANNEL).messages)


# The morning


def test_the_summary_is_sent_once_with_its_chart_whoever_asks(top: Path, slack: Slack) -> None:
    first = nocturne(top, "morning", env=environ(slack))
    assert f"sent to slack:{CHANNEL}" in first.stderr and first.stdout == ""
    (posted,) = slack.channel(CHANNEL).messages
    assert [block["type"] for block in posted.blocks[:4]] == ["header", "section", "section", "image"]
    (file,) = slack.files.values()
    assert file.content is not None and file.content.startswith(b"\x89PNG")
    before = ledger(top)
    for _ in range(2):
        assert "is in slack:" in nocturne(top, "morning", env=environ(slack)).stderr
    other = Path(shutil.copytree(top, top.parent / "other"))
    assert "is in slack:" in nocturne(other, "morning", env=environ(slack)).stderr
    assert len(slack.channel(CHANNEL).messages) == 1 and posted.edits == 1 and len(slack.files) == 1
    assert ledger(top) == before == list(KINDS)


def test_its_figures_are_those_of_the_report(top: Path, slack: Slack) -> None:
    context = context_of(top, slack)
    told = morning(context, context.notifier, None)
    assert told.message is not None and told.outcome == "sent"
    known = figures_of(context, context.ledger.refresh())
    first, last = score_words(known)
    assert told.message.summary == f"loss {first} → {last}, {gain_words(known)}"
    facts = facts_of(told.message.body)
    assert known.corrected is not None and known.baseline is not None and known.incumbent is not None
    assert "Incumbent, mean of its runs" not in facts, "all of the campaign: the first line has it"
    assert facts["Experiments"] == str(known.total) and facts["Merged"] == str(known.landed) != "0"
    assert facts["Crashed"] == str(known.verdicts["crashed"])
    assert facts[f"{known.device}-hours"] == device_hours(known.gpu_seconds)
    body = slack.channel(CHANNEL).messages[0].blocks
    shown = json.dumps(body, ensure_ascii=False)
    for value in facts.values():
        assert value in shown
    page = nocturne(top, "report").stdout
    assert f"{first} → {last}" in page and device_hours(known.gpu_seconds) in page
    landed = sorted((row.effect or 0.0, row.number) for row in known.rows if row.landed)[:3]
    lines = lists_of(told.message.body)["Worth reading"]
    wanted = [f"experiment {number}" for _, number in landed]
    assert [re.search(r"experiment \d+", line)[0] for line in lines] == wanted  # type: ignore[index]


def test_the_corrected_gain_uses_no_run_that_won(top: Path, slack: Slack) -> None:
    context = context_of(top, slack)
    campaign = context.ledger.refresh()
    known = figures_of(context, campaign)
    fresh = [run.score for run in campaign.runs_of(campaign.incumbent) if run.experiment is None]
    base = campaign.scores_of(campaign.baseline)
    assert known.corrected is not None and None not in fresh and len(fresh) >= 1
    gain = sum(base) / len(base) - sum(score for score in fresh if score is not None) / len(fresh)
    assert known.corrected.value == pytest.approx(gain)
    assert known.corrected.incumbent_runs == len(fresh) < len(campaign.runs_of(campaign.incumbent))


def test_without_slack_it_is_on_the_terminal_and_as_markdown_in_a_file(top: Path) -> None:
    done = nocturne(top, "morning")
    assert done.stdout.startswith("main: the morning of ") and "Experiments" in done.stdout
    (page,) = (top / ".git/nocturne/main/messages").glob("*.md")
    assert page.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert f"({page.with_suffix('.png').name})" in page.read_text() and ledger(top) == []
    nocturne(top, "morning")
    assert len(list(page.parent.glob("*"))) == 2


def test_a_dry_run_sends_and_writes_nothing(top: Path, slack: Slack) -> None:
    said = nocturne(top, "morning", "--dry-run", env=environ(slack)).stdout
    assert said.startswith("main: the morning of ") and slack.calls == [] and ledger(top) == []
    assert not (top / ".git/nocturne/main/messages").exists()


def test_dates(top: Path, slack: Slack) -> None:
    context = context_of(top, slack)
    today = now().date()
    with pytest.raises(UserError, match="has not come yet"):
        morning(context, context.notifier, today + timedelta(days=2))
    assert (
        morning(context, context.notifier, today - timedelta(days=9)).message is None
    )  # before the campaign began
    assert morning(context, context.notifier, today).outcome == "sent"
    said = nocturne(top, "morning", "--date", "23.11.2026", code=2).stderr
    assert "is no date: write YYYY-MM-DD" in said


def test_a_morning_after_which_nothing_happened_is_not_told(
    top: Path, slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_of(top, slack)
    assert morning(context, context.notifier, None).outcome == "sent"
    monkeypatch.setattr(telling, "now", lambda: datetime.now(timezone.utc) + timedelta(days=1))
    assert morning(context, context.notifier, None).message is None
    assert len(slack.channel(CHANNEL).messages) == 1


def test_a_repository_without_a_campaign_has_nothing_to_tell(tmp_path: Path, slack: Slack) -> None:
    top = make_repository(tmp_path / "repo", config=SETTINGS)
    assert "nothing new to tell" in nocturne(top, "morning", env=environ(slack)).stderr and slack.calls == []


def test_by_a_webhook_it_is_sent_at_most_once(top: Path, slack: Slack) -> None:
    context = context_of(top, slack, hook=True)
    slack.faults.next(fault=Fault.after)
    assert morning(context, context.notifier, None).outcome == "unknown"
    assert morning(context, context.notifier, None).outcome == "already"
    assert len(slack.channel(CHANNEL).messages) == 1
    record = json.dumps(events(top, "refs/remotes/nocturne/ledger"))
    assert "/services/" not in record and '"webhook"' in record


@pytest.mark.parametrize("step", few(range(7), 2, in_ci=4))
@pytest.mark.parametrize("fault", [Fault.before, Fault.after, Fault("down")], ids=lambda fault: fault.kind)
def test_whatever_call_fails_the_morning_is_told_once(
    top: Path, slack: Slack, step: int, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "progress_png", lambda figures: b"\x89PNG")
    context = context_of(top, slack)
    slack.faults.at(step, fault)
    morning(context, context.notifier, None)
    assert morning(context, context.notifier, None).outcome == "already"
    (posted,) = slack.channel(CHANNEL).messages
    assert sum(block["type"] == "image" for block in posted.blocks) == 1


class Killed(BaseException):
    """As if the process were gone: nothing catches it."""


@pytest.mark.long
@pytest.mark.parametrize("place", ["before", "after", "recorded", "drawn"])
def test_a_kill_at_any_instant_tells_it_once(
    top: Path, slack: Slack, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next process finds an intention whose writer is gone, and looks."""
    context = context_of(top, slack)
    dead = replace(context, holder=context.holder.rpartition("/")[0] + "/1")
    sender = context.notifier
    assert isinstance(sender, SlackApp)

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        if place == "before":
            patch.setattr(sender, "post", die)
        elif place == "after":
            patch.setattr(delivery, "_end", die)
        elif place == "recorded":
            patch.setattr(telling, "show_chart", die)
        else:
            patch.setattr(sender, "_put_in", die)
        with pytest.raises(Killed):
            morning(dead, sender, None)
    assert morning(context, sender, None).outcome == ("sent" if place == "before" else "already")
    (posted,) = slack.channel(CHANNEL).messages
    assert sum(block["type"] == "image" for block in posted.blocks) == 1
    assert morning(context, sender, None).outcome == "already" and posted.edits == 1


def test_while_another_process_sends_it_nobody_else_does(top: Path, slack: Slack) -> None:
    context = context_of(top, slack)
    assert context.notifier is not None
    upto = stamp(now())
    name = f"morning:{now().date()}"
    other = MessageIntended(
        name, 1, "elsewhere/boot/1/1", stamp(now() + timedelta(minutes=5)), upto, upto, (), f"slack:{CHANNEL}"
    )
    context.ledger.append(lambda _: [other])
    assert morning(context, context.notifier, None).outcome == "elsewhere"
    assert slack.channel(CHANNEL).messages == []


def test_a_refusal_ends_in_one_line_and_is_mended_later(top: Path, slack: Slack) -> None:
    slack.channel(CHANNEL).archived = True
    done = nocturne(top, "morning", env=environ(slack), code=2)
    assert "is_archived" in done.stderr and "unarchive the channel" in done.stderr
    slack.channel(CHANNEL).archived = False
    nocturne(top, "morning", env=environ(slack))
    assert len(slack.channel(CHANNEL).messages) == 1


# The night


@pytest.mark.long
def test_a_night_is_told_in_one_thread(tmp_path: Path, slack: Slack) -> None:
    """New bests and the stop, as they happen, by the loop itself."""
    top = make_repository(tmp_path / "repo", config=SETTINGS)
    nocturne(top, "run", env=environ(slack))
    posted = slack.channel(CHANNEL).messages
    assert len(posted) >= 2 and posted[0].thread is None
    assert {each.thread for each in posted[1:]} == {posted[0].ts}
    said = texts(slack)
    landed = [
        event for event in events(top, "refs/remotes/nocturne/ledger") if event["kind"] == "experiment_landed"
    ]
    assert said.count("New best") == len(landed) >= 1
    assert said.count("the loop stopped (experiments)") == 1 and "stopped" in json.dumps(posted[-1].blocks)
    count = len(posted)
    nocturne(top, "run", env=environ(slack))  # stops at once, for the same reason
    assert len(slack.channel(CHANNEL).messages) == count


@pytest.mark.long
def test_slack_being_down_stops_no_loop_and_is_made_up_for_once(tmp_path: Path, slack: Slack) -> None:
    top = make_repository(tmp_path / "repo", config=SETTINGS)
    gone = environ(slack) | {"SLACK_API_URL": "http://127.0.0.1:9/api/"}
    done = nocturne(top, "run", env=gone)
    assert "The loop stopped (experiments)" in done.stdout and "can't be reached" in done.stdout
    context = context_of(top, slack)
    assert context.notifier is not None
    campaign = context.ledger.refresh()
    tell(context, context.notifier, campaign, moment=now() + timedelta(seconds=1))
    assert slack.calls == []  # so soon after a refusal nobody tries again
    later = now() + timedelta(hours=3)
    tell(context, context.notifier, campaign, moment=later)
    (posted,) = slack.channel(CHANNEL).messages
    assert "the loop stopped (experiments)" in json.dumps(posted.blocks) and "New best" in json.dumps(
        posted.blocks
    )
    tell(context, context.notifier, context.ledger.refresh(), moment=later + timedelta(hours=3))
    assert len(slack.channel(CHANNEL).messages) == 1


def test_what_was_not_told_in_the_night_stands_in_the_summary(top: Path, slack: Slack) -> None:
    context = context_of(top, slack)
    told = morning(context, context.notifier, None)
    assert told.message is not None and next(iter(lists_of(told.message.body))) == "Told only now"
    assert "the loop stopped (experiments)" in texts(slack)
    notify(context, context.ledger.refresh())
    assert len(slack.channel(CHANNEL).messages) == 1


def test_quiet_hours_and_pace(top: Path, slack: Slack) -> None:
    context = context_of(top, slack)
    assert context.notifier is not None
    quiet = context.config.slack.model_copy(update={"quiet": "22:00-07:00", "timezone": "Europe/Berlin"})
    night = datetime(2026, 11, 23, 22, 30, tzinfo=timezone.utc)  # 23:30 in Berlin
    assert telling.in_quiet_hours(quiet, night)
    assert not telling.in_quiet_hours(quiet, night.replace(hour=6, minute=30))
    assert telling.in_quiet_hours(quiet.model_copy(update={"quiet": "23:00-23:45"}), night)
    assert telling.night_of(quiet, night) == "2026-11-23"
    assert telling.night_of(quiet, night + timedelta(hours=6)) == "2026-11-23"
    whole_day = quiet.model_copy(update={"quiet": "00:00-23:59"})
    held = replace(context, config=context.config.model_copy(update={"slack": whole_day}))
    tell(held, context.notifier, context.ledger.refresh())
    assert slack.calls == []
    # A stop comes at once, what is less urgent waits for its turn.
    slow = context.config.slack.model_copy(update={"every_minutes": 60.0, "new_best": 1e9})
    paced = replace(context, config=context.config.model_copy(update={"slack": slow}))
    tell(paced, context.notifier, context.ledger.refresh())
    assert len(slack.channel(CHANNEL).messages) == 1
    eager = slow.model_copy(update={"new_best": 0.0})
    paced = replace(context, config=context.config.model_copy(update={"slack": eager}))
    tell(paced, context.notifier, context.ledger.refresh())
    assert len(slack.channel(CHANNEL).messages) == 1
    context.ledger.append(lambda c: [LoopStopped("crashes", "<!channel> 5 crashed", len(c.order))])
    tell(paced, context.notifier, context.ledger.refresh())
    assert len(slack.channel(CHANNEL).messages) == 2
    assert "Needs you" in texts(slack) and "New best" in texts(slack) and "<!channel>" not in texts(slack)


def test_notify_never_raises(top: Path, slack: Slack) -> None:
    said = io.StringIO()
    context = context_of(top, slack, said=said)
    slack.tokens["xoxb-1-test"].error = "token_revoked"
    notify(context, context.ledger.refresh())
    assert "token_revoked" in said.getvalue() and "SLACK_BOT_TOKEN" in said.getvalue()
    broken = replace(context, notifier=Broken())  # type: ignore[arg-type]
    notify(broken, context.ledger.refresh())
    assert said.getvalue().count("not told in") >= 1
    with pytest.raises(NotSent):
        morning(context, context.notifier, None)


class Broken:
    """A notifier with a fault of our own."""

    channel = "broken"
    has_threads = False

    def post(self, *_: object, **__: object) -> None:
        raise RuntimeError("a bug")


# Budgets and crashes, on events alone


def test_budgets_and_crash_streaks_are_told() -> None:

    night = night_of(9)
    for number in range(10, 13):
        night.experiment(number, "crashed", "<!channel> crash")
    campaign = night.campaign()
    known = figures(campaign, now=NOW)
    hours = known.gpu_seconds / 3600

    def keys(stop: Stop, settings: NotifySettings | None = None) -> list[str]:
        return [n.key for n in noteworthy(campaign, known, settings or NotifySettings(), stop, now=NOW)]

    assert "crashes:10" in keys(Stop())
    assert "crashes:10" not in keys(Stop(), NotifySettings(crashes=4))
    assert not any(key.startswith("budget") for key in keys(Stop(gpu_hours=hours * 1.3)))
    assert [key[:20] for key in keys(Stop(gpu_hours=hours * 1.2)) if "budget" in key] == [
        "budget:gpu_hours:80:"
    ]
    spent = [key for key in keys(Stop(cost_usd=0.5)) if "budget" in key]
    assert spent == ["budget:cost_usd:80:0.5", "budget:cost_usd:100:0.5"]
    best = [key for key in keys(Stop()) if key.startswith("best:")]
    assert best and not [key for key in keys(Stop(), NotifySettings(new_best=1.0)) if key.startswith("best:")]
    old = noteworthy(campaign, known, NotifySettings(crashes=None), Stop(), now=NOW + timedelta(days=9))
    assert old == []


def test_the_morning_says_who_stands_in_for_a_model_and_why() -> None:
    told, why = (
        night_of(4, hostile=False),
        "ANTHROPIC_API_KEY is refused (invalid x-api-key): put a valid key into it",
    )
    for number, proposer in (
        (5, "claude-sonnet-5-5"),
        (6, stand_in("offline", why)),
        (7, stand_in("offline", why)),
    ):
        told.add(ExperimentClaimed(number, told.incumbent))
        told.add(ExperimentProposed(number, "Raise it", "batch", "Why", "small", "low", proposer))
    known = figures(told.campaign(), now=NOW)
    message = morning_message("2026-03-09", known, period(known, known, known.started_at), Stop())
    (said,) = [line for line in lists_of(message.body)["Needs you"] if "Claude" in line]
    assert said == f"The offline search proposes in the place of Claude, the last 2 experiments: {why}."


@pytest.mark.parametrize("experiments", few([0, 1, 30, 2000], 2))
def test_the_summary_of_any_night_fits_and_is_escaped(experiments: int) -> None:

    campaign = night_of(experiments).campaign()
    known = figures(campaign, now=NOW)
    past = period(figures(night_of(0).campaign(), now=NOW), known, campaign.started_at)
    message = morning_message("2026-03-09", known, past, Stop(experiments=3000))
    made = blocks(message)
    assert length(made) <= TOTAL and len(made) <= BLOCKS
    assert past.experiments == known.total and past.merged == known.landed
    assert len(wins(past, known)) == min(3, known.landed) and len(dead_ends(past)) <= 3
    gains = [-(row.effect or 0.0) for row in wins(past, known)]
    assert gains == sorted(gains, reverse=True)
    page = message_text(message)
    for words in HOSTILE:
        assert words not in page and words not in json.dumps(made, ensure_ascii=False)
    shown = MarkdownIt("commonmark").enable("table").render(page)
    assert set(re.findall(r'href="([^"]*)"', shown)) <= {row.url for row in known.rows}
    assert not re.search(r"<(script|img|a href=\"javascript)", shown)


def test_environment_without_slack_makes_no_notifier(top: Path) -> None:
    assert (
        open_context(top, None, PlainDisplay(io.StringIO()), dict(os.environ), OfflineProposer()).notifier
        is None
    )


def test_channel_is_needed_with_a_token(tmp_path: Path, slack: Slack) -> None:
    top = make_repository(tmp_path / "repo")
    env = {"SLACK_BOT_TOKEN": slack.token(), "SLACK_API_URL": slack.api_url}
    assert open_context(top, None, PlainDisplay(io.StringIO()), env, OfflineProposer()).notifier is None
    (finding,) = slack_checks.slack(NotifySettings(), env)
    assert (finding.colour, "slack.channel" in finding.mend) == ("amber", True)


def test_the_doctor_asks_slack_and_posts_nothing(slack: Slack) -> None:
    settings = NotifySettings(channel=CHANNEL)
    env = environ(slack)
    token = slack.tokens["xoxb-1-test"]

    def found(**more: str) -> tuple[str, str]:
        (finding,) = slack_checks.slack(settings, env | more)
        return finding.colour, f"{finding.measured} {finding.mend}"

    assert slack_checks.slack(NotifySettings(), {}) == []
    assert found() == ("green", f"nocturne in Octo reads and writes {CHANNEL} ")
    token.scopes = frozenset({"chat:write"})
    assert found()[0] == "amber" and "files:write, channels:history" in found()[1]
    token.scopes = frozenset({"files:write"})
    assert found()[0] == "red" and "chat:write" in found()[1]
    token.error = "token_revoked"
    assert found()[0] == "red" and "SLACK_BOT_TOKEN" in found()[1]
    assert found(SLACK_API_URL="http://127.0.0.1:9/api/")[0] == "amber"
    assert [each.colour for each in slack_checks.slack(settings, {})] == ["amber"]
    hook = {"SLACK_WEBHOOK_URL": slack.hook(CHANNEL)}
    assert [each.colour for each in slack_checks.slack(NotifySettings(), hook)] == ["green"]
    slack.hooks.clear()
    assert [each.colour for each in slack_checks.slack(NotifySettings(), hook)] == ["red"]
    assert slack.channel(CHANNEL).messages == []
