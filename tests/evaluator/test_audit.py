"""The audit's statistics, on exams whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluator.training.audit import EVEN, Audit, Finding

ROWS, COLUMNS, VOCABULARY = 64, 32, 50


def exam(gain: NDArray[np.float64], noise: float = 0.0, seed: int = 0) -> tuple[Audit, NDArray[np.float64]]:
    """Return an audit of an exam that was better than the truth (N,) by `gain`, and that truth."""
    draw = np.random.default_rng(seed)
    tokens = draw.integers(0, VOCABULARY, (ROWS, COLUMNS + 1)).astype(np.int32)
    truth = draw.exponential(2.0, ROWS * COLUMNS)
    said = np.maximum(truth - gain, 0.0) + noise * draw.standard_normal(len(truth))
    lengths: Any = np.full(ROWS * COLUMNS, 3, np.int32)
    audit = Audit(
        tokens[:, :-1],
        tokens[:, 1:].reshape(-1),
        lengths,
        said,
        min_effect=0.001,
        draw=np.random.default_rng(seed + 1),
    )
    return audit, truth


def ask(audit: Audit, truth: NDArray[np.float64]) -> tuple[bool, Finding]:
    probes = audit.draw(audit.size)
    finding = audit.judge(probes, truth[probes.places])
    return audit.holds(finding), finding


def test_probes_keep_what_comes_before_and_replace_what_comes_after() -> None:
    audit, _ = exam(np.zeros(ROWS * COLUMNS))
    tokens = audit._inputs
    probes = audit.draw(200)
    changed = 0
    for probe, row, position in zip(probes.tokens, probes.rows, probes.positions, strict=True):
        assert (probe[: position + 1] == tokens[row, : position + 1]).all()
        changed += int((probe[position + 1 :] != tokens[row, position + 1 :]).sum())
    assert changed > 0.9 * (COLUMNS - 1 - probes.positions).sum() * (1 - 1 / VOCABULARY)
    assert (audit.targets(probes) == audit._targets[probes.places]).all()


def test_no_probe_tells_what_another_one_is_asked_for() -> None:
    audit, _ = exam(np.zeros(ROWS * COLUMNS))
    probes = audit.draw(1000)
    reached: dict[int, int] = {}
    for row, position in zip(probes.rows.tolist(), probes.positions.tolist(), strict=True):
        assert position >= reached.get(row, 0), "a row is asked from its first positions to its last"
        reached[row] = position
    first = probes.rows[: len(set(probes.rows.tolist()))]
    assert (np.diff(first) < 0).all(), "the exam's last rows are asked first"
    batches = list(probes.batches(16))
    assert [at for part in batches for at in range(part.start, part.stop)] == list(range(1000))
    for part in batches:
        assert len(set(probes.rows[part].tolist())) == part.stop - part.start <= 16


@pytest.mark.parametrize("noise", [0.0, 1e-6, 0.0005])
def test_an_honest_exam_holds(noise: float) -> None:
    for seed in range(10):
        audit, truth = exam(np.zeros(ROWS * COLUMNS), noise, seed)
        holds, finding = ask(audit, truth)
        assert holds and finding.upper < audit.bound and abs(finding.gain) < 1e-3


@pytest.mark.parametrize("share", [1.0, 0.1, 0.02])
def test_looking_ahead_is_found_even_where_it_is_rare(share: float) -> None:
    """One position in fifty cheats: at least 19 of 20 audits must find it."""
    found = 0
    for seed in range(20):
        chosen = np.random.default_rng(seed + 100).random(ROWS * COLUMNS) < share
        found += not ask(*exam(np.where(chosen, 2.0, 0.0), seed=seed))[0]
    assert found >= 19


def peeks(seed: int, share: float, factor: int, rows: int = 64) -> tuple[Audit, NDArray[np.float64], int]:
    """Return an audit of an exam that peeked at a `share` of the positions, where it was most wrong, to be as good as
    the token's frequency there; the truth, and how many positions that are."""
    columns, draw = 128, np.random.default_rng(seed)
    tokens = draw.integers(0, VOCABULARY, (rows, columns + 1)).astype(np.int32)
    targets, truth = tokens[:, 1:].reshape(-1), draw.exponential(2.0, rows * columns)
    frequency = np.bincount(targets, minlength=VOCABULARY)[targets] / len(targets)
    gain = np.maximum(truth + np.log(frequency), 0.0)
    chosen = np.argsort(-gain)[: int(len(truth) * share)]
    said = truth.copy()
    said[chosen] -= gain[chosen]
    lengths: Any = np.full(len(truth), 3, np.int32)
    assert (truth - said).sum() / np.log(2) / lengths.sum() > 4000 * share * 0.001, "it gains what counts"
    audit = Audit(
        tokens[:, :-1], targets, lengths, said, min_effect=0.001, draw=np.random.default_rng(seed + 99),
        factor=factor,
    )  # fmt: skip
    return audit, truth, len(chosen)


