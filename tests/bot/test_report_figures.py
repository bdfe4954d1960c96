"""The figures themselves, and that every rendering says the same ones."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from dataclasses import replace
from datetime import timedelta
from statistics import fmean

import pytest

from bot.rules import events as ev
from bot.rules.campaign import Campaign
from bot.rules.statistics import EACH_END, t_quantile
from bot.rules.wandering import wandered
from bot.tell.figures.campaign import Figures, figures
from bot.tell.figures.plain import status_json
from bot.tell.figures.results import results_tsv
from bot.tell.page import page_data, report_html
from bot.tell.words import score_words
from tests.bot.campaigns import CYCLE, NOW, SIGMA, Night, commit_of, night_of
from tests.bot.telling import report_markdown, status_text, table_text


def seen(campaign: Campaign) -> Figures:
    return figures(campaign, now=NOW, prior_sigma=SIGMA)


def embedded(page: str) -> dict:  # type: ignore[type-arg]
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found.group(1))  # type: ignore[no-any-return]


@pytest.mark.parametrize("experiments", [0, 1, 30, pytest.param(2000, marks=pytest.mark.long)])
def test_figures_agree_in_every_rendering(experiments: int) -> None:
    campaign = night_of(experiments).campaign()
    of = seen(campaign)
    status = status_json(of)
    page = embedded(report_html(of))
    assert page["status"] == json.loads(json.dumps(status))
    assert len(page["rows"]) == experiments == status["experiments"]["total"]
    for verdict in ev.VERDICTS:
        wanted = sum(1 for n in range(1, experiments + 1) if CYCLE[n % len(CYCLE)] == verdict)
        assert status["experiments"][verdict] == wanted
        assert sum(1 for row in page["rows"] if row["state"] == verdict) == wanted
    lines = list(csv.DictReader(io.StringIO(results_tsv(campaign)), delimiter="\t"))
    assert len(lines) == experiments + 1
    assert float(lines[0]["val_bpb"]) == pytest.approx(status["baseline"]["score"], abs=1e-6)
    assert sum(1 for line in lines[1:] if line["status"] == "keep") == status["landed"]
    text = report_markdown(of, latest=experiments)
    said = status_text(of)
    for end in score_words(of):
        assert end in text and end in said
    assert len(re.findall(r"(?m)^ *\d+  ", table_text(of))) == experiments
    assert len(re.findall(r"^\| (?:\[?\d)", text, re.MULTILINE)) == experiments


def test_gain_is_the_difference_of_means_with_a_one_sided_margin() -> None:
    night = Night()
    base = [night.run(night.incumbent, None) for _ in range(3)]
    night.experiment(1, "improved", "Warm up")
    of = seen(night.campaign())
    won = night.campaign().scores_of(night.incumbent)
    assert of.gain is not None and of.noise.sigma is not None
    assert of.gain.value == pytest.approx(fmean(b for b in base if b) - fmean(won))
    known = night.campaign()
    ends = [known.runs_of(commit) for commit in known.incumbents]
    error = of.noise.sigma * math.sqrt(1 / 3 + 1 / len(won) + wandered(known, ("1x H100", "f1"), *ends))
    # Three degrees from the prior, two and two from the replicates of the commits.
    assert of.gain.half_width == pytest.approx(t_quantile(EACH_END, 3 + 2 + len(won) - 1) * error)
    assert of.noise.runs == 3 + len(won)


def test_best_is_what_the_campaign_calls_best() -> None:
    for direction in ("minimize", "maximize"):
        campaign = night_of(60, direction=direction).campaign()
        of, best = seen(campaign), campaign.best()
        assert of.best is not None and best is not None
        assert (of.best.commit, of.best.score) == pytest.approx(best)


def test_a_maximised_metric_gains_upwards() -> None:
    night = Night(metric="accuracy", direction="maximize")
    night.baseline(2)
    night.experiment(1, "improved", "More heads")
    of = seen(night.campaign())
    assert of.gain is not None and of.gain.value > 0
    assert of.incumbent is not None and of.baseline is not None
    assert (of.incumbent.score or 0) > (of.baseline.score or 0)
    assert "better by" in report_markdown(of)


def test_nothing_measured_is_none_everywhere() -> None:
    for campaign in (Campaign(), Night().campaign()):
        of = figures(campaign, now=NOW)
        status = status_json(of)
        assert status["state"] == "new"
        assert status["best"] is None and status["gain"] is None
        assert status["noise"] == {"sigma": None, "runs": 0}
        assert "not measured yet" in report_markdown(of)
        assert "not measured yet" in report_html(of)
        assert results_tsv(campaign) == "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"
        assert "not measured yet" in status_text(of)


def test_states_and_stop_reasons() -> None:
    night = night_of(2)
    assert seen(night.campaign()).state == "idle"
    night.add(ev.LeaseTaken("experiment:3", 1, "host/1", "2999-01-01T00:00:00+00:00"))
    assert seen(night.campaign()).state == "running"
    night.add(ev.LoopStopped("plateau", "12 experiments without an improvement", 2))
    stopped = status_json(seen(night.campaign()))
    assert (stopped["state"], stopped["stop_reason"]) == ("stopped", "plateau")
    assert "12 experiments without an improvement" in report_markdown(seen(night.campaign()))
    night.add(ev.CommandGiven(1, "resume"))
    assert status_json(seen(night.campaign()))["state"] == "running"  # the lease is still held
    night.add(ev.CommandGiven(2, "pause"))
    assert status_json(seen(night.campaign()))["state"] == "paused"
    night.add(ev.CommandGiven(3, "resume"))
    night.add(ev.CommandGiven(4, "stop"))
    assert status_json(seen(night.campaign()))["stop_reason"] == "stopped"


def test_an_open_experiment_shows_its_stage_and_no_verdict() -> None:
    night = night_of(3)
    night.experiment(4, "discarded", "Still at work", finish=False)
    night.add(ev.ExperimentClaimed(5, night.incumbent))
    of = seen(night.campaign())
    assert [row.state for row in of.rows[-2:]] == ["train", "propose"]
    assert of.open == 2
    assert sum(of.verdicts.values()) + of.open == of.total
    assert "train…" in report_markdown(of)
    assert len(results_tsv(night.campaign()).splitlines()) == 1 + 1 + 3


def test_unjailed_runs_are_loud_everywhere() -> None:
    night = night_of(3)
    night.run(night.incumbent, None, jail="none")
    of = seen(night.campaign())
    assert status_json(of)["unjailed"] == 1
    for text in (report_markdown(of), report_html(of), status_text(of, 300)):
        assert "Unjailed: 1 of" in text
    assert "Unjailed" not in report_html(seen(night_of(3).campaign()))


def test_what_a_jail_could_not_close_is_said_everywhere() -> None:
    night = night_of(3)
    night.run(night.incumbent, None, gaps=("no control group",))
    of = seen(night.campaign())
    assert status_json(of)["gaps"] == ["no control group"]
    for text in (report_markdown(of), report_html(of), status_text(of, 300)):
        assert "no control group" in text
    assert "control group" not in report_html(seen(night_of(3).campaign()))


def test_scores_of_another_machine_are_not_compared() -> None:
    night = Night()
    night.baseline(2)
    night.experiment(1, "improved", "Warm up")
    night.run(night.incumbent, None, score=0.5, runner="1x B200")
    of = seen(night.campaign())
    assert of.incumbent is not None and of.incumbent.score == 0.5 and of.incumbent.runs == 1
    assert of.gain is None
    assert "different machines" in report_markdown(of)


def test_a_diverged_run_breaks_no_page() -> None:
    night = night_of(3)
    commit = commit_of("diverged")
    night.add(ev.ExperimentClaimed(4, night.incumbent))
    night.add(ev.CandidateBuilt(4, 1, night.incumbent, commit, 1, 1))
    run = replace(
        night.campaign().runs[f"{commit_of('base')[:12]}-1"], run="d-1", commit=commit, experiment=4
    )
    night.add(replace(run, score=math.nan, curve=((0.0, 0.0, 3.0), (1.0, 1.0, math.nan))))
    of = seen(night.campaign())
    assert of.failed_runs == 1
    assert embedded(report_html(of))["rows"][-1]["curve"] == [[0, 0.0, 3.0]]
    assert "nan" not in report_markdown(of).lower()


def test_the_staircase_steps_where_the_winner_won() -> None:
    night = Night()
    night.baseline(2)
    night.experiment(1, "discarded", "No")
    night.experiment(2, "improved", "Yes")
    of = seen(night.campaign())
    assert [(stair.index, stair.experiment) for stair in of.staircase] == [(0, None), (4, 2)]
    assert of.dots[4].experiment == 2 and of.dots[5].kind == "incumbent"
    night.add(ev.IncumbentMoved(commit_of("base"), night.incumbent, 1))
    night.run(commit_of("base"), None)
    back = seen(night.campaign()).staircase[-1]
    assert (back.index, back.commit) == (6, commit_of("base"))


def test_tsv_reads_as_the_notebook_reads_it() -> None:
    night = Night()
    night.baseline(2)
    night.experiment(1, "improved", '"Quoted\tand\nbroken\x1b[0m')
    night.experiment(2, "crashed", "Too large")
    night.experiment(3, "rejected", "Touches prepare.py")
    night.experiment(4, "discarded", "Worse")
    text = results_tsv(night.campaign())
    assert text.splitlines()[0].split("\t") == ["commit", "val_bpb", "memory_gb", "status", "description"]
    rows = list(csv.DictReader(io.StringIO(text), delimiter="\t"))
    assert [row["status"] for row in rows] == ["keep", "keep", "crash", "crash", "discard"]
    assert rows[0]["description"] == "baseline" and rows[1]["description"] == "'Quoted and broken"
    assert [row["val_bpb"] for row in rows[2:4]] == ["0.000000"] * 2
    assert [row["memory_gb"] for row in rows] == ["44.0", "44.0", "44.0", "0.0", "44.0"]
    assert all(re.fullmatch(r"[0-9a-f]{7}", row["commit"]) for row in rows)
    kept = [float(row["val_bpb"]) for row in rows if row["status"].upper() != "CRASH"]
    assert min(kept) == float(rows[1]["val_bpb"]), "nothing but the winner may look like the best score"


def test_rows_end_in_the_order_of_the_ledger_not_of_their_numbers() -> None:
    night = night_of(2)
    night.experiment(4, "discarded", "Fourth, but done first")
    night.experiment(3, "discarded", "Third, but done last")
    rows = results_tsv(night.campaign()).splitlines()
    assert rows[-2].endswith("Fourth, but done first") and rows[-1].endswith("Third, but done last")


def test_a_curve_stands_beside_the_incumbents_run_of_the_same_seed() -> None:
    night = Night()
    night.baseline(3)
    night.experiment(1, "discarded", "Worse")
    of = seen(night.campaign())
    against = of.rows[0].curve_against
    assert against is not None
    runs = night.campaign().runs
    assert runs[against].commit == commit_of("base")
    assert runs[against].seed == of.rows[0].run_lines[0].seed
    assert page_data(of)["curves"][against]


def test_figures_grow_in_proportion_to_the_campaign() -> None:
    """Ten times the experiments must not read a hundred times the runs."""

    def reads(experiments: int) -> int:
        campaign = night_of(experiments, hostile=False).campaign()
        counted = 0

        class Counting(dict[str, ev.RunFinished]):
            def values(self):  # type: ignore[no-untyped-def]
                nonlocal counted
                for value in super().values():
                    counted += 1
                    yield value

        campaign.runs = Counting(campaign.runs)
        seen(campaign)
        return counted

    assert reads(600) < 15 * reads(60)


def test_the_time_of_writing_is_the_one_passed_in() -> None:
    of = replace(seen(night_of(1).campaign()), now=NOW + timedelta(days=1))
    assert "2026-03-10 06:00 UTC" in report_html(of)
    assert "2026-03-10 06:00 UTC" in report_markdown(of)
