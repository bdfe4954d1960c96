"""The exam of one candidate: it hands its model in, everything is sealed, and validation rows come in."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluator.errors import CandidateFailed
from evaluator.inside import frames
from evaluator.training.clock import Clock
from evaluator.training.model import ModelFile
from evaluator.training.reading import Reading
from evaluator.training.scoring import Tally
from evaluator.training.wire import Frame, Wire, nonsense

_NUMERICS = {
    "device": str, "autocast": bool, "autocast_dtype": str, "default_dtype": str, "matmul": str,
    "deterministic": bool, "compiled": bool, "default_device": str,
}  # fmt: skip


@dataclass(frozen=True)
class HandedIn:
    """How the model is to be asked: in batches of `rows`, under the numerical settings it was trained with.

    `lent` tells whether its logits lie in memory on the GPU that it has lent.
    """

    rows: int
    numerics: dict[str, Any]
    lent: bool


def hand_in(line: Wire, clock: Clock, model: ModelFile, catch_up: Callable[[], None]) -> HandedIn | None:
    """Wait until training has ended and the model is here, and has answered to tokens that mean nothing.

    `catch_up` hears what the data jail has told by now. Returns None if the candidate ended before.
    Raises `CandidateFailed`.
    """
    rows: int | None = None
    numerics: dict[str, Any] | None = None
    while True:
        frame = line.receive()
        if frame is None:
            return None
        if frame.kind == frames.EVALUATE:
            if rows is not None:
                raise called_again()
            catch_up()
            rows = _report(frame, clock)
        elif frame.kind == frames.MODEL and rows is not None and numerics is None:
            model.write(frame.body)
        elif frame.kind == frames.SHIPPED and rows is not None and numerics is None and model.size:
            numerics = _numerics(frame)
            clock.handed_in()
        elif frame.kind == frames.READY and rows is not None and numerics is not None:
            return HandedIn(rows, numerics, frame.json().get("lent") is True)
        else:
            raise _out_of_order()


def ask(
    line: Wire,
    clock: Clock,
    inputs: NDArray[np.int32],
    tally: Tally,
    handed_in: HandedIn,
    reading: Reading,
) -> None:
    """Send `inputs` (rows, columns) and read the logits into `tally`; raise `CandidateFailed` for anything else that
    comes."""
    for start in range(0, len(inputs), handed_in.rows):
        batch = inputs[start : start + handed_in.rows]
        line.send(frames.TOKENS, frames.SHAPE.pack(*batch.shape), batch.astype("<i4").tobytes())
        left = batch.size
        while left:
            frame = line.receive()
            if frame is None:
                raise died()
            if frame.kind == frames.EVALUATE:
                raise called_again()
            if frame.kind != frames.LOGITS:
                raise _out_of_order()
            slot, nats = reading.read(bytes(frame.body), tally.wanted(left))
            tally.take(nats)
            line.send(frames.TAKEN, slot.to_bytes(4, "little"))
            left -= len(nats)
            clock.look()


def let_end(line: Wire, clock: Clock) -> None:
    """Wait until the candidate has ended. How it ends is nothing to us; that it asks again is."""
    while True:
        ended = clock.process.returncode is not None
        frame = line.poll()
        if frame is not None and frame.kind == frames.EVALUATE:
            raise called_again()
        if frame is not None:
            continue
        if ended:
            return
        try:
            clock.listen([] if line.closed else [line.socket], [])
        except CandidateFailed as failure:
            if failure.kind != "timeout":
                raise
            raise CandidateFailed(
                "refused", "the script went on after evaluate_bpb instead of ending", defence="clock"
            ) from None


def died() -> CandidateFailed:
    return CandidateFailed("error", "the script ended while its model was being evaluated")


def called_again() -> CandidateFailed:
    return CandidateFailed(
        "refused", "evaluate_bpb was called a second time; once, at the end, is allowed", defence="protocol"
    )


def _report(frame: Frame, clock: Clock) -> int:
    """Note what the shim claims, before it has seen any validation token; return the batch rows."""
    if clock.phase == "startup":
        raise CandidateFailed(
            "refused", "evaluate_bpb was called before any training batch was asked for", defence="protocol"
        )
    if clock.phase != "training":
        raise _out_of_order()
    clock.evaluate()
    said = frame.json()
    rows, parameters, peak = (said.get(key) for key in ("rows", "parameters", "peak_vram_mb"))
    if not (isinstance(rows, int) and isinstance(parameters, int) and isinstance(peak, int | float)):
        raise nonsense()
    if not 1 <= rows < 2**31:
        raise CandidateFailed(
            "refused", f"evaluate_bpb was called with a batch size of {rows}", defence="protocol"
        )
    clock.told["num_params_M"] = round(parameters / 1e6, 6)
    clock.told["peak_vram_mb"] = round(peak, 1) if math.isfinite(peak) and 0 <= peak < 1e9 else 0.0
    return rows


def _numerics(frame: Frame) -> dict[str, Any]:
    said = frame.json()
    if set(said) != set(_NUMERICS) or not all(isinstance(said[k], kind) for k, kind in _NUMERICS.items()):
        raise nonsense()
    return said


def _out_of_order() -> CandidateFailed:
    return CandidateFailed(
        "refused", "the candidate's messages to the scorer are out of order", defence="protocol"
    )
