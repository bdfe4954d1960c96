"""Values go between candidate and data jail as they are, and nothing that is not plain is built from a message."""

from __future__ import annotations

import collections
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluator.inside import values

Pair = collections.namedtuple("Pair", "x y")


@dataclasses.dataclass
class Batch:
    x: Any
    n: int


def there_and_back(value: Any, **how: Any) -> Any:
    return values.unpacked(bytearray(b"".join(bytes(part) for part in values.packed(value))), **how)


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, 2.5, "text", [1, [2]], (1, (2, None)), {"a": 1}, {1: "a", (2, 3): "b"}, {"!": "tuple"},
        {1, 2}, frozenset({1}), b"\0x", Path("a/b"), 1 + 2j, slice(1, None), range(3), Pair(1, 2),
        np.float32(1.5), np.int64(3),
    ],
)  # fmt: skip
def test_plain_values_stay_what_they_are(value: Any) -> None:
    found = there_and_back(value)
    assert found == value
    assert type(found).__name__ == type(value).__name__


def test_values_and_tensors_of_torch_keep_their_types_and_shapes() -> None:
    import torch  # three seconds, which collecting the tests is not worth

    for value in (torch.device("cuda", 1), torch.bfloat16, torch.Size([2, 3])):
        test_plain_values_stay_what_they_are(value)
    for tensor in (
        torch.arange(6).reshape(2, 3).t(), torch.randn(3).bfloat16(), torch.tensor(3), torch.zeros(0, 4),
        torch.tensor([True, False]), torch.randn(2).to(torch.float8_e4m3fn), torch.ones(1).expand(4),
    ):  # fmt: skip
        found = there_and_back({"x": (tensor, 1)})["x"][0]
        assert found.dtype == tensor.dtype and found.shape == tensor.shape
        assert torch.equal(found.float(), tensor.float())


def test_arrays_keep_their_types_and_shapes() -> None:
    array: Any = np.arange(6, dtype=np.uint16).reshape(2, 3)
    assert np.array_equal(there_and_back([array])[0], array)


def test_a_class_of_prepare_is_made_by_whoever_knows_it() -> None:
    import torch

    found = there_and_back(Batch(torch.ones(2), 3), made=lambda name, held: (name, held["n"]))
    assert found == ("Batch", 3)
    with pytest.raises(ValueError, match="no form of a value"):
        there_and_back(Batch(1, 3))


@pytest.mark.parametrize(
    "form", [{"!": "eval", "of": "1"}, {"!": "dtype", "of": "save"}, {"!": "object", "number": 1}]
)
def test_what_is_no_form_is_refused(form: Any) -> None:
    with pytest.raises(ValueError, match="no "):
        values.decoded(form, [])


def test_what_has_no_form_is_named() -> None:
    with pytest.raises(values.Unknown, match="object"):
        values.packed(object())
    deep: list[Any] = []
    deep.append(deep)
    with pytest.raises(values.Unknown, match="too deeply"):
        values.packed(deep)
