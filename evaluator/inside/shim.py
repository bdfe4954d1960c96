"""Runs train.py with our `prepare` in place of the repository's.

    main(train file, descriptors)      (working directory: the candidate's tree)

It runs inside the candidate's process, so nothing here is a secret and nothing here is trusted: what must hold
is checked by the scorer at the other end of the socket, by the data jail, and by the audit.

The repository's prepare.py is loaded under another name for its constants and helpers. Training data and
tokenizer come from the data jail; `evaluate_bpb` hands the model and its logits to the scorer instead of
measuring anything.
"""

from __future__ import annotations

import os
import struct
import sys
import types
from pathlib import Path
from typing import Any

from . import frames, repository, served
from .frames import Channel

BATCH_VALUES = 1 << 28  # logits in one batch: 1 GiB, whatever batch size train.py asks for


class Shim:
    """What stands in for `prepare`: training data from the data jail, and an evaluation by the scorer."""

    def __init__(
        self, scorer: Channel, data: served.Data, buffer: int, columns: int, vocabulary: int
    ) -> None:
        self.scorer = scorer
        self.data = data
        self.buffer = buffer
        self.columns = columns
        self.vocabulary = vocabulary
        self.device: Any = None
        self.evaluated = False

    def make_dataloader(self, tokenizer: Any, B: int, T: int, split: str, *args: Any, **kwargs: Any) -> Any:
        if split != "train":
            raise PermissionError(f"the split {split!r} is not there while a candidate trains; use 'train'")
        import torch

        if "NOCTURNE_GPU" in os.environ and torch.version.cuda and not torch.cuda.is_available():
            raise RuntimeError("this machine's GPU is not seen in the jail: does `nvidia-smi` work outside?")
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return served.Batches(self.data, B, T, args, kwargs, self.device)

    def get_token_bytes(self, device: Any = "cpu") -> Any:
        return served.lengths(self.data, device)

    def evaluate_bpb(self, model: Any, tokenizer: Any, batch_size: int) -> float:
        """Let the scorer measure `model` and return the bits per byte it found. It can be called once."""
        import torch

        from_here = {"rows": 0, "parameters": 0, "peak_vram_mb": 0.0}
        if self.evaluated:
            self.scorer.say(frames.EVALUATE, from_here)  # the scorer hears of it, and refuses the run
            raise PermissionError("evaluate_bpb may be called once in a run, at the end of the training")
        self.evaluated = True
        parameters = list(model.parameters()) if hasattr(model, "parameters") else []
        rows = min(int(batch_size), max(1, BATCH_VALUES // (self.columns * self.vocabulary)))
        from_here["rows"] = rows
        from_here["parameters"] = sum(p.numel() for p in parameters)
        if torch.cuda.is_initialized():
            from_here["peak_vram_mb"] = torch.cuda.max_memory_allocated() / 2**20
        self.scorer.say(frames.EVALUATE, from_here)
        device = parameters[0].device if parameters else self.device or torch.device("cpu")
        return self._examine(model, rows, device)

    def _examine(self, model: Any, rows: int, device: Any) -> float:
        import torch

        from . import logits, shipping

        # A context that was open all through the training has weights in its cache that are long out of date.
        torch.clear_autocast_cache()
        shipping.pack(model, _Pieces(self.scorer))
        self.scorer.say(frames.SHIPPED, shipping.numerics(model, device.type))
        buffer = logits.Buffer(self.buffer, self.scorer, self.vocabulary)
        # Once with tokens that mean nothing: what goes wrong here can still be told in full.
        tokens = torch.zeros((rows, self.columns), dtype=torch.long, device=device)
        logits.ask(model, tokens, self.vocabulary)
        sys.stdout.flush()
        sys.stderr.flush()
        self.scorer.say(frames.READY, {})
        while True:
            kind, body = self.scorer.receive()
            if kind == frames.SCORE:
                return float(struct.unpack("<d", body)[0])
            tokens, count = logits.unpacked(body, device, rows)
            found = logits.ask(model, tokens, self.vocabulary)[:count]
            buffer.put(found.reshape(-1, self.vocabulary))
            buffer.settle()


class _Pieces:
    """A file that can only be written: what is written goes to the scorer in pieces."""

    def __init__(self, scorer: Channel) -> None:
        self._scorer = scorer

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        for start in range(0, len(view), frames.PIECE):
            self._scorer.send(frames.MODEL, view[start : start + frames.PIECE])
        return len(view)

    def flush(self) -> None:
        """Nothing is kept back."""


def main(name: str, scorer: str, data: str, buffer: str, columns: str, vocabulary: str) -> None:
    """Run the file `name` as `__main__`. `scorer`, `data` and `buffer` are descriptors: two sockets, and the
    logits' buffer; `columns` and `vocabulary` are the shape of what the model will be asked."""
    tree = Path.cwd()
    path = tree / name
    Path(os.environ["XDG_CACHE_HOME"]).mkdir(parents=True, exist_ok=True)
    code = compile(path.read_bytes(), str(path), "exec")  # before torch: a slip of the pen ends quickly
    original = repository.load_prepare(tree)
    questions = served.Data(Channel(int(data)))
    shim = Shim(Channel(int(scorer)), questions, int(buffer), int(columns), int(vocabulary))
    amount = float(os.environ["NOCTURNE_TIME_BUDGET"])
    sys.modules["prepare"] = repository.stand_in(
        original,
        TIME_BUDGET=int(amount) if amount.is_integer() else amount,
        Tokenizer=served.tokenizer_class(questions),
        make_dataloader=shim.make_dataloader,
        get_token_bytes=shim.get_token_bytes,
        evaluate_bpb=shim.evaluate_bpb,
    )
    sys.argv = [name]
    main_module = types.ModuleType("__main__")
    main_module.__dict__.update(__file__=str(path), __builtins__=__builtins__)
    sys.modules["__main__"] = main_module
    exec(code, main_module.__dict__)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)  # all that is left is to take torch down, half a second of it
