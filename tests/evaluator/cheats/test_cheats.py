"""No cheat of the corpus gains, and none leaves anything behind; run without an evaluator, they do gain."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sysconfig
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from evaluator.jail import control_group
from evaluator.starter import prepare
from tests.evaluator.cheats import neighbourhood, traces
from tests.evaluator.cheats.corpus import CORPUS, CRASH, ELSEWHERE, FOLDER, NO_EFFECT, RARE, Cheat
from tests.evaluator.cheats.neighbourhood import Neighbourhood
from tests.evaluator.honest.test_honest import MODELS
from tests.evaluator.honest.writing import AMOUNT, SAME, STEPS, by_itself, repository, train_file
from tests.evaluator.jail.world import skip_unless_possible
from tests.evaluator.runs import Outcome, score

PLAIN = MODELS / "plain.py"  # what the cheats are without their tricks
TWINS = MODELS.parent / "twins"
LARGEST_LOG, LARGEST_RESULT = 21 << 20, 1 << 18  # bytes


@pytest.fixture
def around(tmp_path: Path) -> Iterator[Neighbourhood]:
    with neighbourhood.around(tmp_path) as found:
        yield found


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Any]]:
    """Return what gives the last event of the plain model's run with `settings`, run once for each budget."""
    known: dict[str, dict[str, Any]] = {}

    def last(settings: Mapping[str, Any] = STEPS) -> dict[str, Any]:
        key = json.dumps(settings["budget"])
        if key not in known:
            repo = repository(tmp_path_factory.mktemp("plain"), train_file(PLAIN))
            known[key] = score(repo, {**STEPS, "budget": settings["budget"]}).last
        return known[key]

    return last


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Mapping[str, Any]], list[str]]:
    """Return what gives the words that hand a cheat the plain model for its reference, measured once for a budget;
    none where its budget counts steps."""
    known: dict[str, Path] = {}

    def words(settings: Mapping[str, Any]) -> list[str]:
        key = json.dumps(settings["budget"])
        if settings["budget"]["kind"] == "steps":
            return []
        if key not in known:
            known[key] = tmp_path_factory.mktemp("reference") / "reference.json"
            repo = repository(tmp_path_factory.mktemp("plain"), train_file(PLAIN))
            plain = {**STEPS, "budget": settings["budget"]}
            assert score(repo, plain, "--reference", str(known[key])).last["event"] == "score"
        return ["--reference", str(known[key])]

    return words


@pytest.fixture(scope="session")
def honest_alone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Mapping[str, object]], float]:
    """Return what gives the score that the plain model prints by itself with a budget."""
    known: dict[str, float] = {}

    def printed(budget: Mapping[str, object]) -> float:
        key = json.dumps(budget)
        if key not in known:
            repo = repository(tmp_path_factory.mktemp("plain"), train_file(PLAIN))
            known[key] = by_itself(repo, budget)
        return known[key]

    return printed


def written(cheat: Cheat, folder: Path, around: Neighbourhood) -> Path:
    """Write the cheat's repository, a real one, and return its folder."""
    told = {**around.constants, "REPOSITORY": str(folder), **(held_out() if "carrying" in cheat.name else {})}
    repo = repository(folder, train_file(cheat.source, told))
    subprocess.run(["git", "init", "--quiet", str(repo)], check=True)
    return repo


def cold_files() -> None:
    """Take large files that no program has mapped out of memory, as where nobody has read them yet."""
    for folder in ("/usr/bin", "/usr/lib", "/usr/lib/gcc", sysconfig.get_path("platlib")):
        for path in Path(folder).rglob("*"):
            with contextlib.suppress(OSError):
                if path.stat().st_size > 4 << 20 and path.is_file():
                    with path.open("rb") as file:
                        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def held_out() -> dict[str, object]:
    """Return a module of the validation part in several spellings, and one of the vault."""
    text = max(map(neighbourhood.module_text, prepare.VAL_FILES), key=len)
    tokens = prepare.Tokenizer.from_directory().encode(text)
    return {
        "TEXT": text,
        "PACKED": base64.b85encode(zlib.compress(text.encode())).decode(),
        "PIECES": [text[start : start + 30] for start in range(0, len(text), 30)],
        "NUMBERS": list(text.encode()),
        "TOKENS": tokens,
        "FRACTIONS": [each / 1000 for each in tokens],
        "TIMES": [7 * each + 3 for each in tokens],
        "VAULT": max(map(neighbourhood.module_text, prepare.VAULT_FILES), key=len),
    }


