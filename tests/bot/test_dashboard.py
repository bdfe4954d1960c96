"""What stands on the ledger branch beside the events: with each verdict, in one commit, and not the square of it."""

from __future__ import annotations

import re
from pathlib import Path

from bot.rules import events as ev
from bot.tell.figures.campaign import figures
from bot.tell.figures.debt import steps_words
from bot.tell.figures.results import SEGMENT, results_files, results_tsv
from bot.tell.page import report_html
from tests.bot.campaigns import NOW, SIGMA, Night, night_of
from tests.bot.repositories import git, make_repository
from tests.bot.scripted import WINS, Loop
from tests.bot.telling import report_markdown, status_text


def test_each_verdict_and_the_dashboard_that_tells_it_are_one_commit(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "repo")
    loop = Loop(top, WINS)
    loop.run(3)
    found = 0
    for commit in git(top, "log", "--format=%H", "nocturne/ledger").split():
        changed = git(top, "show", "--format=", commit).split("diff --git ")
        ended = [
            int(number)
            for part in changed
            if "/events/" in part.split("\n")[0]
            for number in re.findall(r'(?m)^\+.*"experiment":(\d+).*"kind":"experiment_finished"', part)
        ]
        if not ended:
            continue
        found += 1
        assert any(part.startswith("a/main/README.md") for part in changed), commit
        dashboard = git(top, "show", f"{commit}:main/README.md")
        row = next(line for line in dashboard.splitlines() if re.match(rf"\| \[?{ended[0]}\]?", line))
        assert "…" not in row and "_running_" in dashboard and "_stopped" not in dashboard
    assert found == 3
    assert "progress.svg" in git(top, "ls-tree", "-r", "--name-only", "nocturne/ledger"), (
        "the first one has a chart"
    )


def test_a_dashboard_does_not_say_stopped_while_a_loop_is_at_work(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "repo")
    loop = Loop(top, WINS)
    loop.run(1)
    loop.context.ledger.append(lambda _: [ev.LoopStopped("plateau", "nothing new", 1)])
    loop.run(1)
    begun = git(top, "log", "--format=%H", "-n1", "--grep=experiment_claimed", "nocturne/ledger")
    assert "_running_" in git(top, "show", f"{begun}:main/README.md")


def test_results_stand_in_segments_that_do_not_change_any_more() -> None:
    before, after = (
        results_files(night_of(n, hostile=False).campaign()) for n in (SEGMENT + 20, SEGMENT + 40)
    )
    assert list(after) == ["results.tsv", "results-2.tsv"]
    assert before["results.tsv"] == after["results.tsv"] and before["results-2.tsv"] != after["results-2.tsv"]
    rows = [line for text in after.values() for line in text.splitlines()[1:]]
    assert rows == results_tsv(night_of(SEGMENT + 40, hostile=False).campaign()).splitlines()[1:]


def test_a_dashboard_of_many_experiments_names_the_last_ones() -> None:
    known = figures(night_of(400, hostile=False).campaign(), now=NOW, prior_sigma=SIGMA)
    assert len(report_markdown(known, latest=50, merged=50)) < 40_000


def test_dead_ends_are_those_that_nobody_need_try_again_and_said_once() -> None:
    night = night_of(10, hostile=False)
    night.experiment(11, "discarded", "Add a bias")
    decided = next(
        i
        for i, r in enumerate(night.recorded)
        if isinstance(r.event, ev.ExperimentDecided) and r.event.experiment == 11
    )
    lesson = "Add a bias: worsens val_bpb by 0.0061."
    event = night.recorded[decided].event
    night.recorded[decided] = ev.Recorded(
        type(event)(**{**vars(event), "lesson": lesson}), NOW.isoformat(), "h"
    )
    known = figures(night.campaign(), now=NOW, prior_sigma=SIGMA)
    dead = report_markdown(known).partition("## Dead ends")[2]
    assert "Add a bias (discarded): worsens val\\_bpb by 0.0061." in dead and dead.count("Add a bias") == 1
    assert "inconclusive" not in dead and "lost" not in dead
    assert {row.verdict for row in known.rows if row.is_dead_end} == {"discarded", "crashed", "rejected"}
    assert "merged most often" not in report_html(known)


def test_steps_of_one_constant_are_read_as_one_change() -> None:
    night = Night()
    night.baseline()
    for number, (old, new) in enumerate((("8", "4"), ("4", "2"), ("2", "1")), 1):
        night.experiment(number, "improved", f"Halve DEPTH from {old} to {new}")
        place = next(i for i, r in enumerate(night.recorded) if r.event.key == f"proposed:{number}")
        event = night.recorded[place].event
        changes = ({"file": "train.py", "name": "DEPTH", "old": old, "new": new},)
        night.recorded[place] = ev.Recorded(
            type(event)(**{**vars(event), "changes": changes}), NOW.isoformat(), "h"
        )
    known = figures(night.campaign(), now=NOW, prior_sigma=SIGMA)
    (steps,) = known.debt.groups
    assert steps_words(steps) == "DEPTH 8 → 4 → 2 → 1" and known.debt.minutes == 2
    assert steps_words((steps[0], steps[2])) == "DEPTH 8 → 4, 2 → 1"
    assert "1, 2, 3 (3 steps of one change, " in status_text(known, 300)
    assert "DEPTH 8 → 4 → 2 → 1" in report_html(known)
