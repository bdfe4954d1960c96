"""What the exam asks: the scored rows, and the cut rows anywhere between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.cuts import drawing, judging
from evaluator.cuts.drawing import Cuts
from evaluator.cuts.judging import Finding, Losses
from evaluator.cuts.keeping import Keeping
from evaluator.training.export import Exported
from evaluator.training.scoring import Tally

INCUMBENT, BEGINNING = "the incumbent", "what a human wrote last"
LEAST = 32  # cuts; of fewer there is nothing to say


@dataclass(frozen=True)
class Sheet:
    """Rows to ask, `inputs` and `targets` (rows, columns), of which `of_score` (rows,) are scored. The others are those
    of `cuts`, whose losses `keeping` has; without cuts both are None."""

    inputs: NDArray[np.int32]
    targets: NDArray[np.int32]
    of_score: NDArray[np.bool_]
    cuts: Cuts | None = None
    keeping: Keeping | None = None

    def scored(self, answers: Tally) -> Tally:
        """Return the losses of the scored rows alone, in their order."""
        return answers if self.of_score.all() else answers.part(self.of_score)

    def facts(self) -> dict[str, float]:
        """Return what is told of the cuts in any case."""
        if self.cuts is None:
            return {}
        return {"cuts": float(len(self.cuts)), "cut_rows": float(self.cuts.rows)}

    def losses(self, answers: Tally, score: float) -> Losses | None:
        """Return what a run lost at the cuts; None if there are none to speak of."""
        if self.cuts is None or len(self.cuts) < LEAST:
            return None
        rows = answers.part(~self.of_score) if self.cuts.rows else answers
        return Losses(score, rows.nats[self.cuts.places].astype(np.float32))

    def compared(self, mine: Losses) -> dict[str, Finding]:
        """Compare a run with the incumbent's runs, and with what its lineage began with, as far as these are known."""
        assert self.cuts is not None and self.keeping is not None
        found = {}
        for over, names in ((INCUMBENT, self.keeping.against), (BEGINNING, self.keeping.since)):
            others = self.keeping.others(names, self.cuts.mark, len(self.cuts))
            if others:
                found[over] = judging.judge(self.cuts, mine, others)
        return found

    def keep(self, mine: Losses) -> None:
        """Leave what a run lost for those that come; raise `UserError` if that can't be written."""
        assert self.cuts is not None and self.keeping is not None
        self.keeping.keep(self.cuts.mark, mine)


def of(exported: Exported, keeping: Keeping | None, wanted: int | None) -> Sheet:
    """Return what is asked of a run: the exported rows, with cuts if their `keeping` is known and they are `wanted`.

    Raises `UserError` if there is no key to be had.
    """
    plain = Sheet(exported.inputs, exported.targets, np.ones(len(exported.inputs), dtype=bool))
    if keeping is None or wanted == 0:
        return plain
    key = keeping.key()
    cuts = drawing.draw(
        key, exported.inputs, exported.targets, exported.pool, exported.token_bytes, wanted=wanted
    )
    of_score = drawing.mixed(cuts, key)
    inputs, targets = (np.empty((len(of_score), exported.inputs.shape[1]), np.int32) for _ in range(2))
    inputs[of_score], targets[of_score] = exported.inputs, exported.targets
    inputs[~of_score], targets[~of_score] = cuts.inputs, cuts.targets
    return Sheet(inputs, targets, of_score, cuts, keeping)
