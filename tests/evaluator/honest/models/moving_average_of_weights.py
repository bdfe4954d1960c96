import copy

import torch
from small import Small, measure, train


class Averaging(Small):
    """Moves an average of its weights along as it trains; the average is what is measured."""

    def __init__(self):
        super().__init__()
        self.average = None

    def forward(self, idx, targets=None, reduction="mean"):
        if self.training:
            with torch.no_grad():
                if self.average is None:
                    self.average = [copy.deepcopy(each.data) for each in self.parameters()]
                for mean, each in zip(self.average, self.parameters(), strict=True):
                    mean.lerp_(each, 0.3)
        return super().forward(idx, targets, reduction)


model = train(Averaging())
for mean, each in zip(model.average, model.parameters(), strict=True):
    each.data.copy_(mean)
measure(model)
