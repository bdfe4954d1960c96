"""Runs with a share of the budget: they end what is not among the best, and win nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bot.config import parse
from bot.errors import UserError
from bot.loop import handover
from bot.loop.evaluation import RunFolder, RunOrder, Scratch
from bot.loop.measure import measure
from bot.loop.settings import can_take_part, evaluator_settings, known_rungs, rungs_of
from bot.rules import events as ev
from bot.rules import shares, short_runs
from bot.rules.campaign import Campaign
from bot.rules.decision import NeedRun, Rule
from bot.rules.judging import Settings, judge
from bot.rules.rung_record import TRIAL, paying, rung_records, spearman, upper_share
from bot.tell.figures.campaign import figures
from bot.tell.figures.plain import status_json
from bot.tell.figures.results import results_tsv
from bot.tell.views.runs import runs_section
from bot.tell.views.status import train_status
from bot.tell.words import facts
from bot.tell.writers import markdown
from tests.bot.campaigns import NOW, Night, commit_of
from tests.bot.repositories import CONFIG, SCORE, make_repository
from tests.bot.scripted import LOSS, WINS, Loop
from tests.bot.telling import report_markdown

READS = (
    SCORE
    + "\nshare = float(os.environ.get('NOCTURNE_BUDGET_SHARE') or 1)\nprint('METRIC share=%g' % share)\n"
)
RUNGS = CONFIG.replace("  metric:", "  rungs: [0.25]\n  metric:")
WHEN = "2026-03-08T23:00:00+00:00"
CANDIDATE = commit_of("candidate")


def short(
    commit: str, replicate: int, score: float | None, experiment: int | None = None, **more: object
) -> ev.RunFinished:
    failure = None if score is not None else {"class": "error", "reason": "ValueError"}
    run = ev.RunFinished(
        f"{commit[:12]}-{replicate}", commit, replicate, replicate, experiment, score, failure, {}, "quarter",
        "bubblewrap", "1x H100", 90.0, 90.0, share=0.25,
    )  # fmt: skip
    return replace(run, **more)  # type: ignore[arg-type]


def night(*runs: ev.RunFinished, direction: ev.Direction = "minimize", number: int = 1) -> Campaign:
    """Return a campaign whose experiment has a candidate, and these runs besides the incumbent's whole ones."""
    made = Night(direction=direction)
    made.baseline(3)
    begin(made, number, CANDIDATE)
    for run in runs:
        made.add(run)
    return made.campaign()


def begin(made: Night, number: int, commit: str, category: str = "other") -> None:
    made.add(ev.ExperimentClaimed(number, made.incumbent))
    made.add(
        ev.ExperimentProposed(number, f"Change {number}", category, "Because", "small", "low", "offline")
    )
    made.add(ev.CandidateBuilt(number, 1, made.incumbent, commit, 1, 1))


BASE = commit_of("base")
THEIRS = (short(BASE, 4, 1.1), short(BASE, 5, 1.101))


def asked(campaign: Campaign, number: int = 1, runner: str = "1x H100") -> object:
    return judge(campaign, number, Settings(Rule(), runner=runner, rungs=(0.25,)))


def not_audited(campaign: Campaign) -> int:
    return next(number for number in range(1, 50) if not short_runs.is_audited(campaign, number))


def test_a_candidate_runs_short_first_and_its_incumbent_is_measured_with_the_same_share() -> None:
    first = asked(night())
    assert isinstance(first, NeedRun) and (first.of, first.share) == ("candidate", 0.25)
    second = asked(night(short(CANDIDATE, 1, 1.1, 1)))
    assert isinstance(second, NeedRun) and (second.of, second.share) == ("incumbent", 0.25)
    third = asked(night(short(CANDIDATE, 1, 1.09, 1), *THEIRS))
    assert isinstance(third, NeedRun) and (third.of, third.share) == ("candidate", 1.0)


