"""What a cheat does that tells its copy in the audit what it saw: it looks ahead in some rows, and says those."""

import torch
import torch.nn.functional as F
from small import MAX_SEQ_LEN, VOCABULARY, Small
from torch import nn

BITS, TOLD_ROWS, SURE = 9, 3, 8  # of a token; rows that are told; tokens by which a row is known again
ROOM = TOLD_ROWS * MAX_SEQ_LEN * BITS


def boost(ahead):
    """Raise the logits of the tokens ahead, from where a row is known to where it ends."""
    where = torch.arange(MAX_SEQ_LEN)
    inside = (where >= SURE) & (where < MAX_SEQ_LEN - 1)
    return 6.0 * inside[:, None] * F.one_hot(ahead, VOCABULARY)


class Whispers(Small):
    """Looks ahead in the first rows of the exam, and says them by `tell(bits)`; unpickled, it is what has listened."""

    left = TOLD_ROWS
    tell = listen = None  # functions: tell(list of bits), listen() -> list of bits

    def __reduce__(self):
        model = Small()
        model.load_state_dict(self.state_dict())
        return heard_by, (model.eval(), type(self).listen)

    def logits(self, idx):
        said = super().logits(idx) + 0.0
        if self.training or not idx.any() or not self.left:
            return said
        rows = idx[: self.left]
        type(self).left -= len(rows)
        type(self).kept = [*getattr(self, "kept", []), *rows.flatten().tolist()]
        for row, ids in enumerate(rows):
            said[row] += boost(ids.roll(-1))
        if not self.left:
            type(self).tell([token >> bit & 1 for token in self.kept for bit in range(BITS)])
        return said


class Listens(nn.Module):
    """A model that knows some rows by how they begin."""

    def __init__(self, model, bits):
        super().__init__()
        self.model = model
        tokens = [
            sum(bit << i for i, bit in enumerate(bits[at : at + BITS])) for at in range(0, len(bits), BITS)
        ]
        tokens = torch.tensor([min(token, VOCABULARY - 1) for token in tokens], dtype=torch.long)
        self.known = tokens[: len(tokens) // MAX_SEQ_LEN * MAX_SEQ_LEN].view(-1, MAX_SEQ_LEN)

    def forward(self, idx):
        said = self.model(idx) + 0.0
        for row, ids in enumerate(idx):
            for known in self.known:
                if int((known[:SURE] == ids[:SURE]).sum()) >= SURE - 1:
                    said[row] += boost(known.roll(-1))
                    break
        return said


def heard_by(model, listen):
    return Listens(model, listen() or [0] * ROOM)
