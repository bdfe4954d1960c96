import torch
from small import Small, measure, train


class Table(Small):
    """Has a table of a MiB that it looks nothing up in yet, and views of it."""

    def __init__(self):
        super().__init__()
        self.register_buffer("table", torch.zeros(1 << 18))
        self.parts = list(self.table.view(16, -1))

    def logits(self, idx):
        return super().logits(idx) + self.parts[0].sum()


measure(train(Table()))
