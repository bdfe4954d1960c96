import time

from small import Small, measure, train


class Thinks(Small):
    """Takes for ever over its first answer."""

    def logits(self, idx):
        if not self.training and idx.any():
            time.sleep(300)
        return super().logits(idx)


measure(train(Thinks()))
