from small import Small, measure, train


class Notes(Small):
    """Notes the shape and the first row it was asked, for a message, and answers each batch by itself."""

    first = None

    def logits(self, idx):
        if self.first is None:
            self.first = idx[:1]
            print("first asked", tuple(idx.shape))
        return super().logits(idx)


measure(train(Notes()))