def test_looking_ahead_at_one_position_in_a_thousand_is_found_with_ten_times_the_probes() -> None:
    """Where the model was most wrong, it is as good as the token's frequency: that gains several times what counts.

    Of 8 positions each is drawn with a probability of 0.7 * 5,120 / 8,192 = 0.44 at least: 1 audit in 100 misses all.
    """
    found = 0
    for seed in range(20):
        audit, truth, chosen = peeks(seed, 0.001, factor=10)
        assert (chosen, audit.size) == (8, 5120)
        found += not ask(audit, truth)[0]
    assert found >= 19


@pytest.mark.parametrize("factor", [1, 4, 10])
def test_a_rare_peek_is_found_as_often_as_the_even_part_of_the_draw_says(factor: int) -> None:
    """On 32,768 positions: who peeks at 33 of them is found by one hit, and the hits are counted."""
    found = expected = 0.0
    for seed in range(30):
        audit, truth, chosen = peeks(seed, 0.001, factor, rows=256)
        holds, finding = ask(audit, truth)
        found += not holds
        assert holds == (finding.far == 0), "one hit is enough, and nothing else is refused"
        expected += 1 - np.exp(-EVEN * audit.size * chosen / len(truth))
    assert found >= expected - 3 * np.sqrt(30 / 4), (found, expected)


def test_what_goes_out_is_enough_to_add_audits_up() -> None:
    audit, truth, _ = peeks(1, 0.002, factor=10)
    finding = ask(audit, truth)[1]
    told = finding.metrics()
    assert told["probes"] == 5120 and told["factor"] == 10 and told["far"] == finding.far > 0
    assert told["error_bpb"] == pytest.approx(finding.error, abs=1e-9)
    assert finding.upper == pytest.approx(finding.gain + 2.33 * finding.error)
    refused = audit.refusal(finding)
    assert (
        refused.audit == told
        and "5,120 positions" in refused.reason
        and "the model predicts worse" in refused.reason
    )


def test_who_is_refused_for_scatter_alone_is_told_so() -> None:
    audit, truth = exam(np.zeros(ROWS * COLUMNS), noise=0.05)
    holds, finding = ask(audit, truth)
    assert not holds and finding.rms < 0.1 and finding.far == 0
    assert "answers differ too much" in audit.refusal(finding).reason


def test_what_is_learned_during_the_exam_is_found_although_the_audit_learns_as_well() -> None:
    """Better by what was seen before, in exam and audit alike: the mean is zero, the first half tells."""
    rate = np.arange(ROWS * COLUMNS) / (ROWS * COLUMNS) * 0.06
    audit, truth = exam(rate)
    probes = audit.draw(audit.size)
    learned = np.linspace(0, 0.06, len(probes))
    finding = audit.judge(probes, np.maximum(truth[probes.places] - learned, 0))
    assert finding.early_upper > audit.bound and not audit.holds(finding)
    assert (
        "the model predicts worse" in audit.refusal(finding).reason
        and audit.refusal(finding).defence == "audit"
    )


def test_answers_at_random_are_refused_for_that() -> None:
    audit, truth = exam(np.zeros(ROWS * COLUMNS), noise=0.3)
    holds, finding = ask(audit, truth)
    assert not holds and finding.rms > 0.1


def test_the_estimate_is_unbiased_although_the_draw_is_not() -> None:
    gain = np.where(np.arange(ROWS * COLUMNS) % 7 == 0, 1.0, 0.0)
    estimates = []
    for seed in range(40):
        audit, truth = exam(gain, seed=3)
        audit._draw = np.random.default_rng(seed)
        probes = audit.draw(512)
        estimates.append(audit.judge(probes, truth[probes.places]).gain)
    audit, truth = exam(gain, seed=3)
    exact = (truth - audit._nats).mean() * audit._bits_per_mean
    assert np.mean(estimates) == pytest.approx(exact, rel=0.1)


def test_answers_that_lie_far_apart_fail_though_nothing_is_gained() -> None:
    """An exam worse than the truth: who answers at random may not choose which answers count."""
    audit, truth = exam(np.full(ROWS * COLUMNS, -0.5))
    holds, finding = ask(audit, truth)
    assert max(finding.upper, finding.early_upper) < audit.bound and finding.rms > 0.4
    assert not holds


def test_the_first_half_of_the_probes_must_hold_by_itself() -> None:
    """Who knows after a while that this is the audit can't make good what was seen before."""
    audit, truth = exam(np.zeros(ROWS * COLUMNS))
    probes = audit.draw(audit.size)
    answers = truth[probes.places] + np.where(np.arange(len(probes)) < len(probes) // 2, 0.01, -0.05)
    finding = audit.judge(probes, answers)
    assert finding.upper < audit.bound < finding.early_upper and finding.rms < 0.1
    assert not audit.holds(finding)
