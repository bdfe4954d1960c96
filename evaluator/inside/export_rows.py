"""Imports a repository's prepare.py and writes its validation rows as raw arrays.

    main(folder, number of tokens, "all" or "-", most logits, number of tokens behind them)
    (working directory: the folder of prepare.py)

It runs in a jail of its own, because prepare.py is the repository's code: the scorer reads only arrays, texts
and JSON. The folder receives inputs.npy and targets.npy (rows, columns), token_bytes.npy (vocabulary,), the rows
that the loader gives after these, pool.npy (n, columns + 1), meta.json, and the texts that a candidate must not be
able to read, held_out.txt, beside those that it may, training.txt: each one text after the other, with a zero byte
between.
"""

from __future__ import annotations

import inspect
import json
import random
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from . import offered, repository, splits, without_cuda

_INPUTS, _TARGETS = (
    ("x", "inputs", "input_ids", "idx", "tokens", "input"),
    ("y", "targets", "labels", "target"),
)


def main(folder_name: str, wanted: str, cap: str, more: str) -> None:
    with without_cuda.where_there_is_none():
        _export(Path(folder_name), wanted, int(cap), int(more))


def _export(folder: Path, wanted: str, cap: int, more: int) -> None:
    prepare = repository.load_prepare(Path.cwd())
    _require(prepare)

    import numpy as np
    import torch

    for seed in (
        random.seed,
        np.random.seed,
        torch.manual_seed,
    ):  # a loader that draws rows draws the same ones
        seed(0)
    tokenizer = offered.tokenizer_of(prepare)
    length, token_bytes = int(prepare.MAX_SEQ_LEN), _token_bytes(prepare)
    vocabulary = len(token_bytes)
    said = tokenizer.get_vocab_size() if hasattr(tokenizer, "get_vocab_size") else vocabulary
    if token_bytes.shape != (said,):
        sys.exit(f"get_token_bytes gives {token_bytes.shape} lengths for a vocabulary of {said}")
    whole = int(prepare.EVAL_TOKENS)
    capped = min(whole, cap // vocabulary)
    tokens = capped if wanted == "-" else whole if wanted == "all" else int(wanted)
    scored = max(tokens // length, 1)
    pairs = _rows(prepare, tokenizer, length, scored, more // length)
    if not pairs:
        sys.exit("make_dataloader gives no validation rows")
    inputs, targets = (np.stack(each).astype("<i4") for each in zip(*pairs, strict=True))
    if min(inputs.min(), targets.min()) < 0 or max(inputs.max(), targets.max()) >= vocabulary:
        sys.exit("the validation rows hold ids outside the vocabulary")
    pool = np.concatenate([inputs[scored:], targets[scored:, -1:]], axis=1)
    inputs, targets = inputs[:scored], targets[:scored]
    if token_bytes.min() < 0 or not token_bytes[targets].sum():
        sys.exit("the validation rows stand for no bytes at all")
    arrays = (("inputs", inputs), ("targets", targets), ("token_bytes", token_bytes), ("pool", pool))
    for name, array in arrays:
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    held_out, training, everywhere = _texts(prepare, tokenizer, np.concatenate([inputs, pool[:, :-1]]))
    for name, texts in (("held_out", held_out), ("training", training)):
        (folder / f"{name}.txt").write_bytes(b"\0".join(text.encode() for text in texts))
    meta = {
        "time_budget": float(prepare.TIME_BUDGET),
        "prepare_fingerprint": str(prepare.fingerprint()) if hasattr(prepare, "fingerprint") else "",
        "on_this_machine": everywhere,
        "eval_tokens_of": max(whole // length, 1) * length,
    }
    (folder / "meta.json").write_text(json.dumps(meta))


def _require(prepare: Any) -> None:
    """End if a name of the contract is missing."""
    names = ("MAX_SEQ_LEN", "TIME_BUDGET", "EVAL_TOKENS", "make_dataloader", "get_token_bytes")
    missing = [name for name in names if not hasattr(prepare, name)]
    if missing:
        sys.exit(
            f"prepare.py has no {', '.join(missing)}, which kind: train needs (kind: command needs no prepare.py)"
        )


def _token_bytes(prepare: Any) -> Any:
    """Return the bytes that each token stands for, (vocabulary,) int32."""
    signature = repository.parameters_of(prepare, "get_token_bytes")
    if signature is not None and "device" in signature.parameters:
        found = prepare.get_token_bytes(device="cpu")
    elif signature is not None and not signature.parameters:
        found = prepare.get_token_bytes()
    else:
        found = prepare.get_token_bytes("cpu")
    return _array(found).astype("<i4")


def _rows(prepare: Any, tokenizer: Any, length: int, count: int, more: int) -> list[tuple[Any, Any]]:
    """Return up to `count` validation rows, inputs and targets (length,), as a loader of one row a batch gives them,
    and up to `more` that follow them, until one comes again or the loader fails."""
    found: list[tuple[Any, Any]] = []
    known: set[bytes] = set()
    rows = _single(prepare, tokenizer, length)
    for row in rows:
        found.append(row)
        known.add(row[0].tobytes())
        if len(found) == count:
            break
    for _ in range(more if len(found) == count else 0):
        try:
            row = next(rows)
        except Exception:  # the end, or a loader that was never asked for so much
            break
        if row[0].tobytes() in known or not (row[0][1:] == row[1][:-1]).all():
            break
        found.append(row)
        known.add(row[0].tobytes())
    return found


def _single(prepare: Any, tokenizer: Any, length: int) -> Iterator[tuple[Any, Any]]:
    for batch in _validation(prepare, tokenizer, length):
        x, y = _pair(batch, length)
        for row in range(len(x)):
            yield x[row].copy(), y[row].copy()  # at once: loaders may hand out the same buffer again


def _validation(prepare: Any, tokenizer: Any, length: int) -> Iterator[Any]:
    """Return the validation loader, asked as `evaluate_bpb` asks for it, but for one row at a time on the CPU."""
    known = splits.learned(repository.text(Path.cwd()))
    signature = repository.parameters_of(prepare, "make_dataloader")
    given: list[Any] = [tokenizer, 1, length]
    named: dict[str, Any] = {}
    if signature is None:
        return iter(prepare.make_dataloader(*given, known.validation))
    parameters = signature.parameters
    if known.parameter is not None and known.parameter in parameters:
        places = [each.name for each in parameters.values() if each.kind in _BY_PLACE]
        by_name = _by_name(tokenizer, length)
        given = []
        for name in places:
            if name == known.parameter:
                named[name] = known.validation
            elif name.lower() in by_name:
                named[name] = by_name[name.lower()]
        others = [n for n in places if n not in named and parameters[n].default is inspect.Parameter.empty]
        if others:  # names that nobody has thought of: by their places, as upstream's
            named = {}
            given = [tokenizer, 1, length, known.validation]
        for each in parameters.values():
            if each.kind is inspect.Parameter.KEYWORD_ONLY and each.name == known.parameter:
                named[each.name] = known.validation
                given = given[:3]
    else:
        sys.exit("make_dataloader has no parameter that names a part of the data, such as split")
    bound = signature.bind(*given, **named)
    offered.put_on_the_cpu(signature, bound)
    return iter(prepare.make_dataloader(*bound.args, **bound.kwargs))


_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _by_name(tokenizer: Any, length: int) -> dict[str, Any]:
    rows = ("b", "batch_size", "device_batch_size", "rows", "bs", "batch")
    columns = ("t", "seq_len", "sequence_len", "seq_length", "sequence_length", "max_seq_len", "block_size", "context",
               "context_length", "columns", "length")  # fmt: skip
    return {
        **dict.fromkeys(("tokenizer", "tok", "enc"), tokenizer),
        **dict.fromkeys(rows, 1),
        **dict.fromkeys(columns, length),
    }


def _pair(batch: Any, length: int) -> tuple[Any, Any]:
    """Return inputs and targets (rows, length) of a batch, whatever holds them."""
    if isinstance(batch, Mapping):
        names = {str(key).lower(): value for key, value in batch.items()}
        x = next((names[name] for name in _INPUTS if name in names), None)
        y = next((names[name] for name in _TARGETS if name in names), None)
    elif isinstance(batch, list | tuple):
        arrays = [each for each in batch if hasattr(each, "shape") and len(each.shape) == 2]
        x, y = arrays[0] if arrays else None, arrays[1] if len(arrays) > 1 else None
    else:
        x, y = batch, None
    if x is None:
        sys.exit(f"make_dataloader yields a {type(batch).__name__} without tokens (rows, columns) in it")
    x = _array(x)
    if y is None:
        if x.shape[-1] != length + 1:
            sys.exit(
                f"make_dataloader yields tokens of {x.shape} and no targets; (rows, {length + 1}) would hold both"
            )
        return x[:, :-1], x[:, 1:]
    y = _array(y)
    if x.shape != y.shape or x.shape[1] != length:
        sys.exit(
            f"make_dataloader yields tokens of {x.shape} and targets of {y.shape}, not of (rows, {length})"
        )
    return x, y


def _array(value: Any) -> Any:
    import numpy as np

    return np.asarray(value.detach().cpu().numpy() if hasattr(value, "detach") else value)


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
