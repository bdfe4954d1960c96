"""Imports a repository's prepare.py and writes its validation rows as raw arrays.

    main(folder, number of tokens or "-", most logits)      (working directory: the repository)

It runs in a jail of its own, because prepare.py is the repository's code: the scorer reads only arrays, texts
and JSON. The folder receives inputs.npy and targets.npy (rows, columns), token_bytes.npy (vocabulary,),
meta.json, and the texts that a candidate must not be able to read, held_out.txt, beside those that it may,
training.txt: each one text after the other, with a zero byte between.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from . import repository


def main(folder_name: str, wanted: str, cap: str) -> None:
    folder = Path(folder_name)
    prepare = repository.load_prepare(Path.cwd(), "prepare")

    import numpy as np

    tokenizer = prepare.Tokenizer.from_directory()
    length, vocabulary = prepare.MAX_SEQ_LEN, tokenizer.get_vocab_size()
    token_bytes = prepare.get_token_bytes("cpu").cpu().numpy().astype("<i4")
    tokens = min(prepare.EVAL_TOKENS, int(cap) // vocabulary) if wanted == "-" else int(wanted)
    rows = max(tokens // length, 1)
    inputs = np.empty((rows, length), "<i4")
    targets = np.empty((rows, length), "<i4")
    loader = prepare.make_dataloader(tokenizer, 1, length, "val")
    for row in range(rows):
        x, y, *_ = next(loader)  # copied at once: loaders may hand out the same buffer again
        inputs[row], targets[row] = x[0].cpu().numpy(), y[0].cpu().numpy()
    if token_bytes.shape != (vocabulary,):
        sys.exit(f"get_token_bytes gives {token_bytes.shape} lengths for a vocabulary of {vocabulary}")
    if min(inputs.min(), targets.min()) < 0 or max(inputs.max(), targets.max()) >= vocabulary:
        sys.exit("the validation rows hold ids outside the vocabulary")
    if token_bytes.min() < 0 or not token_bytes[targets].sum():
        sys.exit("the validation rows stand for no bytes at all")
    for name, array in (("inputs", inputs), ("targets", targets), ("token_bytes", token_bytes)):
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    held_out, training, everywhere = _texts(prepare, tokenizer, inputs)
    for name, texts in (("held_out", held_out), ("training", training)):
        (folder / f"{name}.txt").write_bytes(b"\0".join(text.encode() for text in texts))
    meta = {
        "time_budget": float(prepare.TIME_BUDGET),
        "prepare_fingerprint": str(prepare.fingerprint()) if hasattr(prepare, "fingerprint") else "",
        "on_this_machine": everywhere,
    }
    (folder / "meta.json").write_text(json.dumps(meta))


def _texts(prepare: Any, tokenizer: Any, inputs: Any) -> tuple[list[str], list[str], bool]:
    """Return held-out texts, training texts, and whether copies may lie about on every machine.

    A prepare.py may say so itself, by `held_out_texts()`, which returns the first two. Otherwise the rows are
    decoded, where the tokenizer can.
    """
    if hasattr(prepare, "held_out_texts"):
        return *prepare.held_out_texts(), True
    try:
        return [tokenizer.decode([int(token) for token in row]) for row in inputs], [], False
    except Exception:  # a tokenizer without a way back: its rows are still looked for as numbers
        return [], [], False
