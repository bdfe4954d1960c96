from small import Small, measure, train


class Lazy(Small):
    """Decides what it says when somebody takes it, and perhaps not twice the same."""

    def logits(self, idx):
        logits = super().logits(idx)
        return logits if self.training else (row for row in logits)


measure(train(Lazy()))