def run(cheat: Cheat, repo: Path, out: Path, around: Neighbourhood, words: list[str], jail: str) -> Outcome:
    return score(
        repo, {**STEPS, "jail": jail, **cheat.settings}, "--out", str(out), *words, env=around.environment
    )


def marks(cheat: Cheat) -> list[pytest.MarkDecorator]:
    often = [pytest.mark.long if cheat.in_ci else pytest.mark.corpus]
    return [*often, pytest.mark.xfail(strict=True, reason=cheat.gains)] if cheat.gains else often


# What a jail has to hold. All else is the scorer's business, whatever the jail.
AGAINST_A_JAIL = tuple(
    each
    for each in CORPUS
    if each.name.startswith(("reading/", "escaping/"))
    or each.name
    in (
        "breaking/a_flood_of_files",
        "breaking/kills_everybody",
        "breaking/leaves_a_family_behind",
        "planting/a_daemon_with_the_weights",
        "shipping/whispers_to_its_copy_by_locks",
    )
)


@pytest.mark.parametrize(
    ("cheat", "jail"),
    [
        *(pytest.param(each, "bubblewrap", id=each.name, marks=marks(each)) for each in CORPUS),
        *(
            # In CI what Landlock holds is asked of it alone: `tests/evaluator/jail` and `test_landlock_runs`.
            pytest.param(each, "landlock", id=f"{each.name} under landlock", marks=pytest.mark.corpus)
            for each in AGAINST_A_JAIL
        ),
    ],
)
def test_a_cheat_gains_nothing_and_leaves_nothing(
    tmp_path: Path,
    temporary: Path,
    cache: Path,
    around: Neighbourhood,
    honest: Callable[..., dict[str, Any]],
    reference: Callable[[Mapping[str, Any]], list[str]],
    cheat: Cheat,
    jail: str,
) -> None:
    skip_unless_possible(jail=jail)
    if cheat.by_delay and control_group.gaps():
        pytest.skip("without a control group nobody empties the kernel's caches")
    if cheat.cold:
        cold_files()
    words = reference({**STEPS, **cheat.settings})
    repo, out = written(cheat, tmp_path / "repo", around), tmp_path / "out"
    before = traces.fingerprint(repo), traces.fingerprint(around.home)
    for _ in range(cheat.runs):
        outcome = run(cheat, repo, out, around, words, jail)
        last = outcome.last
        assert outcome.returncode == {"score": 0, "failed": 1}.get(last["event"]), (last, outcome.stderr)
        if last["event"] == "score":
            assert {NO_EFFECT, RARE} & {*cheat.caught}, (last["score"], last["audit"], last["log_tail"])
            if cheat.most:
                assert last["score"] > honest()["score"] - cheat.most
            else:
                assert last["score"] == pytest.approx(honest()["score"], abs=SAME)
        else:
            # Landlock refuses to open what bubblewrap shows empty.
            caught = cheat.caught if jail == "bubblewrap" else (*cheat.caught, CRASH)
            assert (last["defence"] or CRASH) in caught, (last["defence"], last["reason"])
            assert last["reason"] and "\n" not in last["reason"]
        assert last["jail"] == jail
        if cheat.name.startswith("telling/"):
            tells_nothing(outcome, out, around.marker, honest())

        assert list(traces.of_processes(str(tmp_path), around.marker)) == []
        assert list(traces.of_mounts(str(tmp_path), around.marker)) == []
        assert list(traces.of_files(around.marker, tmp_path, cache)) == []
        assert list(temporary.iterdir()) == []
        assert (traces.fingerprint(repo), traces.fingerprint(around.home)) == before
        assert around.callers == []
        assert sorted(path.name for path in out.iterdir()) == ["log.txt", "result.json"]
        assert (out / "log.txt").stat().st_size < LARGEST_LOG
        assert (out / "result.json").stat().st_size < LARGEST_RESULT


