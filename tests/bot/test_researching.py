"""The researcher in a campaign: when it is asked, where its mechanism lives, and what never moves for it."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.agents.claude.researcher import ClaudeResearcher
from bot.agents.claude.settings import campaign_role
from bot.agents.proposers.offline import OfflineProposer
from bot.agents.registry import Setup
from bot.config import parse
from bot.errors import UserError
from bot.loop.agents import with_agents
from bot.loop.context import Context, open_context
from bot.loop.hosting import Generated
from bot.loop.researching import mechanism_of, research, source_of
from bot.loop.runner import Until, run_loop
from bot.loop.start import ensure_started
from bot.rules.campaign import Campaign
from bot.rules.events import MechanismFailed, MechanismSwitched, MechanismWritten
from bot.rules.outer.record import Record, steered_of
from bot.rules.outer.registry import CONTROLS, names
from bot.rules.outer.research import EVERY, LEAST, is_due, worth_words
from bot.rules.outer.trial import Block
from bot.rules.outer.view import Aim, Steer, View
from bot.tell.display import PlainDisplay
from tests.bot.repositories import CONFIG, events, git, make_repository, nocturne, packed
from tests.evaluator.jail.world import skip_unless_possible
from tests.mechanisms import history, steering
from tests.messages.minds import Mind, Said, refusal, script, status, use
from tests.messages.server import Api, serve

SOURCE = steering('return {"avoid": [{"constant": "BATCH", "until": view["number"] + 3}]}')
GOOD = use(
    "write_mechanism", {"name": "leave_batch", "rationale": "18 of 24 moved the batch.", "source": SOURCE}
)
BROKEN = use(
    "write_mechanism", {"name": "broken", "rationale": "It may help.", "source": "def steer(view):\n"}
)
VIEW = history(24)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_repository(
        tmp_path_factory.mktemp("finished") / "repo", config=f"{CONFIG}stop: {{experiments: 1}}\n"
    )
    nocturne(folder, "run")
    return packed(folder)


@contextmanager
def night(finished: Path, tmp_path: Path, mind: Mind) -> Iterator[tuple[Context, Api, list[str]]]:
    top = tmp_path / "repo"
    shutil.copytree(finished, top)
    with serve(mind) as api:
        context = open_context(top, None, PlainDisplay(io.StringIO()), {}, OfflineProposer())
        notes: list[str] = []
        setup = Setup(
            context.name, context.config, api.environ, context.git.common_dir, context.ledger.refresh,
            lambda called: context.ledger.append(lambda _: [called]), notes.append, lambda: (),
        )  # fmt: skip
        role = campaign_role(setup, "researcher", context.config.models.researcher)
        yield replace(context, researcher=ClaudeResearcher(role)), api, notes


def asked(context: Context, view: View = VIEW) -> Campaign:
    return research(context, context.ledger.refresh(), view, [])


@pytest.fixture(autouse=True)
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """One experiment is enough to read."""
    monkeypatch.setattr("bot.rules.outer.research.LEAST", 1)


@pytest.mark.long
def test_a_mechanism_lives_on_a_ref_of_its_own(finished: Path, tmp_path: Path) -> None:
    skip_unless_possible()
    with night(finished, tmp_path, script(BROKEN, GOOD)) as (context, api, _):
        before = {name: context.forge.branch_head(name) for name in (context.branch, context.base)}
        known = context.ledger.refresh()
        kept = [*known.promotions], [*known.incumbents]
        files = {"train.py": "RATE = 0.1  # known\n", "private/x.py": "secret = 1\n"}
        models = context.config.models.model_copy(update={"leave_out": ["private/**"]})
        context = replace(context, config=context.config.model_copy(update={"models": models}))
        campaign = asked(context, replace(VIEW, files=files))
        assert "RATE = 0.1  # known" in api.seen() and "secret = 1" not in api.seen()
        written = campaign.outer.written["leave_batch"]
        assert len(api.made) == 2
        assert asked(context).event_count == campaign.event_count and len(api.made) == 2
        assert (written.experiment, written.author, len(written.checks)) == (25, "claude-opus-5-5", 4)
        head = context.forge.branch_head(written.branch)
        assert head == written.commit and written.branch == f"nocturne/outer/{context.name}/by-leave_batch"
        base = context.forge.branch_head(f"nocturne/outer/{context.name}/all")
        assert base is not None
        changed = context.git.file_changes(base, written.commit)
        assert [(each.path, each.status) for each in changed] == [("leave_batch.py", "A")]
        assert {name: context.forge.branch_head(name) for name in before} == before
        assert (campaign.promotions, campaign.incumbents) == kept
        mechanism = mechanism_of(context, campaign, "leave_batch")
        assert isinstance(mechanism, Generated) and source_of(context, written) == SOURCE
        assert mechanism.steer(VIEW, 7) == Steer(avoid=(Aim(28, constant="BATCH"),))
        assert mechanism_of(context, campaign, "none").steer(VIEW, 7) == Steer()
        assert campaign.bills.by_role["researcher"].calls == 2
    elsewhere = tmp_path / "elsewhere"
    git(tmp_path, "clone", "-q", str(context.git.own_remote), str(elsewhere))
    assert git(elsewhere, "show", f"origin/{written.branch}:leave_batch.py").strip() == SOURCE.strip()


@pytest.mark.parametrize(
    ("mind", "why"),
    [(script(refusal()), "refused to answer"), (script(status(401)), "ANTHROPIC_API_KEY is refused"),
     (script(BROKEN), "came back")],
    ids=["refuses", "401", "broken"],
)  # fmt: skip
def test_without_one_the_ledger_says_why_and_it_is_not_asked_again_soon(
    finished: Path, tmp_path: Path, mind: Mind, why: str
) -> None:
    with night(finished, tmp_path, mind) as (context, api, _):
        campaign = asked(context)
        calls = len(api.calls)
        assert why in campaign.outer.unwritten[0].why and campaign.outer.researched == 25
        assert not campaign.outer.written
        assert asked(context, replace(VIEW, number=26)).event_count == campaign.event_count
        assert len(api.calls) == calls
        assert context.forge.branch_head(f"nocturne/outer/{context.name}/all") is None
    assert "nothing_written" in [event["kind"] for event in events(tmp_path / "repo")]


def record(*said: Any) -> Record:
    campaign = Campaign()
    for event in said:
        event.apply(campaign, "2026-11-30T01:00:00+00:00", "host/1")
    return campaign.outer


def test_it_is_due_if_there_is_enough_to_read_and_nothing_of_its_own_on_trial() -> None:
    at, name = "2026-11-30T02:00:00+00:00", "mine"
    written = MechanismWritten(name, 20, "mine.py", "c" * 40, "b", 1, "", "claude", "why")
    off = MechanismSwitched(name, False, "comment:1")
    failed = MechanismFailed(name, 25, "it raised", "2026-11-30T06:00:00+00:00")
    assert not is_due(record(), LEAST, 0, at)
    assert is_due(record(), 12, 10, at)
    assert not is_due(record(written), 20 + EVERY, 34, at)
    assert is_due(record(written, off), 20 + EVERY, 34, at)
    assert not is_due(record(written, off), 19 + EVERY, 34, at)
    assert is_due(record(written, failed), 20 + EVERY, 34, at)
    assert not is_due(record(written, failed), 20 + EVERY, 34, "2026-11-30T07:00:00+00:00")


def test_what_a_mechanism_is_worth_is_said_with_its_doubt() -> None:
    controls = [Block("none", 0.0, 1.0), Block("restart", 0.5, 1.0), Block("kick", 0.2, 1.0)]
    assert worth_words([], "mine") == "no block yet"
    assert worth_words([Block("mine", 1.0, 1.0)], "mine") == "1 blocks, and none of a control to compare with"
    said = worth_words([*controls, Block("mine", 0.6, 1.0, 2)], "mine")
    assert said.startswith("1 blocks, 2 proposals changed: +0.37 ±") and "too few to tell" in said
    sure = worth_words([*controls, *[Block("mine", 9.0, 1.0, 1)] * 4], "mine")
    assert "too few" not in sure


STEERING = steering(
    'return {"avoid": [{"constant": c["name"], "until": view["number"] + 1} for c in view["constants"][1:]]}'
)
LATE = steering('if view["number"] > 2:\n    raise ValueError("late")\nreturn {}')


def campaign_with(source: str, tmp_path: Path, experiments: int, *answers: Said) -> tuple[Campaign, Api, str]:
    """Return a campaign of `outer: generated` in which only what the researcher wrote takes blocks, if it wrote any."""
    more = f"outer: generated\nstop: {{experiments: {experiments}}}\n"
    top = make_repository(tmp_path / "repo", config=CONFIG + more)
    notes = io.StringIO()
    hand_in = use("write_mechanism", {"name": "mine", "rationale": "It looks elsewhere.", "source": source})
    with serve(script(*(answers or (hand_in,)))) as api:
        plain = open_context(top, None, PlainDisplay(notes), {}, OfflineProposer())
        context = with_agents(plain, api.environ)
        ensure_started(context)
        offs = [MechanismSwitched(name, False, f"cli:{name}") for name in names() if name not in CONTROLS]
        context.ledger.append(lambda _: offs)
        run_loop(context, Until(experiments=experiments))
        return context.ledger.refresh(), api, notes.getvalue()


@pytest.mark.long
def test_what_was_written_goes_on_trial_and_changes_proposals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_unless_possible()
    for place in ("bot.loop.steering", "bot.rules.outer.worth"):
        monkeypatch.setattr(f"{place}.BLOCK", 2)
    monkeypatch.setattr("bot.rules.outer.trial.controls_turn", lambda block, seed: False)
    campaign, api, _ = campaign_with(STEERING, tmp_path, 5)
    assert campaign.outer.written["mine"].experiment == 2 and len(api.made) == 1
    mine = [block.first for block in campaign.outer.blocks if block.mechanism == "mine"]
    assert mine and "mine" not in campaign.outer.failed
    found = [steered_of(campaign.experiments[n]) for n in range(mine[0], 6)]
    assert all(each is not None and each.mechanism == "mine" and len(each.steer.avoid) > 2 for each in found)
    assert any(each is not None and each.changed for each in found)
    bills = campaign.bills.by_role
    assert set(bills) == {"researcher"} and bills["researcher"].calls == 1


@pytest.mark.long
def test_one_that_fails_is_off_until_the_morning_and_the_night_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_unless_possible()
    for place in ("bot.loop.steering", "bot.rules.outer.worth"):
        monkeypatch.setattr(f"{place}.BLOCK", 2)
    monkeypatch.setattr("bot.rules.outer.trial.controls_turn", lambda block, seed: False)
    campaign, _, notes = campaign_with(LATE, tmp_path, 5)
    until, why = campaign.outer.failed["mine"]
    assert "ValueError: late" in why and until > campaign.last_at[:10]
    assert "off until the morning" in notes
    assert len(campaign.order) == 5 and all(e.proposal is not None for e in campaign.finished())


@pytest.mark.long
def test_a_researcher_that_does_not_answer_costs_the_night_nothing(tmp_path: Path) -> None:
    campaign, _, notes = campaign_with("", tmp_path, 3, refusal())
    assert [each.experiment for each in campaign.outer.unwritten] == [2] and "refused to answer" in notes
    assert len(campaign.order) == 3 and not campaign.outer.written


def test_without_a_jail_the_key_is_refused_in_one_line(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config=CONFIG)
    config = parse(f"{CONFIG}outer: generated\n", campaign=None)[1]
    evaluator = config.evaluator.model_copy(update={"jail": "none"})
    context = open_context(folder, None, PlainDisplay(io.StringIO()), {}, OfflineProposer())
    context = replace(context, config=config.model_copy(update={"evaluator": evaluator}))
    with pytest.raises(UserError, match="outer: generated") as refused:
        with_agents(context, {})
    assert "\n" not in str(refused.value)
