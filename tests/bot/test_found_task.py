"""What `nocturne init` proposes for thirty shapes of repositories and for what well-known trainers print."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from bot.config import parse
from bot.rules.found_task import FoundTask, find_task
from bot.rules.printed import PrintedScore, direction_of, printed_score
from tests.benchmarks.repositories.catalogue import SHAPES, Shape

FOLDER = Path(__file__).parent.parent / "benchmarks" / "repositories"
# What no source says clearly: C that prints JSON, a report's own form, what is graded apart.
UNCLEAR = {"c_program", "benchmark_json", "produce_scorer"}


def found_in(shape: Shape) -> FoundTask | None:
    top = FOLDER / "shapes" / shape.name
    files = {str(path.relative_to(top)): path for path in top.rglob("*") if path.is_file()}
    if shape.text:
        files["prepare.py"] = FOLDER / "common" / "prepare.py"
    return find_task(sorted(files), lambda path: files[path].read_text() if path in files else None)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: str(shape.name))
def test_what_a_user_had_to_write_is_proposed(shape: Shape) -> None:
    task = found_in(shape)
    if shape.name in UNCLEAR:
        assert task is None
        return
    assert task is not None
    proposed, told = parse(task.config)[1], parse(shape.told)[1]
    assert proposed.evaluator.kind == told.evaluator.kind
    assert proposed.program == told.program
    assert set(proposed.editable) & set(told.editable)
    assert proposed.evaluator.metric.direction == told.evaluator.metric.direction
    assert proposed.evaluator.command[: len(told.evaluator.command)] == told.evaluator.command


SAID = {
    "print(f'step {i}: train loss {a:.4f}, val loss {b:.4f}')": "step 3: train loss 1.5000, val loss 2.5000",
    "print('epoch %d val_loss=%.3f lr %g' % (e, v, lr))": "epoch 3 val_loss=2.500 lr 0.1",
    "logger.info('Validation bpb: {:.4f}'.format(v))": "12:01 INFO Validation bpb: 2.5000",
    "print('test error', error)": "test error 2.5",
    "print('val_loss:' + ' ' + str(v))": "val_loss: 2.5",
    "class M:\n def validation_step(self, b, i):\n  self.log('val_loss', v, prog_bar=True)": "│  val_loss  │  2.5  │",
    "model.fit(x, y, validation_split=0.1)": "20/20 - 1s - loss: 1.5000 - val_loss: 2.5000",
}


@pytest.mark.parametrize("source", SAID)
def test_the_pattern_finds_the_score_in_what_is_printed(source: str) -> None:
    score = printed_score(source)
    assert score is not None and score.pattern is not None
    assert float(re.findall(score.pattern, SAID[source])[-1]) == 2.5
    nan = re.findall(
        score.pattern, SAID[source].replace("2.5000", "nan").replace("2.500", "nan").replace("2.5", "nan")
    )
    assert nan == ["nan"], "one that is not finite is found, too"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("print(f'loss {loss}')", None),  # the training's, perhaps
        ("print('train acc', acc)", None),
        ("def (", None),
        ("print(json.dumps({'epoch': 1, 'eval_acc': a, 'eval_loss': b}))", PrintedScore("eval_loss", "minimize", None)),
        ("print(f'test acc: {acc}')", PrintedScore("test_acc", "maximize", r"test acc: *([-+.\w]+)")),
    ],
)  # fmt: skip
def test_what_is_no_held_out_score_is_not_proposed(source: str, found: PrintedScore | None) -> None:
    assert printed_score(source) == found


def test_more_is_better_of_what_says_so() -> None:
    names = ("win_rate", "val_loss", "accuracy", "rmse", "eval_f1")
    assert [name for name in names if direction_of(name) == "maximize"] == ["win_rate", "accuracy", "eval_f1"]


PACKAGE = '[project.scripts]\nfit = "lm.train:main"\n[tool.uv]\n'
BENCH = "import solver\nprint(f'METRIC ops={n}')"
TRAINER = "print(f'val_loss {v}')\n"


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"train.py": TRAINER}, ["python", "train.py"]),
        ({"train.py": TRAINER, "uv.lock": ""}, ["uv", "run", "python", "train.py"]),
        ({"train.py": TRAINER, "README.md": "Run:\n```\n$ python3 train.py --size=9m --out 'a b'\n```\n"},
         ["python", "train.py", "--size=9m", "--out", "a b"]),
        ({"train.py": TRAINER, "README.md": "    python train.py --size small | tee log\n"},
         ["python", "train.py", "--size", "small"]),
        ({"lm/__init__.py": "", "lm/train.py": TRAINER}, ["python", "-m", "lm.train"]),
        ({"lm/__init__.py": "", "lm/train.py": TRAINER, "pyproject.toml": PACKAGE}, ["uv", "run", "fit"]),
        ({"bench.py": BENCH, "solver.py": "", "Makefile": "bench:\n\tpython bench.py\n"}, ["python", "bench.py"]),
        ({"bench.py": BENCH, "solver.py": "", "train.py": "", "Makefile": "b:\n\tpython bench.py\n"}, ["make", "b"]),
    ],
)  # fmt: skip
def test_how_it_is_run(files: Mapping[str, str], command: list[str]) -> None:
    task = find_task(sorted(files), files.get)
    assert task is not None
    assert list(task.command) == command
    assert yaml.safe_load(task.config)["evaluator"]["command"] == command
