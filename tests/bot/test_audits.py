"""Audits added up: what honest lineages look like, which peeks are found and where, and how large the next audit is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bot.rules import audits, bounds
from bot.rules import events as ev
from bot.rules.audits import Audit, lineage_of, pool
from bot.rules.experiment import Experiment
from tests.bot.campaigns import Night, commit_of

CLEAN = {
    "probes": 1024, "factor": 1, "gain_bpb": 0.0, "error_bpb": 1e-6, "upper_bpb": 2.33e-6, "rms_nats": 1e-5, "far": 0,
}  # fmt: skip
LARGE = CLEAN | {"probes": 10_240, "factor": 10}
HIT = {"gain_bpb": 0.0009, "error_bpb": 0.0008, "upper_bpb": 0.003, "rms_nats": 0.14, "far": 1}
LEAST = 0.001


def looked(seed: int, *, share: float = 0.0, noise: float = 2e-5, probes: int = 1024) -> Audit:
    """Return one audit of a model whose answers scatter by `noise`, and that peeks at a share of positions."""
    draw = np.random.default_rng(seed)
    far = int(draw.binomial(probes, 0.7 * share))
    gain = far * 2.6 / 0.7 / probes + noise * draw.standard_normal()
    error = (noise**2 + far * (2.6 / 0.7 / probes) ** 2) ** 0.5
    return Audit(probes, 1 if probes < 5000 else 10, gain, error, far)


def merged(merges: int) -> Night:
    """Return a campaign in which so many experiments were merged; none of its runs is audited yet."""
    night = Night()
    night.baseline()
    for number in range(1, merges + 1):
        night.experiment(number, "improved", f"Change {number}")
    return night


def audited(night: Night, commit: str, found: dict[str, float], *, refused: bool = False) -> None:
    """Record one more run of a commit with what its audit found."""
    score = None if refused else 0.99
    failure = {"class": "refused", "reason": "asked again", "defence": "audit"} if refused else None
    night.run(commit, None, score=score, fails=refused)
    last = night.recorded[-1]
    assert isinstance(last.event, ev.RunFinished)
    night.recorded[-1] = replace(last, event=replace(last.event, audit=found, failure=failure))


def change(number: int) -> str:
    return commit_of(f"experiment {number} {f'Change {number}'!r}")


# What audits say together


@pytest.mark.long
def test_no_honest_lineage_is_refused_however_often_it_is_looked_at() -> None:
    """1,000 lineages of 20 audits each, looked at after every one: none may be refused at an error of 1 in 10,000."""
    refused = 0
    for lineage in range(1000):
        found: list[Audit] = []
        for look in range(20):
            found.append(looked(100 * lineage + look, noise=1e-4, probes=10_240 if look % 3 == 0 else 1024))
            pooled = pool(found)
            assert pooled is not None
            refused += pooled.shows_more_than(0.0)
    assert refused == 0


@pytest.mark.parametrize(("share", "looks"), [(0.001, 20), (0.003, 5), (0.01, 3)])
def test_a_rare_peek_that_lives_through_merges_is_found(share: float, looks: int) -> None:
    """At 1 in 1,000 positions each audit of 1,024 finds it in half of the cases; twenty together in nearly all."""
    found = 0
    for lineage in range(100):
        pooled = pool([looked(100 * lineage + look, share=share) for look in range(looks)])
        assert pooled is not None
        found += pooled.shows_more_than(audits.allowed_gain(LEAST))
    assert found >= 95


def test_a_small_gain_everywhere_is_found_together_that_no_single_audit_may_refuse() -> None:
    found = [Audit(1024, 1, 0.0002, 0.00004, 0) for _ in range(4)]
    single, four = pool(found[:1]), pool(found)
    assert single is not None and four is not None
    assert four.shows_more_than(audits.allowed_gain(LEAST)) and four.lower > single.lower
    assert not four.shows_more_than(audits.allowed_gain(LEAST, claimed=0.003)), (
        "a part of the claim is let be"
    )
    assert audits.allowed_gain(0.0) == audits.PART * audits.LEAST_EFFECT


def test_an_audit_counts_by_its_probes_and_not_by_the_error_of_who_saw_nothing() -> None:
    pooled = pool([Audit(1024, 1, 0.0, 1e-9, 0), Audit(1024, 1, 0.004, 0.002, 2)])
    assert pooled is not None and pooled.gain == pytest.approx(0.002)
    assert pooled.lower < pooled.gain < pooled.upper and (pooled.audits, pooled.probes) == (2, 2048)
    assert pool([]) is None


def test_the_limits_widen_with_each_look_and_add_up_to_the_error() -> None:
    spent = sum(audits.ERROR / 2 / (k * (k + 1)) for k in range(1, 10_000))
    assert spent < audits.ERROR / 2
    many = pool([Audit(1000, 1, 0.0, 0.001, 0)] * 100)
    assert many is not None and many.upper / (0.001 / 10) == pytest.approx(5.73, abs=0.01)


def test_one_far_probe_is_no_proof_and_no_number_overflows() -> None:
    one, many = pool([Audit(1024, 1, 0.001, 0.001, 1)]), pool([Audit(10**9, 100, 0.0, 0.0, 10**9)])
    assert one is not None and not one.shows_more_than(0.0001)
    assert many is not None and many.odds > 2 / audits.ERROR


# The lineage of the head


def test_no_honest_lineage_is_refused_whichever_merge_it_is_counted_from() -> None:
    for seed in range(40):
        night, draw = merged(6), np.random.default_rng(seed)
        for number in (1, 2, 3, 4, 5, 6) * 2:
            noisy = {"gain_bpb": 1e-4 * draw.standard_normal(), "error_bpb": 1e-4}
            audited(night, change(number), CLEAN | noisy)
            assert not lineage_of(night.campaign(), LEAST).refused


def test_a_lineage_without_audits_is_not_refused_and_has_no_head_audit() -> None:
    known = lineage_of(merged(3).campaign(), LEAST)
    assert (known.pooled, known.head, known.refused, known.doubted) == (None, None, False, ())


def test_refused_runs_count_and_the_merge_is_named_that_brought_the_peek() -> None:
    night = merged(4)
    for number in (1, 2):
        audited(night, change(number), LARGE)
    for number in (3, 4):
        audited(night, change(number), CLEAN | HIT, refused=True)
        audited(night, change(number), CLEAN | HIT, refused=True)
    known = lineage_of(night.campaign(), LEAST)
    assert known.refused and known.pooled is not None and known.pooled.far == 4
    assert known.doubted == (3,) and not known.from_start


def test_merges_that_were_asked_too_little_stay_in_doubt() -> None:
    night = merged(4)
    audited(night, change(1), LARGE)
    audited(night, change(2), CLEAN | {"probes": 300})
    for _ in range(6):
        audited(night, change(3), CLEAN | HIT, refused=True)
    assert lineage_of(night.campaign(), LEAST).doubted == (2, 3)
    audited(night, change(2), LARGE)
    assert lineage_of(night.campaign(), LEAST).doubted == (3,)


def test_what_was_there_from_the_start_is_said() -> None:
    night = merged(1)
    for _ in range(4):
        audited(night, commit_of("base"), CLEAN | HIT, refused=True)
    known = lineage_of(night.campaign(), LEAST)
    assert known.refused and known.from_start and known.doubted == ()


def test_taking_the_merge_out_or_moving_the_branch_begins_anew() -> None:
    night = merged(2)
    for _ in range(4):
        audited(night, change(2), CLEAN | HIT, refused=True)
    assert lineage_of(night.campaign(), LEAST).doubted == (1, 2), "no audit of the first merge clears it"
    reverting = merged(2)
    reverting.recorded = list(night.recorded)
    reverting.experiment(3, "improved", "Change 3")
    at = next(i for i, r in enumerate(reverting.recorded) if r.event == ev.ExperimentClaimed(3, change(2)))
    reverting.recorded[at] = replace(
        reverting.recorded[at], event=ev.ExperimentClaimed(3, change(2), reverts=2)
    )
    assert not lineage_of(reverting.campaign(), LEAST).refused
    night.add(ev.IncumbentMoved(commit_of("by hand"), change(2), 1))
    assert not lineage_of(night.campaign(), LEAST).refused


def test_taking_the_base_in_removes_no_peek() -> None:
    night = merged(1)
    for _ in range(4):
        audited(night, change(1), CLEAN | HIT, refused=True)
    night.add(ev.IncumbentMoved(commit_of("taken in"), change(1), 1, why="base"))
    assert lineage_of(night.campaign(), LEAST).refused


def test_a_head_that_the_larger_audit_refuses_stops_the_promotion_by_itself() -> None:
    night = merged(2)
    audited(night, change(1), LARGE)
    audited(night, change(2), LARGE | HIT | {"far": 8}, refused=True)
    known = lineage_of(night.campaign(), LEAST)
    assert known.head_refused and known.refused and known.doubted == (2,)


# How large the next audit is


def test_the_head_is_audited_with_ten_times_the_probes_once_after_each_merge() -> None:
    night = merged(1)
    campaign = night.campaign()
    assert audits.factor(campaign, change(1), None) == 10
    assert audits.factor(campaign, commit_of("base"), None) == 1
    audited(night, change(1), CLEAN)
    assert audits.factor(night.campaign(), change(1), None) == 10, "the usual one is none before a promotion"
    audited(night, change(1), LARGE)
    assert audits.factor(night.campaign(), change(1), None) == 1


def test_the_first_incumbent_needs_no_larger_audit_for_nothing_is_promoted() -> None:
    night = merged(0)
    assert audits.factor(night.campaign(), commit_of("base"), None) == 1


def tried(number: int, retries: int | None, defence: str) -> Experiment:
    decision = ev.ExperimentDecided(
        number, 1, "rejected", False, None, None, None, None, None, 0, 0, "why", "", defence
    )
    return Experiment(number, "", commit_of("base"), retries=retries, decision=decision)


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        ([(1, None, "audit"), (2, 1, "")], 4),
        ([(1, None, "clock"), (2, 1, "")], 1),
        ([(1, None, "audit"), (2, 1, ""), (3, 2, "")], 4),
        ([(1, None, "audit"), (2, None, "")], 1),
    ],
)
def test_who_appeals_is_asked_four_times_as_much(
    chain: list[tuple[int, int | None, str]], expected: int
) -> None:
    campaign = merged(0).campaign()
    for each in chain:
        campaign.put(tried(*each))
    assert audits.factor(campaign, "f" * 40, chain[-1][0]) == expected


# What is taken in


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({}, "audit is no object of probes"),
        (CLEAN | {"more": 1}, "audit is no object of probes"),
        (CLEAN | {"gain_bpb": 1e31}, "audit.gain_bpb is 1e+31"),
        (CLEAN | {"gain_bpb": "0"}, "audit.gain_bpb is '0'"),
        (CLEAN | {"error_bpb": -1e-9}, "audit.error_bpb is -1e-09: below 0"),
        (CLEAN | {"probes": 0}, "audit.probes is 0"),
        (CLEAN | {"probes": 2.5}, "audit.probes is 2.5"),
        (CLEAN | {"factor": 101}, "audit.factor is 101"),
        (CLEAN | {"far": 1025}, "audit.far is 1025"),
        (CLEAN | {"rms_nats": float("nan")}, "audit.rms_nats is nan"),
        (CLEAN | {"far": True}, "audit.far is True"),
    ],
)
def test_an_absurd_audit_is_refused_by_name_and_read_as_none(found: dict[str, float], said: str) -> None:
    night = merged(0)
    night.run(commit_of("base"), None)
    run = night.recorded[-1].event
    assert isinstance(run, ev.RunFinished)
    with pytest.raises(ValueError) as caught:
        bounds.check_run(replace(run, audit=found))
    assert said in str(caught.value)
    line = ev.to_json(replace(run, audit=found), at="", by="")
    again = ev.read(line).event
    assert isinstance(again, ev.RunFinished) and (again.audit is None or set(again.audit) == set(CLEAN))


def test_a_run_of_an_earlier_version_has_no_audit() -> None:
    night = merged(0)
    line = ev.to_json(night.recorded[-1].event, at="", by="")
    del line["audit"]
    old = ev.read(line).event
    assert isinstance(old, ev.RunFinished) and old.audit is None and audits.audit_of(old) is None
    bounds.check_run(old)
