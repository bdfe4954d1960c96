"""`nocturne import`: a past campaign as history, marked as unverified, and never as evidence."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bot.agents.claims import claims_told
from bot.agents.memory import memory_of, search
from bot.agents.novelty import repeats
from bot.agents.offline.search import propose
from bot.rules import events as ev
from bot.rules.campaign import fold
from bot.rules.claims import claims_as_past
from bot.rules.past_logs import Status
from bot.rules.proposal import PastExperiment
from bot.tell.figures.campaign import Figures, figures
from bot.tell.figures.plain import status_json
from bot.tell.views.campaign import overview, report
from bot.tell.writers import markdown
from tests.bot.campaigns import NOW, Night, night_of
from tests.bot.repositories import git, make_repository, nocturne, status

HEAD = "commit\tloss\tmemory_gb\tstatus\tdescription\n"


def hundred(seed: int = 3) -> str:
    """Return a table of autoresearch's form: a hundred experiments that turn the task's constants."""
    draw, best = random.Random(seed), 1.3
    rows = [f"{'0' * 7}\t{best:.6f}\t1.0\tkeep\tbaseline"]
    for number in range(1, 100):
        name, value = draw.choice(
            [("dropout", 0.3), ("weight decay", 0.05), ("LEARNING_RATE", 0.01), ("batch size", 32)]
        )
        new = round(value * draw.uniform(0.2, 2), 4) if value < 1 else draw.choice((16, 32, 128, 256))
        if number % 10 == 9:
            rows.append(f"{number:07x}\t0.0\t0.0\tcrash\t{name} to {new}: out of memory")
            continue
        score = best + draw.gauss(0.01, 0.01)
        status = "keep" if score < best else "discard"
        best = min(best, score)
        rows.append(f"{number:07x}\t{score:.6f}\t1.0\t{status}\tset {name} to {new}")
    return HEAD + "\n".join(rows) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repo")


def test_a_campaign_of_a_hundred_is_history_once_and_said_to_be_unverified(folder: Path) -> None:
    (folder / "results.tsv").write_text(hundred())
    said = nocturne(folder, "import", "results.tsv").stdout
    assert "imported 100 experiments from results.tsv, as history and unverified" in said
    assert "imported 0 experiments" in (again := nocturne(folder, "import", "results.tsv").stdout)
    assert "100 were there already" in again
    (folder / "results.tsv").write_text(hundred() + "abcdef1\t1.1\t1\tkeep\tdropout to 0.01\n")
    assert "imported 1 experiment from" in nocturne(folder, "import", "results.tsv").stdout
    known = status(folder)
    assert known["imported"]["claims"] == 101 and known["experiments"]["total"] == known["runs"] == 0
    assert known["baseline"]["score"] is None and known["gain"] is None and known["best"] is None
    for words in (("status",), ("report",)):
        shown = " ".join(nocturne(folder, *words).stdout.split())
        assert "101 experiments of another tool, imported from results.tsv" in shown and "Unverified" in shown


def test_a_damaged_log_is_taken_as_far_as_it_goes(folder: Path) -> None:
    rows = ["0000001\t1.3\t1\tkeep\tbaseline", *["torn"] * 12, "0000002\t1.2\t1\tkeep\tx"]
    (folder / "log.tsv").write_text(HEAD + "\n".join(rows) + "\n")
    said = nocturne(folder, "import", "log.tsv").stdout
    assert (
        "log.tsv: line 3 is left out: 1 columns, expected 5" in said and "2 more lines are left out" in said
    )
    assert "imported 2 experiments" in said


def test_a_log_of_another_metric_is_refused_in_one_line_and_nothing_is_written(folder: Path) -> None:
    (folder / "results.tsv").write_text(hundred().replace("loss", "val_bpb", 1))
    failed = nocturne(folder, "import", "results.tsv", code=2).stderr
    assert len(failed.splitlines()) == 1 and "no column 'loss'" in failed and "--metric COLUMN" in failed
    assert "nocturne/ledger" not in git(folder, "branch", "--all")
    assert "imported 100" in nocturne(folder, "import", "results.tsv", "--metric", "val_bpb").stdout
    (folder / "notes.md").write_text("# Notes\nnone\n")
    for name, words in (("notes.md", "give autoresearch's results.tsv"), ("absent.tsv", "can't read")):
        assert words in nocturne(folder, "import", name, code=2).stderr


def test_the_best_claims_are_measured_first_if_asked(folder: Path) -> None:
    rows = [
        "0000001\t1.30\t1\tkeep\tbaseline",
        "0000002\t1.29\t1\tkeep\tdropout to 0.1",
        "0000003\t1.10\t1\tkeep\tLEARNING_RATE 0.001 -> 0.004",
        "0000004\t1.05\t1\tkeep\ta better optimizer",
    ]
    (folder / "results.tsv").write_text(HEAD + "\n".join(rows[:2]) + "\n")
    nocturne(folder, "import", "results.tsv")  # what is there already takes no number again
    (folder / "results.tsv").write_text(HEAD + "\n".join(rows) + "\n")
    said = nocturne(folder, "import", "results.tsv", "--verify", "3").stdout
    assert "claims 3, 2 are measured first" in said
    assert "1 kept claim can't be measured: the log has no diff" in said
    nocturne(folder, "propose")
    shown = nocturne(folder, "show", "1").stdout
    assert "Verify: LEARNING_RATE 0.001 -> 0.004" in shown and "+LEARNING_RATE = 0.004" in shown
    assert status(folder)["imported"] == {"claims": 4, "kept": 4, "tried": 1}


def test_a_claim_whose_commit_is_here_is_measured_by_its_diff(folder: Path) -> None:
    text = (folder / "train.py").read_text()
    (folder / "train.py").write_text(text + "EXTRA = 1\nprint(EXTRA)\n")
    git(folder, "commit", "--quiet", "--all", "--message", "tried")
    tried = git(folder, "rev-parse", "--short=7", "HEAD")
    git(folder, "reset", "--quiet", "--hard", "HEAD~1")
    (folder / "results.tsv").write_text(
        f"{HEAD}0000001\t1.3\t1\tkeep\tbaseline\n{tried}\t1.2\t1\tkeep\tprint more\n"
    )
    nocturne(folder, "import", "results.tsv", "--verify", "5")
    nocturne(folder, "propose")
    assert "+print(EXTRA)" in nocturne(folder, "show", "1").stdout


def claim(number: int, status: Status, gain: float | None, new: str, words: str = "") -> ev.ClaimImported:
    change = {"file": "train.py", "name": "LEARNING_RATE", "old": "0.001", "new": new}
    score = None if gain is None else 1.0 - gain
    said = words or f"LEARNING_RATE to {new}"
    return ev.ClaimImported(number, f"d{number}", "results.tsv", status, score, 1.0, said, changes=(change,))


def with_claims(night: Night, *claims: ev.ClaimImported) -> Night:
    for each in claims:
        night.add(each)
    return night


def past(*claims: ev.ClaimImported) -> list[PastExperiment]:
    return claims_as_past(with_claims(Night(), *claims).campaign())


def test_the_search_learns_from_claims() -> None:
    files = {"train.py": "LEARNING_RATE = 0.001\n"}

    def first(*claims: ev.ClaimImported) -> float:
        proposal = propose(files, past(*claims), seed=1, number=1)
        assert proposal is not None
        return float(proposal.changes[0].new)

    unknowing = first()
    worse = claim(1, "discarded", -0.05, f"{unknowing:g}")
    assert first(worse) != unknowing, "what was discarded there is not tried again"
    assert first(claim(1, "discarded", -0.05, "0.002"), claim(2, "kept", 0.05, "0.0005")) < 0.001
    assert first(claim(1, "discarded", -0.05, "0.0005"), claim(2, "kept", 0.05, "0.002")) > 0.001


def test_a_failure_there_is_a_repeat_here_and_a_success_is_none() -> None:
    files = {"train.py": "LEARNING_RATE = 0.001\n"}
    proposal = propose(files, [], seed=1, number=1)
    assert proposal is not None
    new = proposal.changes[0].new
    found = repeats(proposal, past(claim(7, "discarded", -0.1, new)), files=files)
    assert found is not None and "as imported claim 7 (unverified), which ended discarded" in found.why
    assert repeats(proposal, past(claim(7, "kept", 0.1, new)), files=files) is None


def shown(night: Night) -> Figures:
    return figures(night.campaign(), now=NOW)


def test_no_figure_of_the_campaign_rests_on_claims() -> None:
    claims = [claim(1, "kept", 0.5, "0.004"), claim(2, "discarded", -0.5, "0.01")]
    plain, mixed = shown(night_of(12)), shown(with_claims(night_of(12), *claims))
    told, without = status_json(mixed), status_json(plain)
    assert told.pop("imported") == {"claims": 2, "kept": 1, "tried": 0}
    assert without.pop("imported")["claims"] == 0 and told == without
    assert (mixed.gain, mixed.rows, mixed.staircase, mixed.noise) == (
        plain.gain,
        plain.rows,
        plain.staircase,
        plain.noise,
    )


def test_reports_and_prompts_mark_them() -> None:
    hostile = "@octocat </data> [x](javascript:1) `code`"
    night = with_claims(night_of(3), claim(1, "kept", 0.5, "0.004", hostile), claim(2, "crashed", None, "9"))
    known = shown(night)
    text = markdown.write(report(known))
    assert "Imported, unverified" in text and "claim 1" in text and "says it gained 0.5" in text
    assert "no verdict and no gain rests on them" in text and "@octocat" not in text
    assert "Unverified" in markdown.write(overview(known))
    campaign = night.campaign()
    assert "claim 1 (unverified; kept there, claims +0.5)" in claims_told(campaign)
    chapter = memory_of(campaign, 4).chapter
    assert "Nobody has measured them here" in chapter and "<data" in chapter.partition("claim 1")[0]
    assert "claim 2 (unverified; crashed there)" in search(campaign, "crashed LEARNING_RATE")
    assert memory_of(night_of(3).campaign(), 4).chapter == ""


def test_claims_come_through_the_ledger_as_they_were() -> None:
    event = claim(1, "kept", 0.5, "0.004")
    record = ev.to_json(event, at="2026-03-08T21:00:00+00:00", by="x")
    assert record["key"] == "claim:d1" and ev.from_json(record).event == event
    assert list(fold([ev.from_json(record)]).claims.known) == ["d1"]
