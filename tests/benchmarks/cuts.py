"""How large a cheat is that the cuts catch, and how often they refuse an honest candidate.

    make bench-cuts

On the starter: real trainings of a minute in all, as they are and with changed constants, asked for the scored rows and
for the cut rows. First, how much of an honest gain is found at real cuts, whose context has holes. Then resamplings: in
each, cuts are drawn from half of the scored rows, so that an honest gain is the same there by its nature; a cheat adds
to what the score gained, as lower losses at places that are shown would. At the size of autoresearch's exam differences
are drawn from Student's t with the spread that is printed. Each number in a table is the share that is refused if the
rule held from the first cut on (in truth from 10,000 on); `caught from` is the size that the rule itself tells.
"""

from __future__ import annotations

import contextlib
import functools
import io
import math
import os
import re
import runpy
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from evaluator import starter_files
from evaluator.cuts import drawing, judging
from evaluator.cuts.drawing import Cuts
from evaluator.cuts.judging import Losses

STEPS = 60
SMALLEST = 0.001  # bits per byte: the smallest effect that counts
SIZES = (2, 5, 10, 20, 50, 100)
CHANGES: tuple[tuple[str, dict[str, object], int], ...] = (
    ("as it is", {}, 0), ("as it is", {}, 1), ("as it is", {}, 2),
    ("MATRIX_LR = 0.003", {"MATRIX_LR": 0.003}, 0), ("EMBEDDING_LR = 0.01", {"EMBEDDING_LR": 0.01}, 0),
    ("DEPTH = 2", {"DEPTH": 2}, 0), ("HEAD_LR = 0.004", {"HEAD_LR": 0.004}, 0),
    ("BATCH_SIZE = 32", {"BATCH_SIZE": 32}, 0), ("ACTIVATION = relu2", {"ACTIVATION": "relu2"}, 0),
)  # fmt: skip
RESAMPLINGS, CURVE = 10_000, 1_000


@dataclass(frozen=True)
class Trained:
    """A model's losses in nats: `scored` (rows, columns), and `cut` (n,) at the cuts."""

    name: str
    scored: NDArray[np.float64]
    cut: NDArray[np.float64]


@dataclass(frozen=True)
class Exam:
    """The bytes of the scored targets (rows, columns), the cuts, and what each model lost."""

    lengths: NDArray[np.int32]
    cuts: Cuts
    models: tuple[Trained, ...]


def main() -> None:
    torch.set_num_threads(1)
    exam = starter()
    print(
        f"The starter: {len(exam.cuts):,} cuts in {exam.cuts.rows} rows beside {len(exam.lengths)} scored ones,"
    )
    print(f"trainings of {STEPS} steps; gains over the first, in bits per byte.\n")
    holes(exam)
    pairs = list(permutations(exam.models, 2))
    draw = np.random.default_rng(0)
    spread = float(np.median([(a.scored - b.scored).std() for a, b in pairs]))
    print(f"\nThe starter's pairs, resampled ({len(pairs)} pairs; median spread {spread:.2f} nats a token)")
    table(lambda count: resampled(exam, pairs, count, draw), (300, 1_000, 4_000, 10_000))
    for apart in (spread, 2 * spread):
        print(
            f"\nAt autoresearch's size: 128 rows of 2,048 tokens, 4 bytes each, spread {apart:.2f} nats a token"
        )
        table(functools.partial(simulated, apart, draw=draw), (1_000, 2_600, 10_000))


# Real trainings


def starter() -> Exam:
    """Train the bundled task in each way, and ask for its scored rows and its cuts."""
    with tempfile.TemporaryDirectory() as folder:
        starter_files.write(Path(folder), force=False)
        sys.path.insert(0, folder)
        import prepare  # type: ignore[import-not-found]

        columns, tokenizer = prepare.MAX_SEQ_LEN, prepare.Tokenizer.from_directory()
        loader = prepare.make_dataloader(tokenizer, 1, columns, "val")
        count = prepare.EVAL_TOKENS // columns
        rows = [next(loader)[:2] for _ in range(3 * count)]
        inputs, targets = (np.stack([each[i][0].numpy() for each in rows]).astype(np.int32) for i in (0, 1))
        pool = np.concatenate([inputs[count:], targets[count:, -1:]], axis=1)
        inputs, targets = inputs[:count], targets[:count]
        token_bytes = prepare.get_token_bytes().numpy()
        cuts = drawing.draw(bytes(32), inputs, targets, pool, token_bytes, wanted=drawing.ENOUGH)
        models = []
        for name, constants, seed in CHANGES:
            model = trained(Path(folder), constants, seed)
            at_cuts = losses(model, cuts.inputs, cuts.targets).reshape(-1)[cuts.places]
            models.append(Trained(name, losses(model, inputs, targets), at_cuts))
            print(".", end="", flush=True, file=sys.stderr)
        print(file=sys.stderr)
        return Exam(token_bytes[targets], cuts, tuple(models))


def trained(folder: Path, constants: dict[str, object], seed: int) -> Any:
    """Return the model that train.py hands to evaluate_bpb."""
    import prepare

    text = (folder / "train.py").read_text()
    for name, value in constants.items():
        text, found = re.subn(rf"(?m)^{name} = [^#\n]*", f"{name} = {value!r}  ", text)
        assert found == 1, name
    changed = folder / "changed.py"
    changed.write_text(text)
    handed_in: list[Any] = []

    def evaluate_bpb(model: Any, *_: object) -> float:
        handed_in.append(model)
        return 0.0

    prepare.evaluate_bpb = evaluate_bpb
    prepare.TIME_BUDGET = float(STEPS)
    os.environ.update(NOCTURNE_BUDGET="steps", NOCTURNE_SEED=str(seed))
    with contextlib.redirect_stdout(io.StringIO()):
        runpy.run_path(str(changed))
    return handed_in[0]


