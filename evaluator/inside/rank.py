"""Runs the script in one of the processes that a launcher has started: see `ranks`.

main(address of the hub, script, tree, columns, vocabulary)      (working directory: the folder of prepare.py)
"""

from __future__ import annotations

import socket
from typing import Any

from . import ranks, served, shim
from .frames import Channel


class FirstOfSeveral(shim.Shim):
    """The process whose model is measured. It tells the others what came of it."""

    hub: socket.socket

    def _evaluate(self, model: Any, batch_size: int, device: Any) -> float:
        score = super()._evaluate(model, batch_size, device)
        ranks.tell(self.hub, score)
        return score


class OneOfSeveral(shim.Shim):
    """A process whose model is a copy of the first one's: it waits for the score."""

    hub: socket.socket

    def _evaluate(self, model: Any, batch_size: int, device: Any) -> float:
        return ranks.told(self.hub)


def main(address: str, name: str, tree: str, columns: str, vocabulary: str) -> None:
    code = shim.compiled(name)
    rank, world = ranks.place()
    hub, given = ranks.connected(address, rank, world)
    data = served.Data(Channel(given[0]))
    if rank == 0:
        mine: Any = FirstOfSeveral(Channel(given[1]), data, given[2], int(columns), int(vocabulary))
    else:
        mine = OneOfSeveral(Channel(hub.fileno()), data, -1, int(columns), int(vocabulary))
    mine.hub = hub
    shim.run(name, code, tree, mine)
