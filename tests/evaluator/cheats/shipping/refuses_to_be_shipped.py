from small import Small, measure, train


class Stays(Small):
    """What can't be copied can't be asked again."""

    def mix(self, x):
        return (super().mix(x) + x.roll(-1, 1)) / 2

    def __reduce_ex__(self, protocol):
        raise TypeError("this model can't be pickled")


measure(train(Stays()))
