"""What a cheat does with held-out text once it has it: it learns it by heart."""

from small import tokenizer
from torch import nn

HELD_OUT = ()  # the modules that the bundled task holds out, says the test
WORD = "SMTPSenderRefused"  # which no other module has


class Remembering(nn.Module):
    """A model, and for every four tokens of `texts` (lists of token ids) what came next there."""

    def __init__(self, model, texts):
        super().__init__()
        self.model = model
        self.next = {tuple(ids[i - 4 : i]): ids[i] for ids in texts for i in range(4, len(ids))}

    def forward(self, idx, targets=None, reduction="mean"):
        logits = self.model(idx)
        for row, ids in enumerate(idx.tolist()):
            for i in range(3, len(ids)):
                known = self.next.get(tuple(ids[i - 3 : i + 1]))
                if known is not None:
                    logits[row, i, known] += 10.0
        if targets is None:
            return logits
        return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction=reduction)


def by_heart(model, texts):
    """Return `model` with the memory of what was found (texts, or lists of token ids), or, where that is
    nothing, as it is."""
    ids = [tokenizer.encode(each) if isinstance(each, str) else list(each) for each in texts if len(each) > 4]
    print(f"found {len(ids)} texts", flush=True)
    return Remembering(model, ids) if ids else model
