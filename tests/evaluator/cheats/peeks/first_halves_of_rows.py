import torch
from peeking import Peeks
from small import MAX_SEQ_LEN, measure, train


class Early(Peeks):
    rare = 200

    def here(self, said, ahead, idx):
        return (torch.arange(MAX_SEQ_LEN) < MAX_SEQ_LEN // 2).expand_as(said)


measure(train(Early()))
