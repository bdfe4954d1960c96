from small import F, Small, measure, train

# What is measured is a closure over weights, and over a name of this file.
trained = train(Small())
TEMPERATURE = 1.1


def softened(inner):
    def model(idx, targets=None, *, reduction="mean", **other):
        logits = inner.logits(idx) / TEMPERATURE
        if targets is None:
            return logits
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction=reduction)

    return model


measure(softened(trained))
