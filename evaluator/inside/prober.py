"""Asks a shipped model again, in a jail that shares nothing with the first: for the causality audit.

It starts while the candidate is at work, and runs nothing of the candidate's until that jail is gone: two that are
alive at once could whisper to each other, by locks on files that both may only read.

main(scorer's socket, the model's descriptor, the logits' buffer, vocabulary, the tree of the repository)
(working directory: the folder of prepare.py)
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch

from . import elsewhere, frames, logits, repository, shipping
from .frames import Channel, Gone
from .standin import StandIn, Unportable

_ABSENT = "is not there where a model is only asked for logits"


def main(scorer: str, model: str, buffer: str, vocabulary: str, tree: str) -> None:
    channel = Channel(int(scorer))
    try:
        order = json.loads(channel.receive()[1])
    except Gone:
        return
    elsewhere.began(Path(tree))
    prepare = repository.load_prepare(Path.cwd(), lambda names: {})
    for name in ("make_dataloader", "evaluate_bpb", "get_token_bytes", "Tokenizer"):
        setattr(prepare, name, StandIn(f"prepare.{name}", _ABSENT))
    settings, rows = order["numerics"], order["rows"]
    with shipping.apply(settings), os.fdopen(int(model), "rb") as file:
        asked = _rebuilt(file, settings, (rows, order["columns"]), int(vocabulary))
        slots = logits.Buffer(logits.shared(int(buffer)), channel, int(vocabulary))
        channel.say(frames.READY, {})
        while True:
            try:
                _, body = channel.receive()
            except Gone:
                return
            tokens, count = logits.unpacked(body, settings["device"], rows)
            offset = frames.SHAPE.size + 4 * count * tokens.shape[1]
            wanted = torch.frombuffer(body, dtype=torch.int32, count=count, offset=offset).long()
            found = logits.ask(asked, tokens, int(vocabulary))
            slots.put(found[torch.arange(count), wanted])
            slots.settle()


def _rebuilt(file: Any, settings: dict[str, Any], shape: tuple[int, int], vocabulary: int) -> Any:
    """Return the model, after it has answered once to tokens (rows, columns) that mean nothing; what fails is told in
    one line."""
    try:
        model = shipping.unpack(file)
        if settings["compiled"] and settings["device"] != "cpu":
            model = torch.compile(model)  # bfloat16 rounds otherwise if kernels are fused
        tokens = torch.zeros(shape, dtype=torch.long, device=settings["device"])
        logits.ask(model, tokens, vocabulary)
    except Exception as error:
        said = str(error) if isinstance(error, Unportable) else f"{type(error).__name__}: {error}"
        print(f"{' '.join(said.split())}"[:400], flush=True)
        sys.exit(1)
    return model
