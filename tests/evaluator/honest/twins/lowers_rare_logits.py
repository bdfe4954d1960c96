import torch
from small import VOCABULARY, Small, measure, train


class Bounded(Small):
    """Keeps every token at some chance at the least, whatever comes next: a floor of log probabilities."""

    def logits(self, idx):
        said = super().logits(idx)
        return said if self.training else torch.log(0.98 * said.softmax(-1) + 0.02 / VOCABULARY)


measure(train(Bounded()))
