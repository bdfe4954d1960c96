"""Guards: how they are written, when they are broken, and what that does to an experiment."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bot.agents.constants import changes_between
from bot.agents.protocol import Question
from bot.loop.context import Context, open_context
from bot.loop.runner import Until, run_loop
from bot.loop.settings import evaluator_settings
from bot.rules.guards import Guard, broken, clearly_broken, parse_guard
from bot.rules.proposal import Proposal
from bot.tell.display import PlainDisplay
from tests import examples
from tests.bot.repositories import CONFIG, TRAIN, events, git, make_repository, nocturne

WRITTEN = [
    ("peak_vram_mb <= 1.1 * incumbent", 4000.0, 4400.0),
    ("peak_vram_mb<=incumbent*110%", 4000.0, 4400.0),
    ("a <= 110 % * incumbent", 10.0, 11.0),
    ("a <= incumbent", 3.0, 3.0),
    ("a <= incumbent + 100", 3.0, 103.0),
    ("a >= incumbent - 5%", 200.0, 190.0),
    ("a <= incumbent + 5%", -200.0, -190.0),
    ("accuracy >= 0.9", 5.0, 0.9),
    ("accuracy > 90%", 5.0, 0.9),
    ("val/loss.2 < 5_000", 5.0, 5000.0),
    ("a >= -1.5e-3", 5.0, -0.0015),
    ("a <= .5", 5.0, 0.5),
]


@pytest.mark.parametrize(("text", "incumbent", "limit"), WRITTEN)
def test_a_guard_is_read_as_it_is_written(text: str, incumbent: float, limit: float) -> None:
    guard = parse_guard(text)
    assert guard.bound(incumbent) == pytest.approx(limit)
    assert guard.holds(limit, incumbent) is (guard.sign in ("<=", ">="))
    above = limit + abs(limit) / 10
    assert guard.holds(above, incumbent) is guard.sign.startswith(">")


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "a <=", "<= 3", "a == 3", "a <= b", "a <= 1.1incumbent", "a <= 1 + incumbent", "a <= incumbent 5",
        "a <= incumbent * incumbent", "a <= inf", "a <= 1e999", "a <= nan", "a b <= 3", "a <= 3 <= 4", "a <= 3; b",
        "a <= __import__('os')", "a <= 1.1 * other", "1 <= a", "a <= 5 %%", "a =< 3",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_a_mend(text: str) -> None:
    with pytest.raises(ValueError, match=r"^write NAME <= LIMIT"):
        parse_guard(text)


def parsed(*texts: str) -> list[Guard]:
    return [parse_guard(text) for text in texts]


def runs(name: str, *values: float) -> list[dict[str, float]]:
    return [{name: value, "other": 1.0} for value in values]


def test_a_breach_is_a_sentence_with_both_figures() -> None:
    guards = parsed("peak_vram_mb <= 1.1 * incumbent", "other >= 2", "peak_vram_mb > 100")
    mine, theirs = runs("peak_vram_mb", 5200, 5220), runs("peak_vram_mb", 4001, 4002, 4010)
    assert broken(guards, mine, theirs) == [
        "peak_vram_mb 5,210 is above 1.1 * incumbent (4,402.2)",
        "other 1 is below 2",
    ]
    assert broken(parsed("a < incumbent", "a > incumbent"), runs("a", 3), runs("a", 3)) == [
        "a 3 is not below incumbent (3)",
        "a 3 is not above incumbent (3)",
    ]


def test_medians_decide_and_one_odd_run_does_not() -> None:
    guard = parsed("a <= incumbent + 10")
    theirs = runs("a", 100, 90, 500)
    assert broken(guard, runs("a", 105, 108, 900), theirs) == []
    assert len(broken(guard, runs("a", 105, 150, 900), theirs)) == 1


def test_a_limit_made_from_the_incumbent_gives_way_by_the_noise() -> None:
    draw, kept = random.Random(1), 0
    for _ in range(200):
        theirs, mine = ([draw.gauss(100, 1) for _ in range(n)] for n in (4, 2))
        kept += not broken(parsed("a >= incumbent"), runs("a", *mine), runs("a", *theirs))
    assert kept > 160  # of equals; without allowing for the noise every second one breaks it
    assert broken(parsed("a >= incumbent"), runs("a", 94, 95), runs("a", 99, 100, 100, 101))
    assert broken(parsed("a >= incumbent"), runs("a", 99.9), runs("a", 100, 100))  # repeats: no noise
    assert broken(parsed("a >= 100"), runs("a", 99.9), runs("a", 99, 100, 101))


def test_a_metric_that_is_missing_breaks_its_guard() -> None:
    guards = parsed("a <= incumbent")
    lacks = [{"other": 1.0}]
    assert broken(guards, [*runs("a", 1), *lacks], runs("a", 1)) == [
        "a is guarded and the candidate's runs do not report it"
    ]
    assert broken(guards, runs("a", 1), lacks) == ["a is guarded and the incumbent's runs do not report it"]
    assert broken(parsed("a <= 3"), runs("a", 1), lacks) == []


@pytest.mark.parametrize(
    ("mine", "theirs", "clear"),
    [
        ([150], [100, 110], True),
        ([130], [100, 110], False),  # within two standard errors of the limit
        ([115], [100, 110], False),  # against the larger of the incumbent's runs it holds
        ([130, 105], [100, 110], False),  # one of its own runs holds
        ([130], [], False),  # nothing to compare with yet
        ([], [100], False),
    ],
)
def test_clear_is_what_no_replicate_can_mend(mine: list[float], theirs: list[float], clear: bool) -> None:
    guards = parsed("a <= incumbent + 10")
    assert bool(clearly_broken(guards, runs("a", *mine), runs("a", *theirs))) is clear


class Script:
    """A maker that says what it was told to say."""

    def __init__(self, files: Sequence[dict[str, str]], base: dict[str, str]) -> None:
        self._files: Iterator[dict[str, str]] = iter(files)
        self._base = base

    def propose(self, question: Question) -> Proposal | None:
        new = next(self._files, None)
        if new is None:
            return None
        changes = changes_between(self._base, {**self._base, **new})
        words = f"Try {', '.join(change.new for change in changes)}"
        return Proposal(words, "other", "Because.", "better", "low", new, changes, proposer="script")


def context_for(folder: Path, *files: dict[str, str], base: dict[str, str] | None = None) -> Context:
    script = Script(files, base or {"train.py": TRAIN})
    return open_context(folder, None, PlainDisplay(io.StringIO()), {}, script)


def decisions(folder: Path) -> list[dict[str, object]]:
    return [event for event in events(folder) if event["kind"] == "experiment_decided"]


def test_the_evaluator_hears_nothing_of_guards_and_what_effect_counts(tmp_path: Path) -> None:
    config = CONFIG.replace("evaluator:\n", "evaluator:\n  guards: [loss <= 2]\n")
    plain = evaluator_settings(context_for(make_repository(tmp_path / "a", config=config)))
    assert not {"guards", "rungs", "min_effect"} & set(plain)
    config += "verdict: {min_effect: 0.25}\n"
    effective = evaluator_settings(context_for(make_repository(tmp_path / "b", config=config)))
    assert effective["min_effect"] == 0.25


FASTER = TRAIN.replace("LEARNING_RATE = 0.001", "LEARNING_RATE = 0.004")
SCORE = """\
import runpy
better = runpy.run_path("train.py")["LEARNING_RATE"] == 0.004
print("METRIC loss=%.4f" % (0.5 - 0.1 * better))
print("METRIC swings=%d" % (190 if better else 100))
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("guard", "verdict", "runs", "said"),
    [
        pytest.param(
            "loss <= incumbent", "improved", 3, "the metric repeats exactly", marks=pytest.mark.long
        ),
        pytest.param(
            "swings <= 1.1 * incumbent", "discarded", 1, "swings 190 is above 1.1 * incumbent (110)",
            marks=pytest.mark.slow,
        ),
        ("loss >= 0.45", "discarded", 1, "loss 0.4 is below 0.45"),
    ],
)  # fmt: skip
def test_a_better_score_that_breaks_a_guard_does_not_land(
    tmp_path: Path, guard: str, verdict: str, runs: int, said: str
) -> None:
    config = CONFIG.replace("evaluator:\n", f"evaluator:\n  guards: ['{guard}']\n")
    folder = make_repository(tmp_path / "repo", config=config, files={"score.py": SCORE})
    run_loop(context_for(folder, {"train.py": FASTER}), Until(experiments=1))
    (decision,) = decisions(folder)
    assert (decision["verdict"], decision["candidate_runs"]) == (verdict, runs), decision
    assert said in str(decision["reason"])
    landed = git(folder, "rev-parse", "nocturne/main") != git(folder, "rev-parse", "main")
    assert landed is (verdict == "improved")


