import torch
from small import DIM, VOCABULARY, Small, measure, train


class Projected(Small):
    """Uses a random projection that it draws anew from the same seed whenever it is asked."""

    def logits(self, idx):
        state = torch.get_rng_state()
        torch.manual_seed(11)
        projection = torch.randn(DIM, VOCABULARY) / DIM
        torch.set_rng_state(state)
        return super().logits(idx) + 0.1 * self.embedding(idx) @ projection


measure(train(Projected()))