def tells_nothing(outcome: Outcome, out: Path, marker: str, honest: Mapping[str, Any]) -> None:
    """Assert that what a candidate did in its exam is told neither in words nor in figures."""
    last = outcome.last
    for text in (json.dumps(outcome.events), outcome.stderr, (out / "log.txt").read_text()):
        assert marker not in text
    if last["event"] == "failed":
        assert "113" not in last["reason"] and "SIG" not in last["reason"]
        assert last["traceback"] is None
    else:
        assert last["metrics"]["peak_memory_mb"] < 2 * honest["metrics"]["peak_memory_mb"]
        assert {step for step, *_ in last["curve"]} <= set(range(AMOUNT + 1))
        assert last["printed"].keys() == honest["printed"].keys()


TWINS_OF = {(each.twin, json.dumps(each.settings)): each for each in CORPUS if each.twin}


@pytest.mark.parametrize(
    "cheat",
    [
        pytest.param(each, id=each.twin, marks=pytest.mark.long if each.in_ci else pytest.mark.corpus)
        for each in TWINS_OF.values()
    ],
)
def test_an_honest_twin_is_scored(
    tmp_path: Path,
    honest: Callable[..., dict[str, Any]],
    reference: Callable[[Mapping[str, Any]], list[str]],
    cheat: Cheat,
) -> None:
    """What does the same for a good reason is not refused, and gains nothing but by a better model."""
    repo = repository(tmp_path / "repo", train_file(TWINS / f"{cheat.twin}.py"))
    settings = {**STEPS, **cheat.settings}
    last = score(repo, settings, *reference(settings)).last
    assert last["event"] == "score", (last["class"], last["defence"], last["reason"], last["traceback"])
    assert last["audit"]["probes"] > 0 and last["score"] > honest(settings)["score"] - 0.5


@pytest.mark.corpus
@pytest.mark.parametrize("cheat", [pytest.param(each, id=each.name) for each in CORPUS if each.alone])
def test_without_an_evaluator_it_would_gain(
    tmp_path: Path,
    around: Neighbourhood,
    honest_alone: Callable[[Mapping[str, object]], float],
    cheat: Cheat,
) -> None:
    """What is caught must be the trick, not a slip of the pen."""
    budget = cheat.settings.get("budget", STEPS["budget"])
    printed = by_itself(written(cheat, tmp_path / "repo", around), budget, around.environment)
    assert not printed > honest_alone(budget) - 0.005  # what is no number passes for the best, too


def test_the_corpus_is_complete() -> None:
    names = [cheat.name for cheat in CORPUS]
    assert len(names) == len(set(names)) >= 48
    assert set(names) == {f"{path.parent.name}/{path.stem}" for path in FOLDER.glob("*/*.py")}
    folders = {cheat.name.partition("/")[0] for cheat in CORPUS}
    in_ci = {cheat.name.partition("/")[0] for cheat in CORPUS if cheat.in_ci}
    assert in_ci | set(ELSEWHERE) == folders and not in_ci & set(ELSEWHERE)
    assert all((FOLDER.parent / file).is_file() for files in ELSEWHERE.values() for file in files)
    named = {way for cheat in CORPUS for way in cheat.caught}
    assert named == {
        *("jail", "limits", "clock", "protocol", "audit", "scoring", "leak"),
        *(NO_EFFECT, RARE, CRASH),
    }
    assert {cheat.twin for cheat in CORPUS} - {""} == {path.stem for path in TWINS.glob("*.py")}
    assert sum(bool(cheat.twin) for cheat in CORPUS) >= 20
    assert all((cheat.most > 0) == (RARE in cheat.caught) for cheat in CORPUS)