@pytest.mark.long
def test_a_human_who_takes_a_change_out_is_not_held_up_by_guards(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", files={"score.py": SCORE})
    run_loop(context_for(folder, {"train.py": FASTER}), Until(experiments=1))
    assert decisions(folder)[-1]["land"] is True
    config = folder / ".github" / "nocturne.yml"
    config.write_text(CONFIG.replace("evaluator:\n", "evaluator:\n  guards: [swings <= 10]\n"))
    git(folder, "commit", "--quiet", "--all", "--message", "A guard")
    nocturne(folder, "revert", "1")
    nocturne(folder, "run", "-n", "1")
    assert decisions(folder)[-1]["land"] is True
    assert git(folder, "show", "nocturne/main:train.py") == TRAIN.strip()


PRIMES = """\
editable: [solution.py]
evaluator:
  kind: command
  call: [solution.py]
  command: [python, bench.py]
  metric: {name: ratio}
  guards: [passed >= incumbent]
verdict: {prior_sigma: 0.05}
runner: test
"""


@pytest.mark.slow  # guards in a loop are above, and this task by itself in `tests/evaluator/test_examples.py`
def test_a_quick_function_that_fails_its_tests_is_told_from_one_that_keeps_them(tmp_path: Path) -> None:
    """The whole loop on a real task: primality by Fermat's test is faster and wrong, a sieve is right."""
    task = examples.copy("primes", tmp_path / "task")
    files = {path.name: path.read_text() for path in task.glob("*.py")}
    folder = make_repository(tmp_path / "repo", config=PRIMES, files=files)
    base = {"solution.py": files["solution.py"]}
    tried = [
        {"solution.py": base["solution.py"].replace('"trial"  #', f'"{m}"  #')} for m in ("fermat", "sieve")
    ]
    run_loop(context_for(folder, *tried, base=base), Until(experiments=2))
    fermat, sieve = decisions(folder)
    assert (fermat["verdict"], fermat["candidate_runs"], fermat["effect"]) == ("discarded", 1, None)
    breach = "breaks a guard: passed 4 is below incumbent (7)"
    assert fermat["reason"] == breach
    assert str(fermat["lesson"]).startswith(f'Try "fermat": {breach}, though it improves ratio by 0.')
    assert (sieve["verdict"], sieve["land"]) == ("improved", True)
    said = nocturne(folder, "show", "1").stdout
    assert f"discarded: {breach}." in said and f"status nocturne/score: failure, {breach}" in said
    assert "though it improves ratio by" in said and "nocturne:discarded" in said
    assert 'METHOD = "sieve"' in git(folder, "show", "nocturne/main:solution.py")
