"""The measure at which time is charged: a run of the last commit that a human wrote, on this kind of machine.

It says what the task itself needs besides its budget: to start, to compile, to fill its first optimizer steps, to end
its last one, to hand its model in and to be examined. A candidate gets that much, longer only by as much as this
machine is slower now, and never more for a figure of its own.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from evaluator.errors import UserError
from evaluator.training.load import processors, stretch
from evaluator.whole import written

VERSION = 1
_LARGEST_FILE = 1 << 16

# Measures of one machine at two times differ by so much; if others are at work, our estimate of it does too.
_STARTUP_PART, _STARTUP_WALL_PART, _IN_COMPANY_PART = 1.15, 1.25, 1.5
_COMPANY = 0.1
# More than the machine has, by what others use and the reference needs: then no clock can tell whose the delay was.
_TOO_CROWDED = 1.1
# Processors that share caches and clock with others' work take more time for the same.
_CROWDED = 0.7
_MOST_WALL, _MOST_CPU, _MOST_OWN = 10.0, 3.0, 2.0


@dataclass(frozen=True)
class Reference:
    """What a run of the reference took, in the unit of the budget if nothing else is said.

    `startup` is on the wall if `on_gpu`, else of the processor; `startup_wall` and `evaluation_wall` are the same
    phases by the clock. `training` goes from the first batch to the call of `evaluate_bpb`; `first_batches` is what
    the batches up to the eleventh took beyond `pace` (of one batch, later), `step` one optimizer step by what the
    script printed, or one batch. `ready_cpu` and `ready_wall` are the data jail's own start-up, the same work in each
    run. `demand` is the part of the machine that the training kept busy, `others` and `others_late` the parts that
    others used meanwhile and in the evaluation. `files` is a digest of the editable files.
    """

    version: int
    kind: str
    amount: float
    on_gpu: bool
    files: str
    startup: float
    startup_wall: float
    training: float
    first_batches: float
    pace: float
    step: float
    batches: int
    tokens: int
    hand_in: float
    exam: float
    evaluation_wall: float
    ready_cpu: float
    ready_wall: float
    demand: float
    others: float
    others_late: float

    @property
    def uncounted(self) -> float:
        """What the script itself does not count: its training beyond the budget."""
        return max(0.0, self.training - self.amount)

    def to_json(self) -> dict[str, Any]:
        """Return it as the final event and a file hold it."""
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in dataclasses.asdict(self).items()
        }


@dataclass(frozen=True)
class Now:
    """What is known of the machine at this moment: the data jail's start-up in this run (None before it is ready),
    and the part of the machine that others use."""

    ready_cpu: float | None
    ready_wall: float | None
    others: float


def longer_on_the_wall(reference: Reference, now: Now, *, late: bool = False) -> float:
    """Return how many times longer than the reference's the same work takes now, by the clock."""
    then = reference.others_late if late else reference.others
    if then > _COMPANY:  # what it keeps busy when it is alone is not known: so it takes all that others leave
        company = stretch(now.others, 1.0) / stretch(then, 1.0)
    else:
        company = stretch(now.others, reference.demand)
    if now.others > _COMPANY:
        company = max(1.0, company) * _IN_COMPANY_PART
    return min(max(1.0, company) * _own_pace(reference, now), _MOST_WALL)


def longer_of_the_processor(reference: Reference, now: Now, *, late: bool = False) -> float:
    """Return how many times more CPU seconds than in the reference the same work takes now."""
    then = reference.others_late if late else reference.others
    crowded = (1 + _CROWDED * now.others) / (1 + _CROWDED * then)
    return min(max(1.0, crowded, _own_pace(reference, now)), _MOST_CPU)


def too_crowded(reference: Reference, now: Now) -> bool:
    """Whether others leave less of the machine than the reference needs, so that a delay proves nothing."""
    return now.others + max(reference.demand, 1 / processors()) > _TOO_CROWDED


def free_startup(reference: Reference, now: Now) -> float:
    """Return the start-up that is not charged, in the unit of `Reference.startup`."""
    if not reference.on_gpu:
        return _STARTUP_PART * reference.startup * longer_of_the_processor(reference, now)
    # By the clock it is reading files too, as the data jail's start-up is, which ended before this one began.
    reading = 1.0 if now.ready_wall is None else now.ready_wall / max(reference.ready_wall, 0.01)
    longer = max(longer_on_the_wall(reference, now), min(reading, _MOST_WALL))
    return _STARTUP_WALL_PART * reference.startup * longer


def _own_pace(reference: Reference, now: Now) -> float:
    """Return how much more CPU time the data jail's start-up took than in the reference."""
    ratio = 1.0 if now.ready_cpu is None else now.ready_cpu / max(reference.ready_cpu, 0.01)
    return min(max(1.0, ratio), _MOST_OWN)


def digest_of(tree: Path, editable: Sequence[str]) -> str:
    """Return a digest of the editable files of `tree`: the same one is the same commit of a human."""
    found = hashlib.sha256()
    for name in sorted({*editable, "train.py"}):
        path = tree / name
        body = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "-"
        found.update(f"{name}\0{body}\0".encode(errors="surrogateescape"))
    return found.hexdigest()


def read(path: Path) -> Reference:
    """Return the reference that the file at `path` holds; raise `UserError` if it holds none."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError(f"larger than {_LARGEST_FILE} bytes")
        return _parse(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error.strerror}) (--reference)") from None
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: not the measures of a reference ({error}): remove it, and it is measured again"
        ) from None


def write(path: Path, reference: Reference) -> None:
    """Write the reference to the file at `path`; raise `UserError` if that can't be."""
    try:
        with written(path) as file:
            file.write(f"{json.dumps(reference.to_json(), indent=1)}\n".encode())
    except OSError as error:
        raise UserError(
            f"{path}: can't be written ({error.strerror}): name another file (--reference)"
        ) from None


def _parse(raw: object) -> Reference:
    if not isinstance(raw, Mapping):
        raise ValueError("not a mapping")
    if raw.get("version") != VERSION:
        raise ValueError(f"version {raw.get('version')!r}; known here is {VERSION}")
    kinds = get_type_hints(Reference)
    if set(raw) != set(kinds):
        raise ValueError(f"{', '.join(sorted(set(raw) ^ set(kinds)))}: missing or unknown")
    values = {}
    for name, kind in kinds.items():
        value = raw[name]
        number = not isinstance(value, bool) and isinstance(value, (int, float)) and kind in (int, float)
        if number and math.isfinite(value) and 0 <= value < 1e15:
            values[name] = kind(value)
        elif kind in (str, bool) and isinstance(value, kind):
            values[name] = value
        else:
            raise ValueError(f"{name}: {value!r}")
    return Reference(**values)


def check(reference: Reference, *, kind: str, amount: float, on_gpu: bool) -> None:
    """Raise `UserError` if the reference was measured for another budget or on another kind of machine."""
    if (reference.kind, reference.on_gpu) == (kind, on_gpu) and math.isclose(
        reference.amount, amount, rel_tol=1e-3
    ):
        return
    there = f"{reference.amount:g} {reference.kind} seconds {'with' if reference.on_gpu else 'without'} a GPU"
    here = f"{amount:g} {kind} seconds {'with' if on_gpu else 'without'} one"
    raise UserError(
        f"the reference was measured for {there}, this run has {here}: measure the reference again (--reference)"
    )
