"""Imports a repository's prepare.py and writes its validation rows as raw arrays. Stands alone: one file.

    python -s -B export_child.py FOLDER EVAL_TOKENS|- LOGITS_CAP      (working directory: the repository)

It runs in a process of its own, because prepare.py is the repository's code: the scorer reads only arrays and
JSON. FOLDER receives inputs.npy and targets.npy (rows, columns), token_bytes.npy (vocabulary,) and meta.json.
"""

import importlib.util
import json
import sys
from pathlib import Path


def main() -> None:
    folder, wanted, cap = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    tree = Path.cwd()
    sys.path[0] = str(tree)
    spec = importlib.util.spec_from_file_location("prepare", tree / "prepare.py")
    assert spec is not None and spec.loader is not None
    prepare = importlib.util.module_from_spec(spec)
    sys.modules["prepare"] = prepare
    spec.loader.exec_module(prepare)

    import numpy as np

    tokenizer = prepare.Tokenizer.from_directory()
    length, vocabulary = prepare.MAX_SEQ_LEN, tokenizer.get_vocab_size()
    token_bytes = prepare.get_token_bytes("cpu").cpu().numpy().astype("<i4")
    tokens = min(prepare.EVAL_TOKENS, cap // vocabulary) if wanted == "-" else int(wanted)
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
    meta = {
        "time_budget": float(prepare.TIME_BUDGET),
        "prepare_fingerprint": str(prepare.fingerprint()) if hasattr(prepare, "fingerprint") else "",
    }
    (folder / "meta.json").write_text(json.dumps(meta))


if __name__ == "__main__":
    main()
