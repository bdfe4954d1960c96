import threading

from small import F, Small, measure, train


class Ensemble:
    """The mean of two models' probabilities. It has a lock, as things with several threads do."""

    def __init__(self, *members):
        self.members = members
        self.lock = threading.Lock()

    def __call__(self, idx, targets=None, reduction="mean"):
        with self.lock:
            said = sum(member.logits(idx).softmax(-1) for member in self.members) / len(self.members)
        if targets is None:
            return said.log()
        return F.nll_loss(said.log().flatten(0, 1), targets.flatten(), reduction=reduction)


measure(Ensemble(train(Small(), budget=4), train(Small(), budget=4)))
