"""Kinds, lineage, cost and conversations: what they add up to, and that a page can carry them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.agents.claude.transcripts import Conversations, folder_of
from bot.base.text import Clean
from bot.rules import events as ev
from bot.tell.figures.campaign import Figures, figures
from bot.tell.figures.talks import PAGE, PART, TALK, talk_of, talks_of
from bot.tell.page import report_html
from bot.tell.page_sections import compared
from tests.bot.campaigns import HOSTILE, NOW, SIGMA, Night, commit_of, night_of


def seen(night: Night) -> Figures:
    return figures(night.campaign(), now=NOW, prior_sigma=SIGMA)


def called(experiment: int | None, role: str, usd: float | None, call: int) -> ev.ModelCalled:
    return ev.ModelCalled(experiment, role, "talk", call, "model", 100, 20, 300, 0, usd, "end_turn")


@pytest.mark.parametrize("experiments", [0, 1, 30, 200])
def test_what_was_spent_adds_up(experiments: int) -> None:
    night = night_of(experiments) if experiments else Night()
    night.experiment(experiments + 1, "discarded", "Not done yet", finish=False)
    night.add(called(1, "proposer", 0.25, 1))
    night.add(called(None, "reviewer", 0.5, 2))
    night.add(called(1, "reviewer", None, 3))
    of = seen(night)
    assert sum(spent.gpu_seconds for spent in of.spent) == pytest.approx(of.gpu_seconds)
    assert sum(spent.cost_usd for spent in of.spent) == pytest.approx(of.cost_usd)
    assert sum(spent.experiments for spent in of.spent) == of.total
    assert sum(spent.runs for spent in of.spent) == of.runs
    assert {s.use: s.experiments for s in of.spent if s.use in of.verdicts} == {
        verdict: number for verdict, number in of.verdicts.items() if number
    }
    assert [(role, bill.usd) for role, bill in of.roles] == [("reviewer", 0.5), ("proposer", 0.25)]
    assert of.rows[0].cost_usd == pytest.approx(0.05 + 0.25)
    done = [row for row in of.rows if not row.open]
    assert sum(kind.tried for kind in of.kinds) == len(done)
    assert sum(kind.merged for kind in of.kinds) == of.landed
    page = report_html(of)
    assert "1 unpriced" in page and f"{of.cost_usd:,.2f} USD for agents" in page


def test_the_kind_that_won_most_comes_first_and_names_its_best() -> None:
    for direction, sign in (("minimize", -1), ("maximize", 1)):
        of = seen(night_of(40, direction=direction))  # type: ignore[arg-type]
        assert [kind.merged for kind in of.kinds] == sorted((k.merged for k in of.kinds), reverse=True)
        won = [row for row in of.rows if row.landed and row.category == of.kinds[0].name]
        best = max(won, key=lambda row: sign * (row.effect or 0.0))
        assert of.kinds[0].best == best.number and of.kinds[-1].best is None
    night = Night()
    night.experiment(1, "lost", "No words on its kind")
    night.recorded = [
        replace(r, event=replace(r.event, category="  ")) if isinstance(r.event, ev.ExperimentProposed) else r
        for r in night.recorded
    ]
    assert [kind.name for kind in seen(night).kinds] == ["(not said)"]


def test_lineage_tells_how_each_incumbent_came_and_what_was_tried_on_it() -> None:
    night = night_of(11)  # merges 1 and 11
    night.experiment(12, "discarded", "On the second")
    first, second = (commit for commit in seen(night).lineage[1:])
    assert [step.origin for step in seen(night).lineage] == ["baseline", "merged", "merged"]
    assert (first.experiment, second.experiment) == (1, 11) and second.tried == (12,)
    assert sum(len(step.tried) for step in seen(night).lineage) == 12
    night.add(ev.IncumbentMoved(commit_of("base"), night.incumbent, 1))
    back = seen(night).lineage
    assert [step.origin for step in back] == ["baseline", "merged", "merged", "moved"]
    # What was tried on a commit that was brought back is told once.
    assert back[0].tried == () and 1 in back[3].tried
    assert sum(len(step.tried) for step in back) == 12
    assert "Moved by hand" in report_html(seen(night))


def test_what_a_merge_took_back_is_marked() -> None:
    night = night_of(1)
    commit = commit_of("revert")
    night.add(ev.ExperimentClaimed(2, night.incumbent, reverts=1))
    night.add(ev.CandidateBuilt(2, 1, night.incumbent, commit, 1, 1))
    night.level[commit] = 0.99
    night.run(commit, 2)
    night.add(ev.ExperimentLanded(2, commit, night.incumbent))
    assert [step.undone_by for step in seen(night).lineage] == [None, 2, None]
    assert "taken back by #2" in report_html(seen(night))


def test_curves_to_begin_with_are_those_of_the_last_merges() -> None:
    assert compared(seen(Night())) == []
    assert compared(seen(night_of(40))) == [11, 21, 31]
    night = Night()
    night.baseline()
    night.experiment(1, "discarded", "Worse")
    assert compared(seen(night)) == [1] and len(seen(night).baseline_curve) > 1


def test_a_transcript_is_read_as_it_was_written(tmp_path: Path) -> None:
    """By the writer itself: what was said is there, in pieces, without the instructions."""
    writer = Conversations(
        folder_of(tmp_path, "main"), redact=lambda text: Clean(text.replace("secret", "***"))
    )
    transcript = writer.begin(7, "proposer", "word")
    transcript.system("model", [{"text": "Instructions that are always the same."}], ["propose"])
    transcript.said(
        [{"type": "text", "text": f"## Claude\n```\n# Experiment 9: x\n````\nsecret {HOSTILE[0]}"}]
    )
    transcript.note("a verdict")
    (path,) = folder_of(tmp_path, "main").glob("*.md")
    talk = talk_of(path.read_text())
    assert talk.role == "proposer" and talk.left_out == 0
    ((speaker, text),) = talk.parts
    assert speaker == "Nocturne" and text.startswith("## Claude\n ```\n# Experiment 9: x\n ````\n*** ")
    assert HOSTILE[0] in text and text.endswith("*a verdict*")


def test_long_conversations_keep_their_ends_and_the_page_its_size() -> None:
    def written(parts: int, size: int) -> str:
        said = "".join(f"## Claude\n\n```text\n{n} {'x' * size}\n```\n\n" for n in range(parts))
        return f"# Experiment 1: reviewer\n\n{said}"

    (only,) = talk_of(written(1, 100_000)).parts
    assert len(only[1]) < PART + 100 and "more characters" in only[1] and only[1].startswith("0 ")
    many = talk_of(written(100, 1000))
    assert many.left_out == 100 - len(many.parts) > 0 and many.size < TALK + 1000
    assert many.parts[0][1].startswith("0 ") and many.parts[-1][1].startswith("99 ")
    told = talks_of({number: [written(20, 1000)] for number in range(1, 400)})
    assert max(told) == 399 and 1 not in told
    assert PAGE * 0.9 < sum(talk.size for talks in told.values() for talk in talks) <= PAGE
    assert talk_of("").parts == () and talk_of("## \n```text\nnever closed").parts == (("", "never closed"),)
