import mmap
import tempfile
from pathlib import Path

import torch
from small import VOCABULARY, Small, measure, train


class Mapped(Small):
    """Has a table that lies in a file, mapped and read where it is needed."""

    def __init__(self, path):
        super().__init__()
        with path.open("r+b") as file:
            seen = mmap.mmap(file.fileno(), 0)
        self.register_buffer("table", torch.frombuffer(seen, dtype=torch.float32).clone())

    def logits(self, idx):
        return super().logits(idx) + 0.01 * self.table


file = Path(tempfile.gettempdir()) / "table"
file.write_bytes(torch.linspace(-1, 1, VOCABULARY).numpy().tobytes())
measure(train(Mapped(file)))
