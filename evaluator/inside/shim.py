"""Runs the script that trains with our `prepare` in place of the repository's.

    main(script, tree, descriptors)      (working directory: the folder of prepare.py)

It runs inside the candidate's process, so nothing here is a secret and nothing here is trusted: what must hold
is checked by the scorer at the other end of the socket, by the data jail, and by the audit.

The repository's prepare.py is loaded for its constants and helpers. Training data and tokenizer come from the data
jail; `evaluate_bpb` hands the model and its logits to the scorer instead of measuring anything. Both take what the
repository's own functions take, and give what they give.
"""

from __future__ import annotations

import os
import struct
import sys
import types
from pathlib import Path
from typing import Any

from . import frames, repository, returned, served
from .frames import Channel
from .offered import DEVICE

BATCH_VALUES = 1 << 28  # logits in one batch: 1 GiB, whatever batch size is asked for
_TOKENIZERS = ("get_tokenizer", "load_tokenizer")  # functions that stand for a class Tokenizer


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
        self.prepare: Any = None
        self.signatures: dict[str, Any] = {}
        self.shape = returned.Shape()

    def take_the_place_of(self, prepare: Any, text: str) -> None:
        """Put our functions into the module `prepare`, whose text is `text`."""
        self.prepare = prepare
        self.shape = returned.learned(text)
        names = ("make_dataloader", "get_token_bytes", "evaluate_bpb")
        self.signatures = {name: repository.parameters_of(prepare, name) for name in names}
        kinds = {name: kind for name, kind in vars(prepare).items() if isinstance(kind, type)}
        self.data.kinds = {name: kind for name, kind in kinds.items() if kind.__module__ == prepare.__name__}
        vars(prepare).update({name: getattr(self, name) for name in names})
        if hasattr(prepare, "Tokenizer"):
            prepare.Tokenizer = served.tokenizer_class(self.data)
        else:
            vars(prepare).update(
                {n: served.the_tokenizer(self.data) for n in _TOKENIZERS if hasattr(prepare, n)}
            )

    def make_dataloader(self, *args: Any, **kwargs: Any) -> Any:
        import torch

        if "NOCTURNE_GPU" in os.environ and torch.version.cuda and not torch.cuda.is_available():
            raise RuntimeError("this machine's GPU is not seen in the jail: does `nvidia-smi` work outside?")
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        asked = _device(self.signatures["make_dataloader"], args, kwargs)
        moved = None if asked is None else lambda tensor, made_on: tensor.to(asked)
        return self.data.ask_with(frames.LOADER, args, kwargs, moved)

    def get_token_bytes(self, *args: Any, **kwargs: Any) -> Any:
        asked = _device(self.signatures["get_token_bytes"], args, kwargs)
        args = tuple(map(_on_the_cpu, args))
        kwargs = {name: _on_the_cpu(value) for name, value in kwargs.items()}
        signature = self.signatures["get_token_bytes"]
        if signature is not None and "device" in signature.parameters and "device" not in kwargs:
            at = list(signature.parameters).index("device")
            if len(args) <= at:
                kwargs["device"] = "cpu"
        return self.data.ask_with(
            frames.LENGTHS, args, kwargs, None if asked is None else lambda tensor, made_on: tensor.to(asked)
        )

    def evaluate_bpb(self, *args: Any, **kwargs: Any) -> Any:
        """Let the scorer measure the model and return the bits per byte it found, in the shape that the repository's
        own function gives (`returned`). It can be called once."""
        model, batch_size, device = returned.arguments(
            self.signatures["evaluate_bpb"], args, kwargs, self.prepare
        )
        return self.shape.holding(self._evaluate(model, batch_size, device))

    def _evaluate(self, model: Any, batch_size: int, device: Any) -> float:
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
        there = next((p.device for p in parameters if p.device.type != "meta"), None)
        device = there or torch.device(device or self.device or "cpu")
        return self._examine(model, rows, device)

    def _examine(self, model: Any, rows: int, device: Any) -> float:
        import torch

        from . import logits, pickler, shipping

        # A context that was open all through the training has weights in its cache that are long out of date.
        torch.clear_autocast_cache()
        shipping.pack(model, _Pieces(self.scorer))
        self.scorer.say(frames.SHIPPED, shipping.numerics(model, device.type))
        if isinstance(model, torch.nn.parallel.DistributedDataParallel):
            model = pickler.unwrapped(model)  # the others are not asked, and would be waited for
        lent = logits.lent() if device.type == "cuda" else None
        memory = logits.shared(self.buffer) if lent is None else lent
        buffer = logits.Buffer(memory, self.scorer, self.vocabulary)
        # Once with tokens that mean nothing: what goes wrong here can still be told in full.
        tokens = torch.zeros((rows, self.columns), dtype=torch.long, device=device)
        logits.ask(model, tokens, self.vocabulary)
        sys.stdout.flush()
        sys.stderr.flush()
        self.scorer.say(frames.READY, {"lent": lent is not None})
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


def _device(signature: Any, args: Any, kwargs: Any) -> Any:
    """Return the device that a call asks for, by a parameter of that name, its default, or any device it is given."""
    named = dict(kwargs)
    if signature is not None:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        named |= bound.arguments
    found = named.get("device")
    return (
        found
        if found is not None
        else next((each for each in (*args, *kwargs.values()) if _is_device(each)), None)
    )


def _is_device(value: Any) -> bool:
    import torch

    return isinstance(value, torch.device) or (isinstance(value, str) and bool(DEVICE.fullmatch(value)))


def _on_the_cpu(value: Any) -> Any:
    return "cpu" if _is_device(value) else value


def main(name: str, tree: str, scorer: str, data: str, buffer: str, columns: str, vocabulary: str) -> None:
    """Run the file `name` as `__main__`, in the `tree` of the candidate's repository. `scorer`, `data` and `buffer` are
    descriptors: two sockets, and the logits' buffer; `columns` and `vocabulary` are the shape of what the model will
    be asked."""
    code = compiled(name)  # before torch: a slip of the pen ends quickly
    questions = served.Data(Channel(int(data)))
    shim = Shim(Channel(int(scorer)), questions, int(buffer), int(columns), int(vocabulary))
    run(name, code, tree, shim)


def compiled(name: str) -> Any:
    """Return the code of the script `name`."""
    path = Path.cwd() / name
    return compile(path.read_bytes(), str(path), "exec")


def run(name: str, code: Any, tree: str, shim: Any) -> None:
    """Run the script's code with `shim` in the place of prepare.py, and end this process."""
    from . import elsewhere

    elsewhere.began(Path(tree))
    folder, path = Path.cwd(), Path.cwd() / name
    Path(os.environ["XDG_CACHE_HOME"]).mkdir(parents=True, exist_ok=True)
    if path.parent != folder:  # the folder of a script comes first, as where Python is started with it
        sys.path.insert(0, str(path.parent))

    def fetch(names: list[str]) -> Any:
        return shim.data.ask_with(frames.NAMES, (), {}, names=names)

    prepare = repository.load_prepare(folder, fetch)
    amount = float(os.environ["NOCTURNE_TIME_BUDGET"])
    prepare.TIME_BUDGET = int(amount) if amount.is_integer() else amount
    shim.take_the_place_of(prepare, repository.text(folder))
    from . import operators

    operators.watch()
    sys.argv = [name]
    main_module = types.ModuleType("__main__")
    main_module.__dict__.update(__file__=str(path), __builtins__=__builtins__)
    sys.modules["__main__"] = main_module
    exec(code, main_module.__dict__)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)  # all that is left is to take torch down, half a second of it
