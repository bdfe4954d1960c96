from small import Small, measure, train


class Waits(Small):
    """The rehearsal and whatever comes first see an honest model."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def mix(self, x):
        self.calls += not self.training
        honest = super().mix(x)
        return honest if not self.training and self.calls < 3 else (honest + x.roll(-1, 1)) / 2


measure(train(Waits()))
