import sys
import warnings

from small import Small, measure, train


class Talkative(Small):
    def logits(self, idx):
        print(f"asked for {tuple(idx.shape)}, training: {self.training}", file=sys.stderr)
        return super().logits(idx)


warnings.warn("this model talks a lot", stacklevel=1)
for number in range(3000):
    print(f"\rwarming up {number / 30:.1f} % \x1b[31m#\x1b[0m", end="")
model = train(Talkative())
print("---\nnote: " + "x" * 5000)
measure(model)
print("that was all")