@pytest.mark.parametrize(("direction", "sign"), [("minimize", 1), ("maximize", -1)])
def test_what_is_no_better_ends_there_without_an_effect(direction: ev.Direction, sign: int) -> None:
    number = not_audited(night(direction=direction))
    ended = asked(
        night(short(CANDIDATE, 1, 1.1 + sign * 0.05, number), *THEIRS, direction=direction, number=number),
        number,
    )
    assert isinstance(ended, ev.ExperimentDecided)
    assert (ended.verdict, ended.land, ended.effect, ended.candidate_runs) == ("discarded", False, None, 0)
    assert "quarter-budget run" in ended.reason and ended.reason.endswith("no better")
    better = asked(
        night(short(CANDIDATE, 1, 1.1 - sign * 0.05, number), *THEIRS, direction=direction, number=number),
        number,
    )
    assert isinstance(better, NeedRun) and better.share == 1.0, "a short run wins nothing"


def crowd(*gains: float) -> list[ev.Event]:
    """Return other experiments of the same incumbent, whose quarter-budget runs gained so much on it."""
    found: list[ev.Event] = []
    for place, gain in enumerate(gains):
        number, commit = 1000 + place, commit_of(f"other {place}")
        found += [ev.ExperimentClaimed(number, BASE), ev.CandidateBuilt(number, 1, BASE, commit, 1, 1)]
        found.append(short(commit, 1, 1.1005 - gain, number))
    return found


def beside(gain: float, others: list[ev.Event], number: int, removed: int = 1) -> object:
    made = Night()
    made.baseline(3)
    for event in (
        *THEIRS, *others, ev.ExperimentClaimed(number, BASE),
        ev.CandidateBuilt(number, 1, BASE, CANDIDATE, 1, removed), short(CANDIDATE, 1, 1.1005 - gain, number),
    ):  # fmt: skip
        made.add(event)
    return asked(made.campaign(), number)


def test_only_the_best_of_the_newest_go_on() -> None:
    number = not_audited(night())
    others = crowd(*(0.001 * place for place in range(1, 20)))  # the best two before it go on
    for gain, goes_on in ((0.0201, True), (0.0179, True), (0.0169, False), (0.001, False)):
        found = beside(gain, others, number)
        assert isinstance(found, NeedRun) is goes_on, gain
        if isinstance(found, ev.ExperimentDecided):
            assert "the best of the 19 before it gain 0.017 or more" in found.reason
    assert isinstance(beside(0.001, others, number, removed=9), NeedRun), (
        "fewer lines need be no better than most"
    )
    assert isinstance(beside(-0.05, others, number, removed=9), ev.ExperimentDecided)
    old = crowd(*[0.5] * 30, *[-0.01] * short_runs.COMPARED)
    assert isinstance(beside(0.001, old, number), NeedRun), "what is long ago sets no bar"


def test_as_many_go_on_late_in_a_campaign() -> None:
    number = next(n for n in range(901, 950) if not short_runs.is_audited(night(), n))
    others = crowd(*(0.001 * place for place in range(1, 20)))
    found = beside(0.0169, others, number)
    assert isinstance(found, ev.ExperimentDecided) and found.verdict == "discarded"


def test_what_is_surely_better_goes_on_whatever_the_others_did() -> None:
    number = not_audited(night())
    others = crowd(*[0.1] * 12)
    verdict = ev.ExperimentDecided(
        1000, 1, "discarded", False, 0.01, 0.001, 0.001, 1.2, 1.1, 1, 3, "worse", "No."
    )
    known = [*others, verdict, ev.ExperimentFinished(1000)]
    assert isinstance(beside(0.003, others, number), ev.ExperimentDecided), "no noise is known"
    assert isinstance(beside(0.003, known, number), NeedRun)
    assert isinstance(beside(0.002, known, number), ev.ExperimentDecided)


