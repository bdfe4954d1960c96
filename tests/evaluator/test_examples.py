"""Two real tasks without a language model: how fast a tested function is, and how well names are told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import examples
from tests.evaluator.runs import Outcome, score


def with_constant(repo: Path, old: str, new: str) -> Path:
    file = next(repo / name for name in ("solution.py", "train.py") if (repo / name).exists())
    text = file.read_text()
    assert text.count(old) == 1, old
    file.write_text(text.replace(old, new))
    return repo


def primes(folder: Path, method: str) -> Outcome:
    repo = with_constant(examples.copy("primes", folder), 'METHOD = "trial"', f'METHOD = "{method}"')
    before = (examples.HERE / "primes" / "solution.py").read_text()
    return score(repo, {**examples.PRIMES, "editable": ["solution.py"], "reference": {"solution.py": before}})


@pytest.mark.long
def test_the_run_time_beside_the_reference_and_how_many_answers_are_right(tmp_path: Path) -> None:
    trial, sieve, fermat = (primes(tmp_path / name, name).last for name in ("trial", "sieve", "fermat"))
    assert sieve["score"] < 0.5 and 0.6 < trial["score"] < 1.6
    assert trial["metrics"]["passed"] == sieve["metrics"]["passed"] == 7
    assert fermat["score"] < trial["score"] and fermat["metrics"]["passed"] < 7
    assert trial["fingerprint"] == sieve["fingerprint"]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return examples.copy("names", tmp_path_factory.mktemp("names") / "repo")


@pytest.mark.long
def test_the_accuracy_of_a_classifier_on_answers_that_it_never_sees(names: Path, tmp_path: Path) -> None:
    first = score(names, examples.NAMES).last
    assert 0.4 < first["score"] < 0.7, first  # and not the 1.0 that it prints
    more = tmp_path / "train.py"
    more.write_text((names / "train.py").read_text().replace("PIECE = 1", "PIECE = 3"))
    better = score(names, examples.NAMES, "--train", str(more)).last
    assert better["score"] > first["score"] + 0.1
    assert better["metrics"]["worst"] > first["metrics"]["worst"]
    assert better["fingerprint"] == first["fingerprint"]


SAVE = 'np.save(Path(os.environ["NOCTURNE_OUT"]) / "predictions.npy", np.array({}))\n'
IMPORTS = "import os\nfrom pathlib import Path\nimport numpy as np\n"


@pytest.mark.long
@pytest.mark.parametrize(
    ("train", "reason"),
    [
        pytest.param(
            IMPORTS + SAVE.format('[float("nan")] * 4963'), "whole numbers are wanted", marks=pytest.mark.slow
        ),
        pytest.param(IMPORTS + SAVE.format("[1, 2, 3]"), "whole numbers are wanted", marks=pytest.mark.long),
        (IMPORTS + SAVE.format("[os.system, 1], dtype=object"), "Object arrays cannot be loaded"),
        (IMPORTS + "print(Path('exam/answers.txt').read_text())\n", "FileNotFoundError"),
        pytest.param(IMPORTS + "print('METRIC accuracy=1.0')\n", "FileNotFoundError", marks=pytest.mark.slow),
    ],
    ids=["not numbers", "too few", "objects", "answers", "nothing but words"],
)
def test_predictions_are_read_as_numbers_and_nothing_else(
    names: Path, tmp_path: Path, train: str, reason: str
) -> None:
    (tmp_path / "train.py").write_text(train)
    last = score(names, examples.NAMES, "--train", str(tmp_path / "train.py")).last
    assert last["event"] == "failed" and reason in last["reason"], last


def test_the_library_itself_can_be_hidden_from_candidates(names: Path, tmp_path: Path) -> None:
    """Its word lists are the answers: `data` may name files outside of the repository too."""
    import pygments.lexers

    lists = tmp_path / "lists"
    lists.symlink_to(Path(pygments.lexers.__file__).parent)
    (tmp_path / "train.py").write_text("from pygments.lexers import _stan_builtins\n")
    settings = {**examples.NAMES, "data": ["exam", str(lists)]}
    last = score(names, settings, "--train", str(tmp_path / "train.py")).last
    if last["jail"] == "none":
        pytest.skip("without a jail nothing is out of sight")
    assert (last["event"], last["class"]) == ("failed", "import"), last
    assert last["reason"].startswith(("ImportError", "ModuleNotFoundError"))
