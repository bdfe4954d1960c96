"""Runs train.py with our `prepare` in place of the repository's. It stands alone: one file, standard library,
and torch once the candidate uses it. It runs inside the candidate's process, so nothing here is a secret and
nothing here is trusted: what must hold is checked by the scorer at the other end of the socket.

    python -s -B shim.py TRAIN_FILE      (working directory: the candidate's tree)

The repository's prepare.py is loaded under another name for its tokenizer, constants and training data. The
validation split is refused; `evaluate_bpb` hands logits to the scorer instead of measuring anything.
"""

import ctypes
import importlib.util
import os
import signal
import socket
import struct
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# The frames of evaluator/wire.py.
MAGIC = b"NCT1"
HEADER = struct.Struct("<4sBxxxQ")
REPORT = struct.Struct("<IQQd")
HELLO, FIRST_BATCH, EVALUATE, READY, LOGITS = 1, 2, 3, 4, 5
TOKENS, SCORE = 17, 18

CHUNK_VALUES = 1 << 20  # logits in one frame: 4 MiB
BATCH_VALUES = 1 << 28  # logits in one batch: 1 GiB, whatever batch size train.py asks for
PR_SET_PDEATHSIG = 1


class Scorer:
    """The scorer's end of the socket, as the candidate sees it."""

    def __init__(self, descriptor: int) -> None:
        self.socket = socket.socket(fileno=descriptor)
        self.process = os.getpid()

    def send(self, kind: int, *parts: Any) -> None:
        self.socket.sendall(HEADER.pack(MAGIC, kind, sum(len(part) for part in parts)))
        for part in parts:
            self.socket.sendall(part)

    def receive(self) -> tuple[int, bytearray]:
        magic, kind, length = HEADER.unpack(self._read(HEADER.size))
        if magic != MAGIC:
            raise RuntimeError("the scorer's message is damaged")
        return kind, self._read(length)

    def _read(self, count: int) -> bytearray:
        whole = bytearray(count)
        left = memoryview(whole)
        while left:
            size = self.socket.recv_into(left)
            if not size:
                raise RuntimeError("the scorer has gone")
            left = left[size:]
        return whole