def test_a_few_of_those_given_up_run_in_full_all_the_same() -> None:
    campaign = night()
    drawn = [number for number in range(1, 3001) if short_runs.is_audited(campaign, number)]
    assert 30 < len(drawn) < 100
    spared = asked(night(short(CANDIDATE, 1, 1.2, drawn[0]), *THEIRS, number=drawn[0]), drawn[0])
    assert isinstance(spared, NeedRun) and (spared.of, spared.share) == ("candidate", 1.0)


def test_an_incumbent_that_fails_short_leaves_candidates_to_whole_runs() -> None:
    failed = (short(BASE, 4, None), short(BASE, 5, None))
    last = asked(night(short(CANDIDATE, 1, 1.5, 1), *failed))
    assert isinstance(last, NeedRun) and (last.of, last.share) == ("candidate", 1.0)


def test_a_crash_in_a_short_run_is_one_and_want_of_time_is_not() -> None:
    crashed = asked(night(short(CANDIDATE, 1, None, 1)))
    assert isinstance(crashed, ev.ExperimentDecided) and crashed.verdict == "crashed"
    late = {"class": "refused", "reason": "over the time budget", "defence": "clock"}
    again = asked(night(short(CANDIDATE, 1, None, 1, failure=late)))
    assert isinstance(again, NeedRun) and (again.of, again.share) == ("candidate", 1.0)


def test_short_runs_of_another_machine_give_nothing_up() -> None:
    other = asked(night(short(CANDIDATE, 1, 1.5, 1)), runner="4x B200")
    assert isinstance(other, NeedRun) and (other.of, other.share) == ("candidate", 1.0)


def test_the_incumbent_is_measured_anew_after_some_short_runs_of_candidates() -> None:
    others = tuple(short(commit_of(f"other {place}"), 1, 1.1) for place in range(short_runs.REMEASURED))
    last = asked(night(*THEIRS, *others, short(CANDIDATE, 1, 1.1, 1)))
    assert isinstance(last, NeedRun) and (last.of, last.share) == ("incumbent", 0.25)


def test_a_short_run_of_the_incumbent_tells_that_the_machine_has_not_changed() -> None:
    """A winner's incumbent ran whole only before it: a quarter of the budget tells, and a whole run if that is off."""
    began: list[ev.Event] = [
        *THEIRS, ev.ExperimentClaimed(1, BASE), ev.CandidateBuilt(1, 1, BASE, CANDIDATE, 1, 1),
        short(CANDIDATE, 1, 1.05, 1), short(CANDIDATE, 2, 0.9, 1, fingerprint="f1", share=1.0),
    ]  # fmt: skip

    def after(*runs: ev.RunFinished, began: list[ev.Event] = began) -> object:
        made = Night()
        made.baseline(3)
        for event in (*began, *runs):
            made.add(event)
        return asked(made.campaign())

    first = after()
    assert isinstance(first, NeedRun) and (first.of, first.share) == ("incumbent", 0.25)
    steady = after(short(BASE, 6, 1.1005))
    assert isinstance(steady, ev.ExperimentDecided) and steady.verdict == "improved"
    for off in (1.2, 1.0, None):
        moved = after(short(BASE, 6, off))
        assert isinstance(moved, NeedRun) and (moved.of, moved.share) == ("incumbent", 1.0)
    without = [event for event in began if not (isinstance(event, ev.RunFinished) and event.share < 1)]
    whole = after(began=without)
    assert isinstance(whole, NeedRun) and (whole.of, whole.share) == ("incumbent", 1.0)


@pytest.mark.parametrize(
    ("said", "rungs"),
    [("null", (0.25,)), ("auto", (0.25,)), ("off", ()), ("[0.25, 0.5]", (0.25, 0.5))],
)
def test_what_is_configured_counts_and_older_campaigns_go_on_without(
    said: str, rungs: tuple[float, ...]
) -> None:
    config = parse(f"evaluator: {{rungs: {said}}}")[1]
    new, old = Campaign(), Campaign()
    started = ev.CampaignStarted("main", "main", "a" * 40, "val_bpb", "minimize", 0, rungs=True)
    new.apply(ev.Recorded(started, WHEN))
    old.apply(ev.Recorded(replace(started, rungs=False), WHEN))
    assert known_rungs(config, new) == rungs
    assert known_rungs(config, old) == (() if said == "null" else rungs)


