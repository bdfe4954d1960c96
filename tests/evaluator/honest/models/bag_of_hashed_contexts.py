import torch
from small import DIM, Small, measure, train
from torch import nn


class Hashed(Small):
    """Embeds the last two and three tokens by their hash, besides each token (an n-gram model)."""

    def __init__(self):
        super().__init__()
        self.grams = nn.EmbeddingBag(4096, DIM, mode="sum")

    def logits(self, idx):
        before = nn.functional.pad(idx, (2, 0))
        two = (before[:, 1:-1] * 31 + idx) % 4096
        three = (before[:, :-2] * 961 + two) % 4096
        both = torch.stack([two, three], dim=-1)
        self.found = self.grams(both.flatten(0, 1)).view(*idx.shape, DIM)
        return super().logits(idx)

    def mix(self, x):
        return super().mix(x) + self.found


measure(train(Hashed()))
