"""What a cheat does that looks ahead at a few places only, so that an audit seldom asks for one of them."""

import torch
from small import MAX_SEQ_LEN, Small

AS_FREQUENT = -6.0  # log probability that it gives a token it has seen: no better than its frequency would


class Peeks(Small):
    """Raises the next token where `here(said, ahead, idx)` is true (B, T), to `to`; 1 place in `rare` of those."""

    rare, to = 500, AS_FREQUENT

    def here(self, said, ahead, idx):
        return torch.ones_like(said, dtype=torch.bool)

    def logits(self, idx):
        logits = super().logits(idx)
        if self.training:
            return logits
        scores, ahead = logits.log_softmax(-1), idx.roll(-1, 1)
        said = scores.gather(2, ahead[:, :, None])[:, :, 0]
        inside = torch.arange(MAX_SEQ_LEN) < MAX_SEQ_LEN - 1  # behind the last one nothing is seen
        where = self.here(said, ahead, idx) & inside & (said < self.to) & self.drawn(idx)
        raised = scores.scatter(2, ahead[:, :, None], torch.full_like(said, self.to)[:, :, None])
        return torch.where(where[:, :, None], raised, scores)

    def drawn(self, idx):
        """Return 1 place in `rare`, by tokens that come before it (B, T)."""
        mixed = (
            idx * 7919 + idx.roll(1, 1) * 104729 + idx.roll(2, 1) * 1299709 + torch.arange(MAX_SEQ_LEN) * 31
        )
        return mixed % self.rare == 0