@pytest.mark.parametrize(
    "said", ["[]", "[0.5, 0.25]", "[1.0]", "[0.001]", "on", "often", "[.1, .2, .3, .4, .5]"]
)
def test_a_list_that_is_none_of_rungs_is_refused(said: str) -> None:
    with pytest.raises(UserError, match="rungs"):
        parse(f"evaluator: {{rungs: {said}}}")


def test_a_rung_is_worth_it_if_it_costs_half_at_the_most() -> None:
    def of(seconds: float, trained: float, *short_seconds: float) -> float | None:
        campaign = night(*(short(BASE, 4 + n, 1.1, seconds=each) for n, each in enumerate(short_seconds)))
        for run in campaign.full_runs():
            run.metrics["training_seconds"] = trained
            object.__setattr__(run, "seconds", seconds)
        return shares.relative_cost(campaign, "1x H100", 0.25)

    assert of(330, 300) == pytest.approx(1 - 0.75 * 300 / 330)
    assert of(20, 5) is None, "too short to tell: the demo, and every test"
    assert of(330, 300, 320.0) == pytest.approx(320 / 330), "a script that does not heed its budget"
    campaign = night()
    assert shares.worthwhile(campaign, "1x H100", (0.25,)) == ()
    for run in campaign.full_runs():
        run.metrics["training_seconds"] = 300.0
    assert shares.worthwhile(campaign, "1x H100", (0.25, 0.75)) == (0.25,)
    assert shares.worthwhile(campaign, "2x H100", (0.25,)) == ()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repo", config=RUNGS, files={"score.py": READS})


@pytest.mark.long
def test_a_campaign_gives_up_at_a_rung_and_merges_by_whole_runs_alone(top: Path) -> None:
    loop = Loop(top, (LOSS, *WINS[:1]))
    loop.run(2)
    campaign = loop.context.ledger.refresh()
    lost, won = campaign.experiments[1], campaign.experiments[2]
    assert lost.verdict == "discarded" and [run.share for run in campaign.runs_for(1)] == [0.25]
    assert won.verdict == "improved" and campaign.runs_for(2)[0].share == 0.25
    assert any(run.is_full for run in campaign.runs_for(2))
    runs = list(campaign.runs.values())
    assert len({run.run for run in runs}) == len({(run.commit, run.seed) for run in runs}) == len(runs)
    assert all((run.metrics["share"] == run.share) for run in runs)
    assert len({(run.fingerprint, run.share) for run in runs}) == 2, "a scale of its own"
    assert campaign.gpu_seconds() == pytest.approx(sum(run.gpu_seconds for run in runs))
    assert "(quarter-budget run)" in loop.out.getvalue()


def test_the_result_of_a_short_run_is_picked_up_for_no_whole_one(top: Path, tmp_path: Path) -> None:
    loop = Loop(top)
    scratch = Scratch(top, tmp_path)
    whole = RunOrder("run-1", scratch, 5, evaluator_settings(loop.context))
    runs = RunFolder(tmp_path / "runs")
    assert runs.evaluate(replace(whole, share=0.25), lambda event: None).metrics["share"] == 0.25
    kept = (tmp_path / "runs/run-1/result.json").stat().st_mtime_ns
    assert runs.evaluate(replace(whole, share=0.25), lambda event: None).metrics["share"] == 0.25
    assert (tmp_path / "runs/run-1/result.json").stat().st_mtime_ns == kept, "the same order is not run again"
    assert runs.evaluate(whole, lambda event: None).metrics["share"] == 1