def losses(model: Any, inputs: NDArray[np.int32], targets: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return what a model loses (rows, columns) on rows, in nats."""
    found = []
    with torch.no_grad():
        for start in range(0, len(inputs), 32):
            x, y = (torch.from_numpy(each[start : start + 32]).long() for each in (inputs, targets))
            found.append(model(x, y, reduction="none").view(x.shape).double().numpy())
    return np.concatenate(found)


def bits_per_byte(nats: NDArray[np.float64], lengths: NDArray[np.int32]) -> float:
    return float(nats[lengths > 0].sum() / (math.log(2) * lengths.sum()))


def holes(exam: Exam) -> None:
    """Print what is found of honest gains at real cuts."""
    first = exam.models[0]
    print(f"{'change':<26}{'score':>8}{'gain':>9}{'at cuts':>9}{'missing':>9}{'error':>8}{'refused':>9}")
    for each in exam.models[1:]:
        for better, worse in ((each, first), (first, each)):
            mine, before = (
                Losses(bits_per_byte(m.scored, exam.lengths), m.cut.astype(np.float32))
                for m in (better, worse)
            )
            found = judging.judge(exam.cuts, mine, [before])
            name = each.name if better is each else f"{each.name}, back"
            refused = "yes" if found.shortfall > found.allowed else "no"
            print(
                f"{name:<26}{mine.score:8.4f}{found.told:9.4f}{found.held:9.4f}{found.shortfall:9.4f}"
                f"{found.error:8.4f}{refused:>9}"
            )


# Resamplings


@dataclass(frozen=True)
class Case:
    """A candidate and an incumbent, honest, and what there is to judge them by."""

    cuts: Cuts
    mine: Losses
    before: Losses


def resampled(
    exam: Exam, pairs: Sequence[tuple[Trained, Trained]], count: int, draw: np.random.Generator
) -> Iterator[Case]:
    """Yield cases without end: half of the scored rows are scored, places in the others are cut."""
    rows, columns = exam.lengths.shape
    for turn in range(sys.maxsize):
        better, worse = pairs[turn % len(pairs)]
        order = draw.permutation(rows)
        shown, cut = order[: rows // 2], order[rows // 2 :]
        places = draw.permuted(np.tile(np.arange(columns), (len(cut), 1)), axis=1)[:, : -(-count // len(cut))]
        at = (cut[:, None], places)
        lengths = exam.lengths[at]
        counted = lengths > 0
        flat = (np.arange(len(cut))[:, None] * columns + places)[counted]
        nobody: NDArray[np.int32] = np.empty((len(cut), columns), np.int32)
        made = Cuts(nobody, nobody, flat, lengths[counted], len(shown), "resampled")
        mine, before = (
            Losses(
                bits_per_byte(m.scored[shown], exam.lengths[shown]), m.scored[at][counted].astype(np.float32)
            )
            for m in (better, worse)
        )
        yield Case(made, mine, before)


def simulated(spread: float, count: int, draw: np.random.Generator) -> Iterator[Case]:
    """Yield cases without end of differences by Student's t with 4 degrees, a little of whose variance is the rows'."""
    rows, columns, size = 128, 2048, 4
    cut_rows = max(2, -(-count * int(drawing._MEAN) // columns))
    each = -(-count // cut_rows)
    flat = (np.arange(cut_rows)[:, None] * columns + np.arange(each)).reshape(-1)
    nobody: NDArray[np.int32] = np.empty((cut_rows, columns), np.int32)
    cuts = Cuts(nobody, nobody, flat, np.full(len(flat), size, np.int32), rows, "simulated")

    def means(groups: int, members: int) -> NDArray[np.float64]:
        own = draw.standard_normal((groups, 1)) * spread * math.sqrt(0.1 / 16)
        return own + draw.standard_t(4, (groups, members)) * spread * math.sqrt(0.99 / 2)

    while True:
        gain = draw.uniform(0, 0.02) * math.log(2) * size  # an honest improvement of any size
        at_cuts = gain + means(cut_rows, each).reshape(-1)
        told = gain + float(draw.standard_normal()) * spread * math.sqrt(
            0.1 / 16 / rows + 1 / (rows * columns)
        )
        zero: NDArray[np.float32] = np.zeros(len(flat), np.float32)
        yield Case(cuts, Losses(-told / (math.log(2) * size), -at_cuts.astype(np.float32)), Losses(0.0, zero))


def table(cases: Any, counts: Sequence[int]) -> None:
    """Print the shares that are refused, by the number of cuts and the size of a cheat."""
    print(
        f"{'cuts':>7}{'rows':>6}{'error':>8}{'caught from':>12}{'honest':>12}  cheats of so many times {SMALLEST:g}"
    )
    print(" " * 47 + "".join(f"{size:>7}" for size in SIZES))
    for count in counts:
        refused, found = 0, []
        several = cases(count)
        for number, case in enumerate(several):
            if number == RESAMPLINGS:
                break
            each = judging.judge(case.cuts, case.mine, [case.before])
            refused += each.shortfall > each.allowed
            if number < CURVE:
                found.append(each)
        shares = []
        for size in SIZES:
            gained = size * SMALLEST
            more = judging.TOLERATED * gained
            shares.append(np.mean([f.shortfall + gained > f.allowed + more for f in found]))
        error, caught = (float(np.median([getattr(f, name) for f in found])) for name in ("error", "caught"))
        print(
            f"{count:7,}{case.cuts.rows:6}{error:8.4f}{caught:12.4f}{refused:5} / {RESAMPLINGS:,}"
            + "".join(f"{share:7.2f}" for share in shares), flush=True
        )  # fmt: skip


if __name__ == "__main__":
    main()
