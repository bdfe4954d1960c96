"""Compares predictions.npy with the answers: for each line of names.txt the place of its language among the
languages of train.tsv, in alphabetical order, as whole numbers."""

import os
from pathlib import Path

import numpy as np

answers = Path("exam/answers.txt").read_text().splitlines()
languages = sorted(set(answers))
right = np.array([languages.index(answer) for answer in answers])
# Read as an array and nothing else: a pickled object would be code of the candidate.
said = np.load(Path(os.environ["NOCTURNE_OUT"]) / "predictions.npy", allow_pickle=False)
if said.shape != right.shape or said.dtype.kind != "i":
    raise SystemExit(
        f"predictions.npy: {right.shape} whole numbers are wanted, not {said.dtype} {said.shape}"
    )
hits = said == right
print(f"METRIC accuracy={hits.mean():.6f}")
print(f"METRIC worst={min(hits[right == place].mean() for place in range(len(languages))):.6f}")