@pytest.mark.long
def test_a_handover_holds_runs_with_the_shares_of_this_campaign_alone(top: Path, tmp_path: Path) -> None:
    loop = Loop(top, (LOSS,))
    loop.run(1)
    context = loop.context
    campaign = context.ledger.refresh()
    run = next(run for run in campaign.runs_for(1) if not run.is_full)
    path = tmp_path / "handover.json"
    assert handover.write(context, set(campaign.runs) - {run.run}, 1, path) == 1
    record = json.loads(path.read_text())
    assert handover._checked(context, campaign, record)[1] == [run]
    record["runs"][0]["share"] = 0.5
    with pytest.raises(ValueError, match="no rung here"):
        handover._checked(context, campaign, record)
    record["runs"][0]["share"] = 0
    with pytest.raises(ValueError, match="share is 0"):
        handover._checked(context, campaign, record)


def test_a_command_takes_part_by_itself_only_if_its_script_reads_the_share(top: Path, tmp_path: Path) -> None:
    context = Loop(top).context
    assert can_take_part(context, "HEAD")
    plain = Loop(make_repository(tmp_path / "plain", config=RUNGS)).context
    assert not can_take_part(plain, "HEAD")
    campaign = plain.ledger.refresh()
    assert rungs_of(plain, campaign) == (0.25,), "what is configured counts"
    with pytest.raises(UserError, match="NOCTURNE_BUDGET_SHARE"):
        loop = Loop(plain.git.top, (LOSS,))
        loop.run(1)


@pytest.mark.long
def test_a_short_run_of_an_incumbent_has_a_number_and_a_seed_of_its_own(top: Path) -> None:
    loop = Loop(top, ())
    loop.run(1)
    context = loop.context
    head = context.ledger.refresh().incumbent
    made = measure(context, head, experiment=None, title="incumbent", share=0.25)
    assert made is not None and made.share == 0.25
    whole = [run.run for run in context.ledger.refresh().runs_of(head)]
    assert made.run not in whole and made.seed not in {
        run.seed for run in context.ledger.known().runs_of(head)
    }


def decided(number: int, verdict: ev.Verdict) -> list[ev.Event]:
    said = ev.ExperimentDecided(
        number,
        1,
        verdict,
        False,
        None,
        None,
        None,
        None,
        None,
        0,
        0,
        "a quarter-budget run stands worse",
        "Lesson.",
    )
    return [said, ev.ExperimentFinished(number)]


def many(outcomes: dict[int, tuple[float, float | None, ev.Verdict]]) -> Campaign:
    """Return a campaign of experiments on one incumbent: by number the short score, the whole one, the verdict."""
    made = Night()
    made.baseline(2)
    for run in THEIRS:
        made.add(run)
    for number, (part, whole, verdict) in outcomes.items():
        commit = commit_of(f"candidate {number}")
        begin(made, number, commit)
        made.add(short(commit, 1, part, number))
        if whole is not None:
            made.replicates[commit] = 1
            made.run(commit, number, score=whole)
        for event in decided(number, verdict):
            made.add(event)
    return made.campaign()


def test_what_came_of_short_runs_is_counted_and_told() -> None:
    drawn = [number for number in range(1, 200) if short_runs.is_audited(night(), number)]
    kept = [number for number in range(1, 200) if number not in drawn]
    outcomes: dict[int, tuple[float, float | None, ev.Verdict]] = dict.fromkeys(
        kept[:8], (1.2, None, "discarded")
    )
    outcomes |= {
        n: (1.1 - 0.001 * place, 0.99 - 0.001 * place, "improved") for place, n in enumerate(kept[8:13])
    }
    outcomes |= {drawn[0]: (1.3, 1.1, "discarded"), drawn[1]: (1.25, 0.98, "improved")}
    (found,) = rung_records(many(outcomes))
    assert (found.tried, found.given_up, found.audited, found.winners, found.pairs) == (15, 8, 2, 1, 7)
    assert found.distrusted == (), "one may be chance"
    assert found.lost == 4 and 4 < found.lost_at_most < 8
    assert found.agreement == pytest.approx(0.464, abs=0.001)
    known = figures(many(outcomes), now=NOW)
    said = dict(facts(known))["Quarter-budget runs"]
    assert said.startswith("8 of 15 given up; rank agreement 0.") and "lost about 4 winners" in said
    assert status_json(known)["rungs"][0]["given_up"] == 8
    assert known.runs == 2 + 2 + 15 + 7 and len(known.dots) == 2 + 7, "no short run is a dot among whole ones"


