"""Real trainings on runners that share nothing: what does not hold at the cuts is refused on the next one."""

from __future__ import annotations

import io
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.github.cuts import FILE, SECRET, SealedCuts
from bot.github.workflows import Form
from tests.actions.jobs import Workplace
from tests.actions.test_cuts import new_secret
from tests.evaluator.test_cuts import BIGRAMS, MARKOV
from tests.github.server import GitHub

# An audit that lets the cheat through (its bound is a quarter of what counts), and nothing merged.
CONFIG = """\
evaluator:
  {budget: {kind: steps, amount: 3}, threads: 1, eval_tokens: 32768, evaluation_seconds: 280, cuts: 10000}
verdict: {min_effect: 0.6}
runner: test
stop: {experiments: 3}
"""


def scored_of(work: Workplace, experiment: int | None) -> list[dict[str, Any]]:
    return [run for run in work.events("run_finished") if run["experiment"] == experiment]


def everything(work: Workplace) -> Iterator[bytes]:
    """Yield all that anybody can read: git's objects, artifacts and what is in them, logs, and what runners keep."""
    objects = ["git", "-C", str(work.repository.path), "cat-file", "--batch", "--batch-all-objects"]
    yield subprocess.run(objects, capture_output=True, check=True, timeout=60).stdout
    for artifact in work.repository.contents.artifacts.values():
        yield artifact.data
        with zipfile.ZipFile(io.BytesIO(artifact.data)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    yield "".join(work.logs).encode()
    yield from (path.read_bytes() for path in work.folder.rglob("*") if path.is_file())


def sealed(work: Workplace, secret: str, scratch: Path) -> tuple[bytes, dict[str, bytes]]:
    """Return the key of the cuts, and the losses in the newest artifact, by who has the secret."""
    newest = [each for each in work.repository.contents.artifacts.values() if each.name == "cuts-main"][-1]
    with zipfile.ZipFile(io.BytesIO(newest.data)) as archive:
        content = archive.read(FILE)
    runs = [run["run"] for run in work.events("run_finished")]
    cuts = SealedCuts(bytes.fromhex(secret), "main", scratch / FILE, lambda: [content], lambda said: None)
    with cuts.folder("nobodys", runs, scratch) as folder:
        losses = {path.stem: np.load(path)["nats"].tobytes() for path in (folder / "losses").iterdir()}
        return (folder / "key").read_bytes(), losses


# Three minutes of real trainings. CI has its parts: what is refused at cuts (`tests/evaluator/test_cuts.py`), what a
# campaign keeps of them and pairs (`tests/bot/test_cuts.py`), what travels sealed between jobs (`test_cuts`).
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("form", ["three", "one"])
def test_a_cheat_is_refused_on_another_runner_than_its_incumbents(
    github: GitHub, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, form: Form
) -> None:
    secret = new_secret()
    work = Workplace(
        github, tmp_path, form, CONFIG, name=f"octo/cuts-{form}",
        files={"train.py": BIGRAMS, "prepare.py": MARKOV}, secrets={SECRET: secret},
    )  # fmt: skip
    work.press()
    work.run_next()  # the incumbent, and what the search proposes
    work.human("idea", "BATCHES = 20")
    work.human("idea", "CHEAT = 0.08")
    work.run_next()
    honest = scored_of(work, 2)
    assert honest and all(run["failure"] is None for run in honest), work.logs
    assert honest[0]["metrics"]["cuts"] >= 10_000 and "cuts_caught_bpb" in honest[0]["metrics"]
    assert honest[0]["score"] < scored_of(work, None)[0]["score"] - 0.01
    work.run_next()
    said = "".join(work.logs)
    (cheat,) = scored_of(work, 3)
    assert cheat["failure"]["defence"] == "cuts", said
    assert cheat["metrics"]["cuts_shortfall_bpb"] > 0.05 and "the two may differ by" in said
    assert not work.events("experiment_landed") and "cuts: " not in said
    verdicts = {event["experiment"]: event["verdict"] for event in work.events("experiment_decided")}
    assert verdicts[3] == "rejected" != verdicts[2]

    key, losses = sealed(work, secret, tmp_path_factory.mktemp("scratch"))
    assert set(losses) == {run["run"] for run in work.events("run_finished") if run["score"] is not None}
    # Pieces of 32 bytes, which nothing is by chance: the key, and what each run lost.
    needles = [key, key.hex().encode(), *(each[at : at + 32] for each in losses.values() for at in (0, 4000))]
    for content in everything(work):
        assert not any(needle in content for needle in needles)
