"""What audits refuse together, what its user is told, how to appeal; and the smallest effect that counts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.agents.constants import rewrite
from bot.commands.steer import give_about
from bot.config import parse
from bot.loop.judge import judge
from bot.loop.outcome import outcome_of
from bot.loop.settings import audit_settings, evaluator_settings, least_effect, rule_of
from bot.loop.start import ensure_started
from bot.rules import events as ev
from bot.rules.audits import LEAST_EFFECT
from bot.rules.campaign import Campaign
from bot.rules.decision import NeedRun
from bot.rules.schedule import run_id
from bot.tell.views.experiment import pull_body
from bot.tell.views.refusal import DEFENCES
from bot.tell.views.status import closing_comment
from bot.tell.writers import markdown
from tests.bot.repositories import make_repository, nocturne
from tests.bot.scripted import WHEN, Loop, recorded

ROOT = Path(__file__).parents[2]
PEEK = {
    "probes": 1024, "factor": 1, "gain_bpb": 0.0002, "error_bpb": 4e-5, "upper_bpb": 0.0003, "rms_nats": 0.01, "far": 0,
}  # fmt: skip
REFUSED = {"class": "refused", "reason": "asked again at 1,024 positions, it is gone", "defence": "audit"}


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    made = Loop(make_repository(tmp_path / "repo"))
    ensure_started(made.context)
    made.context.forge.push_branch("nocturne/main", made.campaign.incumbent)
    return made


def run(
    loop: Loop, commit: str, experiment: int | None, place: int, score: float | None,
    audit: Mapping[str, float] | None, failure: dict[str, str] | None = None,
) -> ev.RunFinished:  # fmt: skip
    found = None if audit is None else dict(audit)
    return ev.RunFinished(
        run_id(commit, place), commit, place, place, experiment, score, failure, {}, "f", "bubblewrap",
        loop.context.runner, 1.0, 1.0, audit=found,
    )  # fmt: skip


def improving(
    loop: Loop, audit: Mapping[str, float] | None, *, failure: dict[str, str] | None = None
) -> Campaign:
    """Let experiment 1 be measured as an improvement by 0.1, four runs a side, audited as given."""
    context, parent = loop.context, loop.campaign.incumbent
    text = (context.git.read_blob(parent, "train.py") or b"").decode()
    paths = {"train.py": rewrite(text, {"LEARNING_RATE": "0.002"}).encode()}
    commit = context.git.commit_files(parent, paths, "Set it", WHEN)
    branch = context.experiment_branch(1)
    context.forge.replace_branch(branch, commit)
    runs: list[ev.Event] = []
    for place in (1, 2, 3, 4):
        score = 0.9 + place * 1e-4
        runs.append(run(loop, commit, 1, place, None if failure else score, audit, failure))
        runs.append(run(loop, parent, None, place, score + 0.1, None))
    context.ledger.append(
        lambda _: [
            ev.ExperimentClaimed(1, parent),
            ev.ExperimentProposed(
                1, "Set it", "other", "Because.", "better", "low", "script", paths=tuple(paths)
            ),
            ev.CandidateBuilt(1, 1, parent, commit, 1, 1),
            ev.PullOpened(1, 1, branch, "local/1"),
            ev.Reviewed(1, 1, True, (), "f1"),
            *runs,
        ],
        lambda _: {f"experiments/000001/{path}": content for path, content in paths.items()},
    )
    return loop.campaign


def judged(loop: Loop, campaign: Campaign) -> ev.ExperimentDecided:
    outcome = judge(loop.context, campaign, 1)
    assert not isinstance(outcome, NeedRun), outcome
    return outcome


def test_what_each_audit_let_pass_is_refused_by_all_of_them_together(loop: Loop) -> None:
    claims = {"gain_bpb": 0.02, "error_bpb": 0.002}  # a fifth of the 0.1 that it claims
    decision = judged(loop, improving(loop, PEEK | claims))
    assert (decision.verdict, decision.land, decision.defence) == ("rejected", False, "audit")
    assert "4,096 positions in 4 audits" in decision.reason and "+0.02000 bits per byte" in decision.reason


@pytest.mark.parametrize(
    "audit",
    [None, PEEK | {"gain_bpb": 0.0}, PEEK, PEEK | {"gain_bpb": 0.02, "error_bpb": 0.02}],
    ids=["none", "clean", "a small part of the claim", "not surely"],
)
def test_an_improvement_that_the_audits_let_be_is_merged(
    loop: Loop, audit: Mapping[str, float] | None
) -> None:
    decision = judged(loop, improving(loop, audit))
    assert (decision.verdict, decision.land, decision.defence) == ("improved", True, "")


def test_who_is_refused_hears_which_defence_why_how_often_it_errs_and_how_to_appeal(loop: Loop) -> None:
    campaign = improving(loop, PEEK, failure=REFUSED)
    decision = judged(loop, campaign)
    assert (decision.verdict, decision.defence) == ("rejected", "audit")
    after = loop.context.ledger.append(lambda _: [decision, ev.ExperimentFinished(1)])
    experiment, rule = after.experiments[1], rule_of(loop.context.config, after)
    said = markdown.write(pull_body(after, experiment, "", rule=rule))
    assert "Refused by the defence audit.**" in said and "1,024 positions" in said
    assert "fewer than 1 of 10,000 audits" in said
    assert "`/nocturne retry`" in said and "4 times as many positions" in said
    local = markdown.write(pull_body(after, experiment, "", rule=rule, on_github=False))
    assert "`nocturne retry 1`" in local
    assert "`/nocturne retry`" in markdown.write(closing_comment(after, experiment))


WAYS = {
    "leak": "`/nocturne idea TEXT` asks for the same without the text that is named",
    "limits": "allow more by `processes`, `scratch_mb` or `evaluation_seconds` under `evaluator`, then",
}


def test_each_defence_of_the_evaluator_is_known_to_who_tells_of_it() -> None:
    sources = (ROOT / "evaluator").rglob("*.py")
    named = {
        word for path in sources for word in re.findall(r'defence(?:: str)? ?= ?"(\w+)"', path.read_text())
    }
    assert named == set(DEFENCES)


@pytest.mark.parametrize("defence", ["clock", "protocol", "leak", "cuts", "limits", "scoring", "jail"])
def test_other_defences_say_what_they_look_at_and_offer_a_retry(loop: Loop, defence: str) -> None:
    campaign = improving(loop, None, failure=REFUSED | {"defence": defence})
    decision = judged(loop, campaign)
    after = loop.context.ledger.append(lambda _: [decision, ev.ExperimentFinished(1)])
    rule = rule_of(loop.context.config, after)
    said = markdown.write(pull_body(after, after.experiments[1], "", rule=rule))
    assert f"Refused by the defence {defence}.**" in said
    (appeal,) = (line for line in said.splitlines() if line.startswith("If you think it errs: "))
    assert WAYS.get(defence, "`/nocturne retry` trains it again") in appeal
    assert appeal.count(". ") == 0 and appeal.endswith(".")  # one sentence, with a command
    assert "positions" not in appeal


def test_a_retry_of_what_the_audit_refused_is_audited_at_four_times_as_many_positions(loop: Loop) -> None:
    decision = judged(loop, improving(loop, PEEK, failure=REFUSED))
    loop.context.ledger.append(lambda _: [decision, ev.ExperimentFinished(1)])
    assert (
        "tries experiment 1 again, audited at 4 times as many positions"
        in nocturne(loop.top, "retry", "1").stdout
    )
    campaign = loop.context.ledger.append(lambda c: [ev.ExperimentClaimed(2, c.incumbent, retries=1)])
    trains = replace(loop.context, config=parse("")[1])
    assert audit_settings(trains, campaign, "f" * 40, 2) == {"audit_factor": 4}
    assert audit_settings(trains, campaign, "f" * 40, 1) == {}
    assert audit_settings(loop.context, campaign, "f" * 40, 2) == {}, "a command has no audit"
    assert "audit_factor" not in evaluator_settings(trains), "what a reference is measured for stays as it is"


def test_the_proposal_of_an_appeal_says_so(loop: Loop) -> None:
    decision = judged(loop, improving(loop, PEEK, failure=REFUSED))
    loop.context.ledger.append(lambda _: [decision, ev.ExperimentFinished(1)])
    give_about(loop.context, "retry", 1)
    loop.run(1)
    (_, again) = recorded(loop.top, ev.ExperimentProposed)
    assert isinstance(again, ev.ExperimentProposed)
    assert "again, audited at 4 times as many positions: it was rejected" in again.reason


# What comes from the evaluator


def test_the_figures_of_an_audit_come_with_scores_and_with_refusals() -> None:
    event: dict[str, Any] = {"event": "score", "score": 1.0, "audit": {**PEEK, "later": 1}}
    assert outcome_of(event, seconds=1.0).audit == PEEK
    failed = {"event": "failed", "class": "refused", "reason": "r", "defence": "audit", "audit": PEEK}
    outcome = outcome_of(failed, seconds=1.0)
    assert outcome.audit == PEEK and outcome.failure == {
        "class": "refused",
        "reason": "r",
        "defence": "audit",
    }
    for absurd in ({}, {**PEEK, "far": -1}, {**PEEK, "gain_bpb": 1e40}, "none", None):
        assert outcome_of(event | {"audit": absurd}, seconds=1.0).audit is None


# The smallest effect that counts


@pytest.mark.parametrize(
    ("config", "least"),
    [
        ("", LEAST_EFFECT),
        ("verdict: {min_effect: 0}", 0.0),
        ("verdict: {min_effect: 0.002}", 0.002),
        ("evaluator: {kind: command, command: [python, a.py], metric: {name: val_bpb}}", 0.0),
        ("evaluator: {kind: command, command: [python, a.py], metric: {name: loss}}", 0.0),
    ],
)
def test_the_smallest_effect_has_a_default_for_bits_per_byte_alone(config: str, least: float) -> None:
    chosen = parse(config)[1]
    assert least_effect(chosen, Campaign()) == least
    assert rule_of(chosen, Campaign()).min_effect == (chosen.verdict.min_effect or 0.0)


def test_a_campaign_keeps_the_smallest_effect_that_it_began_with() -> None:
    def began(min_effect: float = 0.0) -> Campaign:
        campaign = Campaign()
        started = ev.CampaignStarted("main", "main", "a" * 40, "val_bpb", "minimize", 0, min_effect)
        campaign.apply(ev.Recorded(started, "2026-03-01T00:00:00+00:00"))
        return campaign

    assert least_effect(parse("")[1], began()) == 0.0, "an earlier version began it without one"
    assert least_effect(parse("")[1], began(min_effect=0.0007)) == 0.0007
    assert least_effect(parse("verdict: {min_effect: 0.003}")[1], began(min_effect=0.0007)) == 0.003


def test_what_a_campaign_begins_with_is_written_down(loop: Loop) -> None:
    (started,) = recorded(loop.top, ev.CampaignStarted)
    assert isinstance(started, ev.CampaignStarted) and started.min_effect == 0.0, "the task of a command"
