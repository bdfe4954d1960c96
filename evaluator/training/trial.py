"""A trial of this machine: does reading logits on the GPU give the score that copying them gives?"""

from __future__ import annotations

import dataclasses
import tempfile
from dataclasses import dataclass
from pathlib import Path

from evaluator import starter_files
from evaluator.errors import UserError
from evaluator.interpreter.task_python import TaskPython
from evaluator.score import score
from evaluator.settings import Budget, Settings
from evaluator.training import reading

# A model that no training makes different from run to run: both ways see the same logits.
_TRAIN = """\
import torch
from prepare import MAX_SEQ_LEN, Tokenizer, evaluate_bpb, make_dataloader

tokenizer = Tokenizer.from_directory()
words = tokenizer.get_vocab_size()
next(make_dataloader(tokenizer, 4, MAX_SEQ_LEN, "train"))
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Embedding(words, 64), torch.nn.Linear(64, words))
model.to("cuda" if torch.cuda.is_available() else "cpu")
evaluate_bpb(model, tokenizer, 16)
"""
_ALIKE = 1e-6  # bits per byte: sums of float32 in another order


@dataclass(frozen=True)
class Trial:
    """The scores in bits per byte, and the seconds that the whole exam took, copied and read."""

    copied: float
    read: float
    copied_seconds: float
    read_seconds: float

    @property
    def agrees(self) -> bool:
        return abs(self.copied - self.read) <= _ALIKE


def try_reader(settings: Settings, python: TaskPython) -> Trial:
    """Score one fixed model both ways, and remember what came out for `logits: auto`.

    Raises `UserError` if one of the ways does not work here.
    """
    with tempfile.TemporaryDirectory(prefix="nocturne-trial-") as folder:
        repo = Path(folder)
        starter_files.write(repo, force=False)
        (repo / "train.py").write_text(_TRAIN)
        try:
            copied, read = (_score(settings, python, repo, way) for way in ("copied", "read"))
        except UserError:
            reading.remember(python, agreed=False)
            raise
    trial = Trial(copied[0], read[0], copied[1], read[1])
    reading.remember(python, agreed=trial.agrees)
    return trial


def _score(settings: Settings, python: TaskPython, repo: Path, way: str) -> tuple[float, float]:
    mine = dataclasses.replace(
        settings, kind="train", budget=Budget("steps", 1), logits=way, editable=("train.py",), repository=None
    )
    last = score(repo, mine, python, lambda _: None)
    if last["event"] != "score":
        raise UserError(f"logits: {way}: the trial failed: {last['reason']}")
    return float(last["score"]), float(last["metrics"]["evaluation_seconds"])
