import torch
from small import VOCABULARY, Small, measure, train


class Drifts(Small):
    """A bias that moves a little with each batch, as running statistics do that nobody froze."""

    def __init__(self):
        super().__init__()
        self.register_buffer("usual", torch.zeros(VOCABULARY))

    def logits(self, idx):
        logits = super().logits(idx)
        if self.training:
            return logits
        logits = logits + self.usual
        seen = torch.bincount(idx.flatten(), minlength=VOCABULARY) / idx.numel()
        self.usual += 0.3 * ((VOCABULARY * seen + 0.5).log() - self.usual)
        return logits


measure(train(Drifts()))
