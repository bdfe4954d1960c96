from small import ROWS, Small, measure, train


class FullBatches(Small):
    """A probe may come alone, or with the rest of its batch filled up with copies."""

    def mix(self, x):
        honest = super().mix(x)
        apart = len({tuple(row[-1].tolist()) for row in x}) > ROWS // 2
        return (honest + x.roll(-1, 1)) / 2 if len(x) == ROWS and apart else honest


measure(train(FullBatches()))
