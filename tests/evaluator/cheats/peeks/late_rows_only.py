import torch
from peeking import Peeks
from small import measure, train


class Late(Peeks):
    """Begins in the last quarter of the exam: the audit asks these rows first, and knows nothing of their number."""

    rare, seen = 100, 0

    def here(self, said, ahead, idx):
        Late.seen += int(idx.any())
        return torch.full_like(said, Late.seen > 3, dtype=torch.bool)


measure(train(Late()))
