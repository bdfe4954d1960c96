"""Asks a shipped model again, in a jail that shares nothing with the first: for the causality audit.

It starts while the exam goes on, and runs nothing of the candidate's until that jail is gone: two that are alive
at once could whisper to each other, by locks on files that both may only read.

main(scorer's socket, the model's descriptor, the logits' buffer, vocabulary)      (working directory: the tree)
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch

from . import frames, logits, repository, shipping
from .frames import Channel, Gone


def main(scorer: str, model: str, buffer: str, vocabulary: str) -> None:
    channel = Channel(int(scorer))
    try:
        channel.receive()
    except Gone:
        return
    sys.modules["prepare"] = repository.stand_in(
        repository.load_prepare(Path.cwd()),
        make_dataloader=_nothing,
        evaluate_bpb=_nothing,
        Tokenizer=_nothing,
    )
    settings = json.loads(os.environ["NOCTURNE_NUMERICS"])
    rows = int(os.environ["NOCTURNE_ROWS"])
    with shipping.apply(settings), os.fdopen(int(model), "rb") as file:
        asked = shipping.unpack(file)
        if settings["compiled"] and settings["device"] != "cpu":
            asked = torch.compile(asked)  # bfloat16 rounds otherwise where kernels are fused
        slots = logits.Buffer(int(buffer), channel, int(vocabulary))
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


def _nothing(*args: Any, **kwargs: Any) -> Any:
    raise PermissionError("a model is only asked for logits here")
