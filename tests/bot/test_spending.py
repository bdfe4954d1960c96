"""Prices, caps and bills; what the configuration says of them, and what the ledger keeps."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import get_args

import pytest

from bot.agents.claude.budget import Budget, Caps
from bot.agents.claude.failures import OverBudget
from bot.agents.claude.prices import TokenUsage, cost_usd, traits, worst_cost_usd
from bot.agents.claude.settings import caps, unpriced
from bot.config import Config, ModelPrice, parse
from bot.errors import UserError
from bot.git.remote import choose_remote
from bot.ledger import Ledger
from bot.ledger.store import LedgerStore
from bot.rules.campaign import Campaign, fold
from bot.rules.events import ModelCalled, Recorded, from_json, to_json
from bot.rules.experiment import Experiment
from bot.rules.stopping import Limits, why_stop
from tests.bot.storage import make_repository
from tests.bot.telling import cost_text
from tests.messages.models import MODELS

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=timezone.utc)


def called(**changes: object) -> ModelCalled:
    given: dict[str, object] = {
        "experiment": 1, "role": "proposer", "conversation": "abc", "call": 1, "model": "claude-sonnet-5-5",
        "input_tokens": 100, "output_tokens": 50, "cache_read_tokens": 800, "cache_write_tokens": 100,
        "cost_usd": 0.5, "stop_reason": "end_turn",
    }  # fmt: skip
    return ModelCalled(**{**given, **changes})  # type: ignore[arg-type]


def known(*calls: tuple[ModelCalled, str]) -> Campaign:
    return fold(Recorded(call, at) for call, at in calls)


def budget(campaign: Campaign, limits: Caps, experiment: int | None = 1, **more: object) -> Budget:
    def record(event: ModelCalled) -> None:
        campaign.apply(Recorded(event, NOW.isoformat()))

    return Budget(
        experiment,
        "proposer",
        limits,
        lambda: campaign,
        record,
        clock=lambda: NOW,
        **more,  # type: ignore[arg-type]
    )


# ---- models and prices ----


@functools.cache
def named() -> list[str]:
    """Return the models that the SDK names."""
    import anthropic.types  # four seconds, which collecting the tests is not worth

    return [name for part in get_args(anthropic.types.Model) for name in get_args(part)]


def test_defaults_are_current_models_of_the_sdk_with_a_price() -> None:
    models = Config().models
    for name in (models.proposer, models.reviewer):
        assert name in named()
    maker, checker = (cost_usd(name, TokenUsage(0, 1)) for name in (models.proposer, models.reviewer))
    assert maker and checker and maker < checker, "a fast one makes, a strong one checks"


def test_every_model_of_the_sdk_is_known_to_us_and_to_the_server() -> None:
    for name in named():
        if "preview" in name or "mythos" in name:
            continue
        # The last edition of the table for Python 3.10 is older than the newest models.
        assert cost_usd(name, TokenUsage(1)) or sys.version_info < (3, 11), name
        assert name in MODELS, name
        rules = MODELS[name]
        assert (traits(name).context, traits(name).max_output) == (rules.context, rules.max_output), name
        assert traits(name).effort is bool(rules.efforts), name


def test_every_kind_of_token_has_its_rate_and_the_dearest_bounds_a_call() -> None:
    for name in (name for name in named() if cost_usd(name, TokenUsage(1)) is not None):
        kinds = (
            TokenUsage(cache_read_tokens=1000), TokenUsage(1000), TokenUsage(cache_write_tokens=1000),
            TokenUsage(cache_write_tokens=1000, cache_write_1h_tokens=1000), TokenUsage(output_tokens=1000),
        )  # fmt: skip
        costs = [cost_usd(name, usage) or 0.0 for usage in kinds]
        assert costs[0] > 0 and costs == sorted(set(costs)), name
        assert worst_cost_usd(name, 1000, 0) == costs[3]


def test_prices_are_known_without_a_network() -> None:
    code = (
        "import socket\nfrom bot.agents.claude.prices import TokenUsage, cost_usd\n"
        "def refuse(*_, **__):\n    raise AssertionError('the network was asked')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "import threading\nprint(cost_usd('claude-opus-5-5', TokenUsage(1_000_000)), threading.active_count())"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["4.0", "1"]


def test_cost_to_the_cent() -> None:
    usage = TokenUsage(1_000_000, 1_000_000, 1_000_000, 2_000_000, cache_write_1h_tokens=1_000_000)
    assert cost_usd("claude-sonnet-5-5", usage) == pytest.approx(2 + 10 + 0.1 + 2.5 + 4)
    assert cost_usd("claude-haiku-4-5-20251001", usage) == pytest.approx(1 + 5 + 0.1 + 1.25 + 2)
    assert usage.prompt_tokens == 4_000_000 and usage.tokens == 5_000_000


def test_long_prompts_cost_more_where_they_do() -> None:
    short, long = TokenUsage(100_000, 1000), TokenUsage(10, 1000, cache_read_tokens=100_000)
    assert cost_usd("claude-haiku-5-5", short) == pytest.approx(0.0105)
    assert cost_usd("claude-haiku-5-5", long) == pytest.approx((10 * 0.5 + 1000 * 2.5 + 100_000 * 0.05) / 1e6)


def test_unknown_models_have_no_cost_until_the_configuration_gives_one() -> None:
    usage = TokenUsage(1_000_000, 1_000_000, 1_000_000, 1_000_000)
    assert cost_usd("claude-next-9", usage) is None and worst_cost_usd("claude-next-9", 1, 1) is None
    text = "models: {proposer: claude-next-9, prices: {claude-next-9: {input: 1, output: 2, cache_read: 0}}}"
    config = parse(text)[1]
    assert cost_usd("claude-next-9", usage, config.models.prices) == pytest.approx(1 + 2 + 0 + 1.25)
    assert unpriced(config, "claude-next-9") is None and unpriced(Config(), Config().models.reviewer) is None
    said = unpriced(Config(), "claude-next-9")
    assert said is not None and said.startswith("the price of claude-next-9 is not known: tokens are counted")


def test_the_configuration_comes_before_the_table() -> None:
    cheap, usage = (
        {
            "claude-opus-5-5": ModelPrice(
                input=1.0, output=1.0, cache_write=1.0, cache_write_1h=1.0, cache_read=1.0
            )
        },
        TokenUsage(1_000_000, 1_000_000),
    )
    assert cost_usd("claude-opus-5-5", usage) == pytest.approx(4 + 20)
    assert (
        cost_usd("claude-opus-5-5", usage, cheap) == cost_usd("claude-opus-5-5-20270101", usage, cheap) == 2
    )


@pytest.mark.parametrize(
    "text",
    [
        "models: {proposer: ''}",
        "models: {experiment_usd: 0}",
        "models: {prices: {x: {input: 1}}}",
        "models: {prices: {x: {input: -1, output: 1}}}",
        "models: {effort: most}",
        "models: {leave_out: data}",
    ],
)
def test_wrong_settings_are_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"^\.github/nocturne.yml: models\."):
        parse(text)


# ---- bills ----


def test_bills_by_role_experiment_and_hour() -> None:
    campaign = known(
        (called(), "2026-11-23T10:59:59.000+00:00"),
        (called(role="reviewer", experiment=2, cost_usd=2.0), "2026-11-23T11:00:00.000+00:00"),
        (called(role="researcher", experiment=None, cost_usd=None), "2026-11-23T12:00:00.000+00:00"),
    )
    bills = campaign.bills
    assert (bills.total.calls, bills.total.usd, bills.total.unpriced) == (3, 2.5, 1)
    assert campaign.cost_usd() == 2.5
    assert {role: bill.usd for role, bill in bills.by_role.items()} == {
        "proposer": 0.5, "reviewer": 2.0, "researcher": 0.0,
    }  # fmt: skip
    assert [bills.of_experiment(number).calls for number in (1, 2, 3, None)] == [1, 1, 0, 0]
    assert bills.total.cached_share == 0.8 and bills.total.tokens == 3150
    assert bills.usd_since("2026-11-23T11:30:00+00:00") == 2.0


def test_bills_stand_in_the_pull_request() -> None:
    at = NOW.isoformat()
    campaign = known(
        (called(), at),
        (called(call=2), at),
        (called(role="reviewer", cost_usd=None), at),
        (called(experiment=2), at),
    )
    lines = cost_text(campaign, Experiment(1, at, "abc")).splitlines()
    assert lines[-2:] == [
        "- 1.00 USD (2 calls; 2,000 tokens read, of which 80 % from the cache, 100 written) for the proposer",
        "- no known price (1 call; 1,000 tokens read, of which 80 % from the cache, 50 written) for the reviewer",
    ]


def test_money_of_models_stops_the_campaign() -> None:
    campaign = known((called(cost_usd=3.0), NOW.isoformat()))
    assert why_stop(campaign, Limits(cost_usd=3.5), now=NOW) is None
    stop = why_stop(campaign, Limits(cost_usd=3.0), now=NOW)
    assert stop is not None and stop.reason == "cost_usd"


def test_events_come_back_from_the_ledger_as_they_were() -> None:
    event = called(cost_usd=None, experiment=None)
    assert from_json(to_json(event, at="x", by="y")).event == event


def test_a_call_is_recorded_once(tmp_path: Path) -> None:
    git = make_repository(tmp_path / "repo")
    remote = choose_remote(git, "embedded", {})
    ledger = Ledger(LedgerStore(git, remote.name_or_url, "main"), "tester", lambda _: None)
    one = budget(Campaign(), Caps())
    event = one.spend("claude-sonnet-5-5", TokenUsage(10, 20, 30, 40), "end_turn")
    for _ in range(2):
        campaign = ledger.append(lambda _: [event])
    assert campaign.bills.total.calls == 1
    again = Ledger(LedgerStore(git, remote.name_or_url, "main"), "other", lambda _: None).refresh()
    assert again.bills.by_experiment[1].tokens == 100


# ---- caps ----


def never() -> int:
    raise AssertionError("counting was not needed")


def test_caps_of_the_configuration() -> None:
    config = parse("models: {experiment_usd: 2, night_usd: null}\nstop: {cost_usd: 9}")[1]
    assert caps(config) == Caps(2.0, None, 9.0, 2_000_000)


def test_without_caps_everything_is_allowed() -> None:
    budget(Campaign(), Caps()).allow("claude-fable-5-2", 10**9, 10**6, never)


@pytest.mark.parametrize(
    ("limits", "key"),
    [
        (Caps(experiment_usd=1.0), "models.experiment_usd"),
        (Caps(night_usd=1.0), "models.night_usd"),
        (Caps(campaign_usd=1.0), "stop.cost_usd"),
        (Caps(experiment_tokens=200_000), "models.experiment_tokens"),
    ],
)
def test_each_cap_holds_in_the_worst_case(limits: Caps, key: str) -> None:
    # $4 per million tokens written for an hour, $10 per million that come back: 0.4 + 0.5
    mine = budget(Campaign(), limits)
    mine.allow("claude-sonnet-5-5", 100_000, 50_000, never)
    mine.allow("claude-sonnet-5-5", 10**9, 50_000, lambda: 100_000)
    with pytest.raises(OverBudget, match=rf"^{re.escape(key)}: "):
        mine.allow("claude-sonnet-5-5", 10**9, 50_000, lambda: 300_000)
    mine.spend("claude-sonnet-5-5", TokenUsage(100_000, 1_000), "end_turn")
    with pytest.raises(OverBudget, match=rf"^{re.escape(key)}: "):
        mine.allow("claude-sonnet-5-5", 100_000, 50_000, lambda: 100_000)


def test_what_others_spent_counts() -> None:
    campaign = known((called(experiment=7, cost_usd=4.9), NOW.isoformat()))
    budget(campaign, Caps(experiment_usd=1.0)).allow("claude-sonnet-5-5", 100_000, 50_000, never)
    for limits in (Caps(night_usd=5.0), Caps(campaign_usd=5.0)):
        with pytest.raises(OverBudget):
            budget(campaign, limits).allow("claude-sonnet-5-5", 100_000, 50_000, lambda: 100_000)


def test_a_night_is_any_day_and_night() -> None:
    for hours, allowed in ((23, False), (26, True)):
        campaign = known((called(cost_usd=5.0), (NOW - timedelta(hours=hours)).isoformat()))
        mine = budget(campaign, Caps(night_usd=5.0), experiment=2)
        if allowed:
            mine.allow("claude-sonnet-5-5", 1000, 1000, never)
        else:
            with pytest.raises(OverBudget, match=r"models\.night_usd: 5\.0000 of 5 USD"):
                mine.allow("claude-sonnet-5-5", 1000, 1000, lambda: 1000)


def test_tokens_hold_where_money_can_not() -> None:
    mine = budget(Campaign(), Caps(experiment_usd=0.01, experiment_tokens=5000), experiment=None)
    mine.allow("claude-next-9", 2000, 2000, never)
    assert mine.spend("claude-next-9", TokenUsage(2000, 1500), "end_turn").cost_usd is None
    with pytest.raises(OverBudget, match=r"models\.experiment_tokens: 3,500 of 5,000 tokens"):
        mine.allow("claude-next-9", 1000, 1000, lambda: 1000)


def test_calls_of_one_conversation_are_numbered() -> None:
    mine, other = budget(Campaign(), Caps()), budget(Campaign(), Caps())
    keys = [mine.spend("claude-sonnet-5-5", TokenUsage(), "end_turn").key for _ in range(2)]
    assert keys == [f"called:{mine.conversation}:1", f"called:{mine.conversation}:2"]
    assert mine.conversation != other.conversation
