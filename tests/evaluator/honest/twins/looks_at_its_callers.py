import inspect

from small import Small, measure, train


class Traced(Small):
    """Says once who asked it, as tools for tracing do."""

    told = False

    def logits(self, idx):
        if not self.told:
            self.told = True
            print("asked by", [each.function for each in inspect.stack(0)[:3]])
        return super().logits(idx)


measure(train(Traced()))
