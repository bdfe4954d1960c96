"""The client of Claude against the Messages API on loopback: answers, failures and their ends, bills."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.agents.claude import client as claude_client
from bot.agents.claude.budget import Budget, Caps
from bot.agents.claude.client import LONGEST_WAIT, TRIES, Claude, most_tokens
from bot.agents.claude.conversation import Conversation, result
from bot.agents.claude.failures import Exhausted, NeedsHuman, NoAnswer, OverBudget, TooLong
from bot.agents.claude.replies import Reply
from bot.errors import UserError
from bot.rules.campaign import Campaign
from bot.rules.events import ModelCalled, Recorded
from tests.families import few
from tests.messages import minds
from tests.messages.server import Api, serve

MODEL = "claude-sonnet-5-5"
TOOLS: list[dict[str, Any]] = [
    {
        "name": name,
        "description": f"{name} something",
        "strict": True,
        "input_schema": {
            "type": "object",
            "properties": {"what": {"type": "string"}},
            "required": ["what"],
            "additionalProperties": False,
        },
    }
    for name in ("look", "propose")
]
SYSTEM = [{"type": "text", "text": "Be brief. " * 500, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
LOOKED = minds.use("look", {"what": "it"}, saying="Let me see.")


@dataclass
class Table:
    """A client at the server, its budget, and all that it noted, slept and recorded."""

    api: Api
    slept: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    campaign: Campaign = field(default_factory=Campaign)

    def __post_init__(self) -> None:
        self.claude = self.client(silence=60)

    def client(self, *, silence: float) -> Claude:
        return Claude(self.api.environ, sleep=self.slept.append, note=self.notes.append, silence=silence)

    def budget(self, caps: Caps | None = None, role: str = "proposer", experiment: int | None = 1) -> Budget:
        def record(event: ModelCalled) -> None:
            self.campaign.apply(Recorded(event, "2026-11-23T12:00:00.000+00:00"))

        return Budget(experiment, role, caps or Caps(), lambda: self.campaign, record)

    def ask(self, text: str = "hello", **more: Any) -> Reply:
        given: dict[str, Any] = {
            "model": MODEL,
            "system": SYSTEM,
            "tools": TOOLS,
            "messages": [{"role": "user", "content": text}],
            "max_tokens": 2000,
            "budget": self.budget(),
        }
        return self.claude.converse(**given | more)

    def talk(self, **more: Any) -> Conversation:
        given: dict[str, Any] = {"model": MODEL, "system": SYSTEM, "tools": TOOLS, "max_tokens": 2000}
        return Conversation(self.claude, **{"budget": self.budget()} | given | more)


@pytest.fixture
def table() -> Iterator[Table]:
    with serve(minds.script(minds.words("Yes."))) as api:
        yield Table(api)
        assert api.refusals == [], "the real interface would refuse this"


@pytest.fixture
def strict_table() -> Iterator[Table]:
    """A table where requests may be refused."""
    with serve(minds.script(minds.words("Yes."))) as api:
        yield Table(api)


def test_answer_comes_as_data(table: Table) -> None:
    table.api.mind = minds.script(LOOKED)
    reply = table.ask()
    assert reply.text == "Let me see." and reply.stop_reason == "tool_use" and reply.model == MODEL
    assert [(call.name, call.input) for call in reply.calls] == [("look", {"what": "it"})]
    assert [block["type"] for block in reply.content] == ["thinking", "text", "tool_use"]
    assert (reply.refused, reply.cut, reply.empty) == (False, False, False)
    request = table.api.calls[0].request
    assert request["stream"] is True and "temperature" not in request and "tool_choice" not in request
    assert table.slept == [] and table.notes == []


def test_nothing_is_loaded_before_it_is_needed() -> None:
    code = (
        "import sys\nfrom bot.agents.claude.client import Claude\n"
        "from bot.agents.claude.conversation import Conversation\n"
        "Claude({'ANTHROPIC_API_KEY': 'x'})\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert {"anthropic", "httpx2", "pydantic"} & set(done.stdout.split()) == set()


def test_without_a_key_it_says_so() -> None:
    with pytest.raises(UserError, match="ANTHROPIC_API_KEY is not set: set it, or let"):
        Claude({})


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"ANTHROPIC_API_KEY": "sk-ant-1\nsk-ant-2"}, "ANTHROPIC_API_KEY holds what no key does"),
        ({"ANTHROPIC_AUTH_TOKEN": "schlüssel"}, "ANTHROPIC_AUTH_TOKEN holds what no key does"),
        (
            {"ANTHROPIC_API_KEY": "x", "ANTHROPIC_BASE_URL": "proxy:8080"},
            "ANTHROPIC_BASE_URL: proxy:8080 is no web",
        ),
    ],
)
def test_what_can_not_be_right_is_said_at_once(environ: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)) as caught:
        Claude(environ)
    assert "sk-ant" not in str(caught.value)


def test_a_key_may_end_with_a_line_break(table: Table) -> None:
    table.claude = Claude(table.api.environ | {"ANTHROPIC_API_KEY": f"{table.api.key}\n"})
    assert table.ask().text == "Yes."


def test_a_token_serves_as_well(table: Table) -> None:
    claude = Claude({"ANTHROPIC_BASE_URL": table.api.url, "ANTHROPIC_AUTH_TOKEN": table.api.key})
    assert claude.count({"model": MODEL, "messages": [{"role": "user", "content": "abcd"}]}) == 1
    assert table.api.calls[0].headers["Authorization"] == f"Bearer {table.api.key}"


def test_options_go_only_where_the_model_knows_them(table: Table) -> None:
    table.ask(effort="low", cache_tail="5m", max_tokens=10**9)
    table.ask(effort="low", model="claude-haiku-4-5", max_tokens=10**9)
    first, second = (call.request for call in table.api.calls if not call.counting)
    assert first["output_config"] == {"effort": "low"}
    assert first["max_tokens"] == 128_000 and second["max_tokens"] == 64_000
    assert "output_config" not in second


def test_half_characters_of_a_log_do_not_stop_it(table: Table) -> None:
    assert table.ask("a log with \ud83d in it").text == "Yes."
    assert table.api.calls[0].request["messages"][0]["content"] == "a log with ? in it"


def bill(table: Table) -> list[tuple[str, int]]:
    return [(role, sums.calls) for role, sums in table.campaign.bills.by_role.items()]


@pytest.mark.parametrize(
    "model", ["claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-5-5", "claude-haiku-4-5"]
)
def test_what_is_billed_is_what_the_server_used(table: Table, model: str) -> None:
    for text in ("one", "two"):
        table.ask(text, model=model, cache_tail="5m")
    used = [call.used for call in table.api.made]
    bills = table.campaign.bills.total
    assert all(used)
    assert bills.input_tokens == sum(u.fresh for u in used if u)
    assert bills.cache_read_tokens == sum(u.read for u in used if u)
    assert bills.cache_write_tokens == sum(u.written for u in used if u)
    answers = [call.answer for call in table.api.made]
    assert bills.output_tokens == sum(a["usage"]["output_tokens"] for a in answers if a)
    assert (bills.cache_read_tokens > 1000) is (model != "claude-haiku-4-5")


# ---- failures that pass ----

PASSING: dict[str, minds.Said] = {
    "429": minds.status(429),
    "529": minds.status(529),
    "500": minds.status(500),
    "408": minds.status(408),
    "409": minds.status(409),
    "504": minds.status(504),
    "time-out": minds.Fault("hang"),
    "reset": minds.Fault("reset"),
    "a page in between": minds.Fault("page"),
    "silence within": minds.within("silence"),
    "dropped stream": minds.within("drop"),
    "overloaded within": minds.within("error"),
    "malformed event": minds.within("garbage"),
    "malformed tool input": minds.within("tool_json", LOOKED),
    "a list as tool input": minds.use("look", ["what"], wild=True),
    "stream without an end": minds.within("unfinished"),
}
SILENT = ("time-out", "silence within")
BILLED = ("silence within", "dropped stream", "overloaded within", "malformed event", "malformed tool input",
          "a list as tool input", "stream without an end")  # fmt: skip


@pytest.mark.parametrize("name", few(PASSING, 4, in_ci=9))
def test_after_a_passing_failure_it_tries_again(table: Table, name: str) -> None:
    table.api.mind = minds.script(PASSING[name], minds.words("Here."))
    if name in SILENT:
        table.claude = table.client(silence=1)
    assert table.ask().text == "Here."
    assert len(table.slept) == 1 and 2.0 <= table.slept[0] <= 2.5
    assert len(table.notes) == 1 and "another try in" in table.notes[0]
    assert bill(table) == [("proposer", 2 if name in BILLED else 1)]


@pytest.mark.parametrize("name", few(PASSING, 3, in_ci=6))
def test_patience_ends(table: Table, name: str) -> None:
    table.api.mind = minds.script(PASSING[name])
    if name in SILENT:
        table.claude = table.client(silence=0.2 if name == "time-out" else 0.5)
    with pytest.raises(Exhausted, match=f"^no answer after {TRIES} tries: "):
        table.ask()
    assert len(table.slept) == TRIES - 1
    assert sum(table.slept) <= 2 * (2 + 4 + 8 + 16)
    assert len(table.api.calls) == TRIES
    assert bill(table) == ([("proposer", TRIES)] if name in BILLED else [])
    if name == "dropped stream":
        assert table.campaign.bills.total.output_tokens > 10 * TRIES, "what came was written, and costs"


def test_the_server_says_how_long_to_wait(table: Table) -> None:
    table.api.mind = minds.script(
        minds.status(429, retry_after=17), minds.status(529, retry_after=0.5), minds.words("Here.")
    )
    assert table.ask().text == "Here."
    assert table.slept == [17.0, 0.5]


def test_a_wait_that_is_too_long_is_not_waited(table: Table) -> None:
    table.api.mind = minds.script(minds.status(429, retry_after=LONGEST_WAIT + 1))
    with pytest.raises(Exhausted, match=r"^no answer after a single try: rate_limit_error"):
        table.ask()
    assert table.slept == []


def test_after_a_while_no_try_begins_any_more(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claude_client, "LAST_TRY", 1.0)
    table.api.mind = minds.script(minds.status(529))
    with pytest.raises(Exhausted, match="after a single try: overloaded_error"):
        table.ask()
    assert table.slept == []


def test_an_answer_without_end_is_given_up(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.agents.claude.replies.LONGEST_CALL", 0.0)
    with pytest.raises(Exhausted, match="no end of the answer within"):
        table.ask()


def test_nobody_there(table: Table) -> None:
    table.claude = Claude(
        {"ANTHROPIC_API_KEY": "x", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}, sleep=table.slept.append
    )
    with pytest.raises(Exhausted, match="the connection broke"):
        table.ask()


# ---- failures that do not ----


def change(**said: Any) -> Callable[[Api], None]:
    return lambda api: api.__dict__.update(said)


@pytest.mark.parametrize(
    ("prepare", "request_", "error", "said"),
    [
        (change(key="sk-ant-gone-1234567890"), {}, NeedsHuman, "ANTHROPIC_API_KEY is refused (invalid x-api-key)"),
        (change(forbidden={MODEL}), {}, NeedsHuman, f"may not use {MODEL}"),
        (change(), {"model": "claude-2"}, NeedsHuman, "models.proposer: there is no model 'claude-2'"),
        (change(), {"messages": []}, NeedsHuman, "at least one message is required"),
        (change(mind=minds.script(minds.status(402))), {}, NoAnswer, "the account can't pay for it"),
        (
            change(mind=minds.script(minds.Fault("status", 400, error_code="enforced_spend_limit_reached"))),
            {},
            NoAnswer,
            "the account can't pay for it",
        ),
        (change(mind=minds.script(minds.status(413))), {}, TooLong, "too large"),
        (
            change(),
            {"model": "claude-haiku-4-5", "messages": [{"role": "user", "content": "word " * 200_000}]},
            TooLong,
            "prompt is too long",
        ),
    ],
)  # fmt: skip
def test_what_does_not_pass_is_not_tried_again(
    strict_table: Table,
    prepare: Callable[[Api], None],
    request_: dict[str, Any],
    error: type[Exception],
    said: str,
) -> None:
    prepare(strict_table.api)
    table = Table(strict_table.api)
    with pytest.raises(error) as caught:
        table.ask(**request_)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert len(table.api.calls) == 1 and table.slept == []
    assert bill(table) == []


def test_errors_never_hold_the_key(strict_table: Table) -> None:
    strict_table.api.key = "sk-ant-not-the-one-1234567890"
    with pytest.raises(NeedsHuman) as caught:
        Table(strict_table.api).ask()
    assert "sk-ant" not in str(caught.value)


# ---- answers of another kind ----


def test_refusals_cuts_and_empty_answers_are_answers(table: Table) -> None:
    table.api.mind = minds.script(minds.refusal("frontier_llm", "I can't"), minds.nothing(), LOOKED)
    refused, empty = table.ask(), table.ask()
    assert refused.refused and refused.calls == ()
    assert empty.empty and empty.content == []
    cut = table.ask(max_tokens=25)
    assert cut.cut and cut.calls == (), "half a call is none"
    assert bill(table) == [("proposer", 3)]


def test_a_tool_that_does_not_exist_is_handed_over(table: Table) -> None:
    table.api.mind = minds.script(minds.use("delete_everything", {}, wild=True), minds.words("Sorry."))
    talk = table.talk()
    reply = talk.ask("go")
    assert [call.name for call in reply.calls] == ["delete_everything"]
    assert talk.ask("", [result(reply.calls[0], "There is no such tool.", failed=True)]).text == "Sorry."


# ---- counting and caps ----


def test_counting_sees_what_the_call_will_send(table: Table) -> None:
    given: dict[str, Any] = {
        "system": SYSTEM,
        "tools": TOOLS,
        "messages": [{"role": "user", "content": "hello"}],
    }
    counted = table.claude.count({"model": MODEL, **given})
    table.ask()
    used = table.api.made[0].used
    assert used is not None and counted == used.prompt
    assert counted <= most_tokens(given), "the bound holds"


def test_counting_is_patient_too(table: Table) -> None:
    table.claude = Claude(
        {"ANTHROPIC_API_KEY": "x", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}, sleep=table.slept.append
    )
    with pytest.raises(Exhausted):
        table.claude.count({"model": MODEL, "messages": [{"role": "user", "content": "x"}]})
    assert len(table.slept) == TRIES - 1


def test_a_call_that_could_break_a_cap_is_not_made(table: Table) -> None:
    caps = Caps(experiment_usd=0.05)
    table.ask(budget=table.budget(caps), max_tokens=1000)
    assert not any(call.counting for call in table.api.calls), "the bound was enough"
    with pytest.raises(OverBudget) as caught:
        table.ask(budget=table.budget(caps), max_tokens=5000)
    spent = table.campaign.cost_usd()
    assert str(caught.value).startswith(
        f"models.experiment_usd: {spent:.4f} of 0.05 USD are spent, and a call"
    )
    assert [call.counting for call in table.api.calls] == [False, True]
    assert table.ask(budget=table.budget(caps, experiment=2), max_tokens=1000).text == "Yes."


def test_broken_tries_count_against_the_cap(table: Table) -> None:
    table.api.mind = minds.script(minds.within("drop"))
    with pytest.raises(OverBudget):
        table.ask(budget=table.budget(Caps(experiment_usd=0.022)), max_tokens=1000)
    assert 1 <= table.campaign.bills.total.calls < TRIES


# ---- conversations ----


def test_a_conversation_reads_its_past_from_the_cache(table: Table) -> None:
    table.api.mind = minds.script(LOOKED, LOOKED, minds.words("Done."))
    talk = table.talk()
    reply = talk.ask("Propose something. " * 50)
    while reply.calls:
        reply = talk.ask("", [result(call, "found " * 300) for call in reply.calls])
    assert reply.text == "Done." and len(talk.messages) == 6
    used = [call.used for call in table.api.made]
    assert all(used)
    assert [u.fresh for u in used if u] == [0, 0, 0]
    assert used[1] and used[0] and used[1].read == used[0].prompt
    assert talk.budget.bill.calls == 3 and talk.budget.bill.cached_share > 0.5


def test_every_call_is_answered_and_nothing_else(table: Table) -> None:
    both = minds.uses(("look", {"what": "a"}), ("propose", {"what": "b"}))
    table.api.mind = minds.script(both, minds.words("ok"), both, minds.words("ok"))
    talk = table.talk()
    first = talk.ask("go")
    talk.ask("go on", [result(first.calls[1], "taken")])
    content = table.api.made[1].request["messages"][2]["content"]
    assert [block["type"] for block in content] == ["tool_result", "tool_result", "text"]
    assert [block.get("is_error", False) for block in content[:2]] == [True, False]
    talk.ask("again", [result(first.calls[0], "late")])
    talk.ask("", [])
    assert [len(call.request["messages"]) for call in table.api.made] == [1, 3, 5, 7]


def test_nothing_to_say_is_a_mistake(table: Table) -> None:
    with pytest.raises(ValueError, match="nothing to say"):
        table.talk().ask("  ")


@pytest.mark.parametrize(
    "spoiled",
    [minds.refusal("cyber", "no"), minds.nothing(), minds.uses(("look", {"what": "x" * 20_000}))],
    ids=["refusal", "empty", "cut"],
)
def test_a_conversation_goes_on_after_an_answer_that_can_not_be_sent_back(
    table: Table, spoiled: minds.Answer
) -> None:
    table.api.mind = minds.script(LOOKED, spoiled, LOOKED, minds.words("Done."))
    talk = table.talk()
    first = talk.ask("go")
    talk.ask("", [result(first.calls[0], "found")])
    again = talk.ask("Shorter, please.")
    assert talk.ask("", [result(again.calls[0], "found")]).text == "Done."
    roles = [message["role"] for message in table.api.made[-1].request["messages"]]
    assert roles == ["user", "assistant", "user", "user", "assistant", "user"]


def test_two_models_at_one_table(table: Table) -> None:
    table.api.mind = minds.by_model(
        {MODEL: minds.script(minds.words("maker")), "claude-opus-5-5": minds.script(minds.words("checker"))}
    )
    maker = table.talk().ask("go")
    checker = table.talk(model="claude-opus-5-5", budget=table.budget(role="reviewer")).ask("go")
    assert (maker.text, checker.text) == ("maker", "checker")
    assert bill(table) == [("proposer", 1), ("reviewer", 1)]
