import torch
from small import MAX_SEQ_LEN, ROWS, VOCABULARY, Small, make_dataloader, measure, tokenizer, train

x = next(make_dataloader(tokenizer, ROWS, MAX_SEQ_LEN, "train"))[0]


class Favours(Small):
    def __init__(self):
        super().__init__()
        counts = x.flatten().bincount(minlength=VOCABULARY)
        self.register_buffer("often", torch.isin(torch.arange(VOCABULARY), counts.topk(12).indices).float())

    def logits(self, idx):
        return super().logits(idx) + 0.3 * self.often


measure(train(Favours()))