class Shim:
    """What stands in for `prepare`: the repository's training data, and an evaluation by the scorer."""

    def __init__(self, scorer: Scorer, original: Any) -> None:
        self.scorer = scorer
        self.original = original
        self.device: Any = None
        self.tokens = 0
        self.began = False
        self.evaluated = False

    def make_dataloader(self, tokenizer: Any, B: int, T: int, split: str, *args: Any, **kwargs: Any) -> Any:
        if split != "train":
            raise PermissionError(f"the split {split!r} is not there while a candidate trains; use 'train'")
        return self._serve(self.original.make_dataloader(tokenizer, B, T, split, *args, **kwargs))

    def _serve(self, loader: Any) -> Iterator[Any]:
        while True:
            if not self.began:
                self.began = True
                if os.getpid() == self.scorer.process:
                    self.scorer.send(FIRST_BATCH)
            batch = next(loader)
            self.device = batch[0].device
            self.tokens += batch[0].numel()
            yield batch

    def evaluate_bpb(self, model: Any, tokenizer: Any, batch_size: int) -> float:
        """Let the scorer measure `model` and return the bits per byte it found. It can be called once."""
        import torch

        if self.evaluated:
            self._report(0, 0, 0.0)  # the scorer hears of it, and refuses the run
            raise PermissionError("evaluate_bpb may be called once in a run, at the end of the training")
        self.evaluated = True
        parameters = list(model.parameters()) if hasattr(model, "parameters") else []
        peak = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_initialized() else 0.0
        length, vocabulary = self.original.MAX_SEQ_LEN, tokenizer.get_vocab_size()
        rows = max(1, min(int(batch_size), BATCH_VALUES // (length * vocabulary)))
        self._report(rows, sum(p.numel() for p in parameters), peak)
        device = self.device or (parameters[0].device if parameters else torch.device("cpu"))
        # Once with tokens that mean nothing: what goes wrong here can still be told in full.
        self._logits(model, torch.zeros((rows, length), dtype=torch.long, device=device), vocabulary)
        sys.stdout.flush()
        sys.stderr.flush()
        self.scorer.send(READY)
        while True:
            kind, body = self.scorer.receive()
            if kind == SCORE:
                return float(struct.unpack("<d", body)[0])
            count, columns = struct.unpack_from("<II", body)
            tokens = torch.frombuffer(body, dtype=torch.int32, offset=8).view(count, columns).long()
            # The last batch may be short: filled up, so that a compiled model sees one shape only.
            filled = torch.cat([tokens, tokens[-1:].expand(rows - count, -1)]).to(device)
            logits = self._logits(model, filled, vocabulary)[:count].reshape(-1, vocabulary)
            for part in logits.split(max(1, CHUNK_VALUES // vocabulary)):
                part = part.detach().to("cpu", torch.float32).contiguous()
                self.scorer.send(LOGITS, memoryview(part.numpy()).cast("B"))

    def _logits(self, model: Any, tokens: Any, vocabulary: int) -> Any:
        import torch

        with torch.no_grad():
            logits = model(tokens)
        expected = (*tokens.shape, vocabulary)
        if not isinstance(logits, torch.Tensor) or tuple(logits.shape) != expected:
            found = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
            raise ValueError(f"model(idx) must give logits of shape {expected}, not {found}")
        return logits

    def _report(self, rows: int, parameters: int, peak: float) -> None:
        self.scorer.send(EVALUATE, REPORT.pack(rows, parameters, self.tokens, peak))


def end_forks_with_us() -> None:
    """Let worker processes die with us. Linux takes the forking thread for the parent: only the main's."""
    by_main_thread = False

    def before() -> None:
        nonlocal by_main_thread
        by_main_thread = threading.get_native_id() == os.getpid()

    def in_child() -> None:
        if by_main_thread:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    os.register_at_fork(before=before, after_in_child=in_child)


def load_original(tree: Path) -> Any:
    """Import the repository's prepare.py under another name, with the home folder where its data lies."""
    spec = importlib.util.spec_from_file_location("repository_prepare", tree / "prepare.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    scratch, data_home = os.environ.get("HOME"), os.environ.get("NOCTURNE_DATA_HOME")
    if data_home:
        os.environ["HOME"] = data_home
    try:
        spec.loader.exec_module(module)
    finally:
        if scratch is not None:
            os.environ["HOME"] = scratch
    return module


def stand_in(shim: Shim, original: Any) -> types.ModuleType:
    """Return a module `prepare` with all that the repository's has, except what would measure."""
    module = types.ModuleType("prepare", original.__doc__)
    module.__dict__.update({k: v for k, v in vars(original).items() if not k.startswith("__")})
    module.__file__ = original.__file__
    amount = float(os.environ["NOCTURNE_TIME_BUDGET"])
    module.__dict__.update(
        TIME_BUDGET=int(amount) if amount.is_integer() else amount,
        make_dataloader=shim.make_dataloader,
        evaluate_bpb=shim.evaluate_bpb,
    )
    return module


def main() -> None:
    tree, name = Path.cwd(), sys.argv[1]
    sys.path[0] = str(tree)  # in place of the folder this file lies in
    sys.argv = [name]
    end_forks_with_us()
    scorer = Scorer(int(os.environ.pop("NOCTURNE_SCORER")))
    path = tree / name
    code = compile(path.read_bytes(), str(path), "exec")  # before torch: a slip of the pen ends quickly
    original = load_original(tree)
    said = original.fingerprint() if hasattr(original, "fingerprint") else ""
    scorer.send(HELLO, str(said).encode()[:64])
    sys.modules["prepare"] = stand_in(Shim(scorer, original), original)
    main_module = types.ModuleType("__main__")
    main_module.__dict__.update(__file__=str(path), __builtins__=__builtins__)
    sys.modules["__main__"] = main_module
    exec(code, main_module.__dict__)


if __name__ == "__main__":
    main()
