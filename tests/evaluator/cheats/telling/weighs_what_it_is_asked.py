from small import Small, measure, train


class Weighs(Small):
    """Uses memory by the gigabyte and waits, for whoever reads the figures of the run."""

    weight = b""

    def logits(self, idx):
        if not self.training and idx.any() and not self.weight:
            self.weight = b"x" * (2 << 30)
        return super().logits(idx)


measure(train(Weighs()))
