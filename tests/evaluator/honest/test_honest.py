"""Honest candidates score, whatever their models look like, and score what they are worth."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.evaluator.honest.writing import HERE, SAME, STEPS, by_itself, repository, train_file
from tests.evaluator.runs import score

MODELS = HERE / "models"
IN_CI = ("module_beside_it",)  # a plain one is scored in `test_training`

no_compiler = shutil.which("c++") is None and shutil.which("g++") is None


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(
            source,
            id=source.stem,
            marks=[
                pytest.mark.long if source.stem in IN_CI else pytest.mark.corpus,
                *([pytest.mark.skipif(no_compiler, reason="no C++")] if source.stem == "compiled" else []),
            ],
        )
        for source in sorted(MODELS.glob("*.py"))
    ],
)
def test_an_honest_model_scores_what_its_own_process_computes(
    tmp_path: Path, temporary: Path, source: Path
) -> None:
    repo = repository(tmp_path / "repo", train_file(source))
    last = score(repo, STEPS).last
    assert last["event"] == "score", (last["class"], last["defence"], last["reason"], last["traceback"])
    assert last["audit"]["probes"] > 0
    assert list(temporary.iterdir()) == []
    assert last["score"] == pytest.approx(by_itself(repo), abs=SAME)


def test_there_are_many_and_they_differ() -> None:
    files = list(MODELS.glob("*.py"))
    assert len(files) >= 16
    assert "plain" in {file.stem for file in files}
    assert len({file.read_text() for file in files}) == len(files)
