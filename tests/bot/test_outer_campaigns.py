"""Campaigns under an outer loop: proposers obey, what was not made for the steer is on the ledger, blocks follow."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from bot.agents.gate import Gate, draft_of
from bot.agents.memory import memory_of
from bot.agents.offline.search import propose
from bot.agents.proposers.offline import OfflineProposer
from bot.config import parse
from bot.loop.agents import with_agents
from bot.loop.context import open_context
from bot.loop.library import since
from bot.loop.runner import Until, run_loop
from bot.loop.settings import rule_of
from bot.rules.campaign import Campaign
from bot.rules.outer.record import Steered, steered_of
from bot.rules.outer.registry import at_hand
from bot.rules.outer.trial import allot
from bot.rules.outer.view import Aim, Draft, Steer
from bot.rules.proposal import Change, PastExperiment
from bot.tell.display import PlainDisplay
from bot.tell.views.experiment import pull_body
from bot.tell.writers import markdown
from tests.bot.campaigns import night_of
from tests.bot.repositories import CONFIG, TRAIN, git, make_repository, nocturne
from tests.bot.thinking import Request, both, constant, shown, turn
from tests.messages.minds import Said, use
from tests.messages.server import Api, serve

FILES = {"train.py": TRAIN}
MODEL = "claude-sonnet-5-5"


def gate(steer: Steer, *, refuses: str = "", number: int = 1) -> Gate:
    def screen(draft: Draft) -> str | None:
        hit = any(each.constant == refuses for each in draft.moves)
        return f"{refuses} is enough for now." if hit else None

    return Gate(steer, number, screen, {})


def past(number: int, name: str, old: str, new: str) -> PastExperiment:
    change = Change("train.py", name, old, new)
    return PastExperiment(number, (change,), f"{name} {new}", "batch", "discarded", 0.01, 0.001, False, {})


def searched(held: Gate | None, history: tuple[PastExperiment, ...] = (), number: int = 1) -> dict[str, str]:
    found = propose(FILES, history, seed=0, number=number, gate=held)
    assert found is not None
    return {change.name: change.new for change in found.changes}


def test_the_offline_search_obeys_and_says_what_it_would_have_proposed() -> None:
    (plain,) = searched(None)
    avoiding = gate(Steer(avoid=(Aim(5, constant=plain),)))
    assert plain not in searched(avoiding)
    assert [each.draft.moves[0].constant for each in avoiding.sent_back] == [plain]
    assert f"leaves {plain} alone until experiment 5" in avoiding.sent_back[0].why
    focusing = gate(Steer(focus=(Aim(2, constant="WEIGHT_DECAY", direction="down"),)))
    assert float(searched(focusing)["WEIGHT_DECAY"]) < 0.1
    ended = gate(Steer(avoid=(Aim(5, constant=plain),)), number=5)
    assert searched(ended, number=1) == searched(None) and ended.sent_back == []


def test_the_offline_search_goes_on_where_a_steer_leaves_it_nothing() -> None:
    impossible = gate(Steer(focus=(Aim(2, category="simplification"),)))
    assert searched(impossible) == searched(None) and impossible.sent_back == []


def test_a_screen_sends_back_twice_at_most() -> None:
    (plain,) = searched(None)
    held = gate(Steer(), refuses=plain)
    assert plain not in searched(held) and len(held.sent_back) == 1

    def everything(draft: Draft) -> str | None:
        return "No."

    stubborn = Gate(Steer(), 1, everything, {})
    assert searched(stubborn) and len(stubborn.sent_back) == 2


def test_a_fresh_search_forgets_what_it_learned_and_repeats_nothing() -> None:
    (plain,) = searched(None)
    tried = past(1, plain, "64", searched(None)[plain])
    again = searched(gate(Steer(fresh=2), number=2), (tried,), 2)
    assert again != {plain: tried.changes[0].new}


def test_who_starts_afresh_is_shown_only_what_came_since() -> None:
    campaign = night_of(30, hostile=False).campaign()
    whole, fresh = memory_of(campaign, 31), memory_of(since(campaign, 28), 31)
    assert whole.chapter and not fresh.chapter and len(fresh.recent) == 3
    assert "#27" not in "\n".join([*fresh.recent, fresh.now])
    assert memory_of(since(campaign, 31), 31).recent == ()


def seed_for(mechanism: str, proposers: tuple[str, ...]) -> int:
    """Return a seed whose first block goes to a mechanism."""
    return next(s for s in range(10_000) if allot(at_hand(proposers), [], 0, s) == mechanism)


def favouring(request: Request, number: int) -> Said:
    """A mind that believes in larger batches, and only does something else if that comes back."""
    if turn(request) == 0:
        return use("propose", constant(request, "BATCH_SIZE", str(128 + 32 * number), "batch"))
    return use("propose", constant(request, "WEIGHT_DECAY", f"0.1{number}", "regularization"))


def campaign_of(
    folder: Path, mechanism: str, experiments: int, *, proposer: str = "claude", others: tuple[str, ...] = ()
) -> tuple[Campaign, Api]:
    seed = seed_for(mechanism, (MODEL, *others, "offline") if proposer == "claude" else ("offline",))
    config = (
        f"{CONFIG}stop: {{experiments: {experiments}}}\nproposer: {proposer}\nouter: builtin\nseed: {seed}\n"
        f"models: {{alternatives: {json.dumps(others)}}}\n"
    )
    make_repository(folder, config=config)
    with serve(both(favouring)) as api:
        context = open_context(folder, None, PlainDisplay(io.StringIO()), {}, OfflineProposer())
        context = with_agents(context, api.environ)
        run_loop(context, Until())
        return context.ledger.refresh(), api


def steered(campaign: Campaign, number: int) -> Steered:
    found = steered_of(campaign.experiments[number])
    assert found is not None
    return found


@pytest.mark.long
def test_a_model_is_told_and_held_to_the_steer(tmp_path: Path) -> None:
    campaign, api = campaign_of(tmp_path / "repo", "tabu", 2)
    assert [each.mechanism for each in campaign.outer.blocks] == ["tabu"]
    first, second = steered(campaign, 1), steered(campaign, 2)
    assert not first.changed and first.steer == Steer()
    assert [(m.constant, m.direction) for m in second.sent_back[0].draft.moves] == [("BATCH_SIZE", "up")]
    assert second.changed and "leaves BATCH_SIZE up alone until experiment 9" in second.sent_back[0].why
    proposal = campaign.experiments[2].proposal
    assert proposal is not None and proposal.changes[0]["name"] == "WEIGHT_DECAY"
    told = [call.request for call in api.made if "leave alone: BATCH_SIZE up" in shown(call.request)]
    assert told
    blocks = [block for message in told[0]["messages"] for block in message["content"]]
    place = next(n for n, block in enumerate(blocks) if "leave alone" in block.get("text", ""))
    # As quoted data, behind all that a prompt cache keeps.
    assert 'from="the outer loop' in blocks[place]["text"]
    assert not any(
        "cache_control" in block and block["cache_control"].get("ttl") == "1h" for block in blocks[place:]
    )
    assert "leave alone" not in json.dumps(told[0]["system"])


def test_another_model_is_asked_if_a_mechanism_assigns_it_and_the_pull_request_says_so(
    tmp_path: Path,
) -> None:
    campaign, api = campaign_of(tmp_path / "repo", "models", 2, others=("claude-haiku-4-5",))
    first, second = campaign.experiments[1].proposal, campaign.experiments[2].proposal
    assert first is not None and second is not None
    assert (first.proposer, second.proposer) == (MODEL, "claude-haiku-4-5")
    asked = {call.request["model"] for call in api.made if "propose" in json.dumps(call.request.get("tools"))}
    assert asked >= {MODEL, "claude-haiku-4-5"}
    assert steered(campaign, 2).not_asked == MODEL and not steered(campaign, 1).changed
    said = "models, instead of: claude-sonnet-5-5 was not asked (models assigned claude-haiku-4-5)"
    rule = rule_of(parse(CONFIG)[1], campaign)
    assert said in markdown.write(pull_body(campaign, campaign.experiments[2], "", rule=rule))
    assert "steered by" not in markdown.write(pull_body(campaign, campaign.experiments[1], "", rule=rule))


@pytest.mark.long
def test_the_offline_search_takes_the_share_that_a_mechanism_assigns(tmp_path: Path) -> None:
    campaign, _ = campaign_of(tmp_path / "repo", "mix", 4)
    for number in range(1, 5):
        found, proposal = steered(campaign, number), campaign.experiments[number].proposal
        assert proposal is not None and proposal.proposer == found.steer.assign
        assert found.not_asked == ("" if proposal.proposer == MODEL else MODEL)
    assert {steered(campaign, n).steer.assign for n in range(1, 5)} <= {MODEL, "offline"}


@pytest.mark.long
def test_blocks_of_five_follow_each_other_in_an_offline_campaign(tmp_path: Path) -> None:
    campaign, _ = campaign_of(tmp_path / "repo", "tabu", 6, proposer="offline")
    assert [(b.block, b.first) for b in campaign.outer.blocks] == [(0, 1), (1, 6)]
    assert [steered(campaign, n).block for n in range(1, 7)] == [0, 0, 0, 0, 0, 1]
    assert {each.mechanism for each in campaign.outer.blocks} <= set(at_hand(("offline",)))
    assert "mix" not in at_hand(("offline",)) and "models" not in at_hand((MODEL, "offline"))


def test_the_draft_of_a_proposal_has_its_moves_and_says_if_there_is_more() -> None:
    found = propose(FILES, (), seed=0, number=1)
    assert found is not None
    assert (
        draft_of(found, FILES).moves[0].constant == found.changes[0].name and not draft_of(found, FILES).edits
    )


def test_a_human_takes_a_mechanism_out_and_the_file_to_carry_along_is_read(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config=f"{CONFIG}outer: builtin\nouter_prior: prior.json\n")
    assert (
        "prior.json: outer_prior: it is not committed on main"
        in nocturne(folder, "run", "-n", "1", code=2).stderr
    )
    row = {
        "mechanism": "tabu",
        "mind": "offline",
        "task": "command",
        "blocks": 3,
        "gain": 1.5,
        "squares": 2.0,
    }
    (folder / "prior.json").write_text(json.dumps({"rows": [{**row, "blocks": "many"}]}))
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "Carry a prior")
    assert "prior.rows[0].blocks is 'many'" in nocturne(folder, "run", "-n", "1", code=2).stderr
    (folder / "prior.json").write_text(json.dumps({"rows": [row]}))
    git(folder, "commit", "-qam", "Mend it")
    nocturne(folder, "run", "-n", "1")
    assert "1 block of 5 experiments" in nocturne(folder, "outer").stdout
    assert "tabu is off" in nocturne(folder, "outer", "tabu", "off").stdout
    assert "there are none, restart, kick" in nocturne(folder, "outer", "wander", "off", code=2).stderr
    rows = json.loads(nocturne(folder, "outer", "--json").stdout)["rows"]
    assert ("tabu", "off") in [(each["name"], each["state"]) for each in rows]
    assert json.loads(nocturne(folder, "outer", "--prior").stdout)["rows"] == [row]
    nocturne(folder, "outer", "tabu", "on")
    assert all(
        each["state"] != "off" for each in json.loads(nocturne(folder, "outer", "--json").stdout)["rows"]
    )
