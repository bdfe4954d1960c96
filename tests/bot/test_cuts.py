"""The bot keeps the secret of the cuts beside its runs, and tells how a gain holds at them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.loop import measure
from bot.rules import events as ev
from bot.tell import sentences
from bot.tell.figures.plain import status_json
from evaluator.cuts import drawing
from evaluator.training import sheet
from tests.bot.campaigns import Night
from tests.bot.repositories import events, make_repository, nocturne
from tests.bot.telling import status_text
from tests.bot.test_report_figures import seen
from tests.evaluator.test_cuts import BIGRAMS, MARKOV

FIGURES = {
    "eval_tokens": 8192.0, "cuts": 2_731.0, "cut_rows": 32.0, "cuts_shortfall_bpb": 0.0021, "cuts_error_bpb": 0.0019,
    "cuts_caught_bpb": 0.0141,
}  # fmt: skip
CAMPAIGN = """\
evaluator: {budget: {kind: steps, amount: 3}, threads: 1, eval_tokens: 8192, evaluation_seconds: 280}
runner: test
"""


def with_figures(night: Night, figures: dict[str, float]) -> Night:
    """Give the newest run these metrics."""
    last = night.recorded[-1]
    assert isinstance(last.event, ev.RunFinished)
    metrics = {**last.event.metrics, **figures}
    night.recorded[-1] = replace(last, event=replace(last.event, metrics=metrics))
    return night


def test_status_says_how_large_a_cheat_would_show() -> None:
    night = Night()
    night.baseline(2)
    assert status_json(seen(night.campaign()))["cuts"] == {}
    assert "Cuts" not in status_text(seen(night.campaign()), 300)
    of = seen(with_figures(night, FIGURES).campaign())
    assert status_json(of)["cuts"] == {"cuts": 2731.0, "cuts_caught_bpb": 0.0141}
    assert "2,731 targets that no run is shown, too few to refuse a cheat of 0.014" in status_text(of, 300)
    of = seen(with_figures(night, {**FIGURES, "cuts": 12_000.0, "cuts_caught_bpb": 0.0071}).campaign())
    assert "12,000 targets that no run is shown, refuse a cheat of 0.0071" in status_text(of, 300)


def test_status_says_if_the_newest_run_was_asked_at_no_cuts() -> None:
    """As after the secret was taken away: what earlier runs were asked at is in force no more."""
    night = Night()
    night.baseline(1)
    with_figures(night, FIGURES)
    night.baseline(1)
    with_figures(night, {"eval_tokens": 8192.0})
    of = seen(night.campaign())
    assert status_json(of)["cuts"] == {"cuts": 0.0}
    assert "none (nocturne doctor says why)" in status_text(of, 300)


def test_a_sentence_says_what_is_missing_and_what_is_not_known() -> None:
    assert sentences.ENOUGH_CUTS == drawing.ENOUGH
    assert "0.001 bits per byte larger" in sentences.held_at_cuts({**FIGURES, "cuts_shortfall_bpb": -0.001})
    assert sentences.what_is_cut({}) == "" == sentences.held_at_cuts({"cuts": 12.0})
    assert sentences.what_is_cut({"cuts": 12_000.0}) == "12,000 targets are never shown to any run"
    assert sentences.what_is_cut({"cuts": 12_000.0, "cuts_caught_bpb": 0.0071}) == (
        "12,000 targets are never shown to any run: a gain of 0.0071 bits per byte by cheating is refused 99 times"
        " in 100"
    )
    assert sentences.what_is_cut(FIGURES) == (
        "2,731 targets are never shown to any run: a gain of 0.014 bits per byte by cheating would show there 99 times"
        " in 100; a run is refused only if they are 10,000 or more"
    )
    assert sentences.held_at_cuts(FIGURES) == (
        "At 2,731 targets that no run is ever shown the gain over the incumbent is 0.0021 bits per byte smaller than by"
        " the score (standard error 0.0019); a gain of 0.014 by cheating would show 99 times in 100"
    )


def test_a_gain_that_was_compared_with_nothing_is_known_by_its_figures() -> None:
    """As after another key, or with other validation data: then a note says so."""
    assert measure.LEAST_CUTS == sheet.LEAST
    assert measure._is_not_compared({"cuts": 2_731.0})
    assert not measure._is_not_compared(FIGURES)
    assert not measure._is_not_compared({"cuts": 31.0}) and not measure._is_not_compared({})


@pytest.mark.long
def test_a_campaign_keeps_its_secret_and_pairs_its_candidates_with_the_incumbent(tmp_path: Path) -> None:
    files = {"train.py": BIGRAMS, "prepare.py": MARKOV}
    repo = make_repository(tmp_path / "repo", config=CAMPAIGN, files=files)
    said = nocturne(repo, "run", "-n", "1", timeout=900).stdout
    runs = [e for e in events(repo) if e["kind"] == "run_finished"]
    kept = repo / ".git" / "nocturne" / "main" / "cuts"
    key = (kept / "key").read_bytes()
    assert len(key) == 32 and (kept / "key").stat().st_mode & 0o777 == 0o600
    scored = {e["run"] for e in runs if e["score"] is not None}
    assert scored and {path.stem for path in (kept / "losses").iterdir()} == scored
    assert all(e["metrics"]["cuts"] > 50 for e in runs if e["score"] is not None)
    mine = [e for e in runs if e["experiment"] == 1 and e["score"] is not None]
    assert mine and all("cuts_caught_bpb" in e["metrics"] for e in mine)
    assert "targets are never shown to any run" in said
    told = said.encode() + b"".join(path.read_bytes() for path in kept.parent.rglob("result.json"))
    assert key not in told and key.hex().encode() not in told
