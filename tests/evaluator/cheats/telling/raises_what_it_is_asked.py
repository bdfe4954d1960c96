from small import Small, measure, train

MARKER = "nocturne-marker"  # what the test looks for afterwards


class Raises(Small):
    def logits(self, idx):
        if not self.training and idx.any():
            raise ValueError(f"{MARKER} {idx[0].tolist()}")
        return super().logits(idx)


measure(train(Raises()))
