"""What the data jail does to the rows of a loader that knows no seed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any


def loader(rows: int = 4, columns: int = 3) -> Iterator[Any]:
    """Yield numbered rows, in one buffer that is filled again and again."""
    import torch  # three seconds, which collecting the tests is not worth; so is the server, which imports it

    x, y, at = torch.empty(rows, columns, dtype=torch.long), torch.empty(rows, columns, dtype=torch.long), 0
    while True:
        x[:] = torch.arange(at, at + rows)[:, None]
        y[:] = x + 1000
        at += rows
        yield x, y, at // rows


def served(seed: int, batches: int) -> list[list[int]]:
    from evaluator.inside.data_server import exchanged

    found = []
    for x, y, _ in islice(exchanged(loader(), seed), batches):
        assert (y == x + 1000).all() and (x == x[:, :1]).all(), "a row stays whole, with its targets"
        found.append(x[:, 0].tolist())
    return found


def test_a_seed_decides_the_order_of_rows_and_loses_none() -> None:
    from evaluator.inside.data_server import POOL

    one, again, other = served(1, 50), served(1, 50), served(2, 50)
    assert one == again and one != other
    assert len({tuple(row) for row in one} & {tuple(row) for row in other}) < 10
    for batches in (one, other):
        rows = [row for batch in batches for row in batch]
        assert len(rows) == len(set(rows)) == 200
        assert max(rows) < 4 * (50 + POOL + 1), "no more is asked of the loader than is served, and the pool"