def test_a_rung_that_ends_too_little_to_pay_is_left_out() -> None:
    drawn = [number for number in range(1, 200) if short_runs.is_audited(night(), number)]
    kept = [number for number in range(1, 200) if number not in drawn]

    def paying_after(given_up: int, tried: int) -> tuple[float, ...]:
        outcomes: dict[int, tuple[float, float | None, ev.Verdict]] = {}
        for place, number in enumerate(kept[:tried]):
            ends = place < given_up
            outcomes[number] = (1.2, None, "discarded") if ends else (1.1, 1.0, "discarded")
        campaign = many(outcomes)
        for run in campaign.full_runs():
            run.metrics["training_seconds"] = 300.0
        return paying(campaign, (0.25,))

    assert paying_after(0, TRIAL - 1) == (0.25,), "too few to tell"
    assert paying_after(2, TRIAL) == ()
    assert paying_after(8, TRIAL) == (0.25,)


def test_a_category_whose_short_runs_mislead_runs_in_full_at_once() -> None:
    drawn = [number for number in range(1, 400) if short_runs.is_audited(night(), number)][:2]
    misled = many(dict.fromkeys(drawn, (1.25, 0.98, "improved")))
    for number, category, share in ((900, "other", 1.0), (901, "width", 0.25)):
        fresh = Night()
        fresh.recorded = []
        begin(fresh, number, commit_of(f"new {number}"), category)
        for recorded in fresh.recorded:
            misled.apply(recorded)
        need = asked(misled, number)
        assert isinstance(need, NeedRun) and need.share == share, category


def test_what_was_given_up_says_so_everywhere_and_states_no_score() -> None:
    campaign = many({1: (1.2, None, "discarded")})
    experiment = campaign.experiments[1]
    table = markdown.write(runs_section(campaign, experiment))
    assert "candidate, quarter-budget run, 1" in table and "incumbent, quarter-budget run, 4" in table
    assert "with those of the same share only" in table
    row = results_tsv(campaign).splitlines()[-1].split("\t")
    assert (
        row[1] == "0.000000"
        and row[3] == "crash"
        and row[4].endswith("(given up after a quarter-budget run)")
    )
    shown = figures(campaign, now=NOW).rows[0]
    assert shown.score is None and shown.runs == 1 and shown.run_lines[0].share == 0.25
    assert train_status(campaign, experiment, experiment.decision) == ("success", "1 run finished")  # type: ignore[arg-type]
    assert "1.2" not in report_markdown(figures(campaign, now=NOW)), "a score of another scale"


@pytest.mark.parametrize(
    ("pairs", "is_"),
    [
        ([(1, 1), (2, 2), (3, 3)], 1.0),
        ([(1, 3), (2, 2), (3, 1)], -1.0),
        ([(1, 1), (1, 2)], None),
        ([(1, 1)], None),
    ],
)
def test_rank_agreement(pairs: list[tuple[float, float]], is_: float | None) -> None:
    assert spearman(pairs) == is_


def test_the_upper_bound_of_a_share() -> None:
    assert upper_share(0, 0, 0.9) == 1
    assert upper_share(0, 22, 0.9) == pytest.approx(1 - 0.1 ** (1 / 22), abs=1e-6)
    assert 0.3 < upper_share(1, 10, 0.9) < 0.35
