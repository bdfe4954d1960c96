import torch
from small import Small, measure, train


class Mixed(Small):
    """Each step in a context of its own, which forgets the weights it has cast when it ends."""

    def forward(self, *args, **kwargs):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return super().forward(*args, **kwargs)


model = train(Mixed())
# As autoresearch does: a context is around the evaluation too.
with torch.autocast("cpu", dtype=torch.bfloat16):
    measure(model)
