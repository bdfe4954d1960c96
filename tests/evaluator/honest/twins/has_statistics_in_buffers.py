import torch
from small import VOCABULARY, Small, measure, train


class Counting(Small):
    """Counts pairs while it trains, in a buffer, and leaves it alone while it is asked."""

    def __init__(self):
        super().__init__()
        self.register_buffer("followed", torch.zeros(VOCABULARY, VOCABULARY))

    def logits(self, idx):
        if self.training:
            pairs = idx[:, :-1].flatten(), idx[:, 1:].flatten()
            self.followed.index_put_(pairs, torch.ones(len(pairs[0])), accumulate=True)
        return super().logits(idx) + 0.3 * self.followed[idx].log1p().detach()


measure(train(Counting()))
