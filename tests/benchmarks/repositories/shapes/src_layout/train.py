import time

import torch
from prepare import MAX_SEQ_LEN, TIME_BUDGET, Tokenizer, evaluate_bpb, make_dataloader
from tinylm.modules import Layer

LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.01
BATCH_SIZE = 8
DIM = 64
DEPTH = 2
GRAD_CLIP = 1.0


class LM(torch.nn.Module):
    def __init__(self, vocab):
        super().__init__()
        self.embed = torch.nn.Embedding(vocab, DIM)
        self.position = torch.nn.Embedding(MAX_SEQ_LEN, DIM)
        self.layers = torch.nn.Sequential(*(Layer(DIM, 4) for _ in range(DEPTH)))
        self.head = torch.nn.Linear(DIM, vocab)

    def forward(self, idx, targets=None, reduction="mean"):
        x = self.embed(idx) + self.position(torch.arange(idx.shape[1]))
        logits = self.head(self.layers(x))
        if targets is None:
            return logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction=reduction)


def train():
    torch.manual_seed(0)
    tokenizer = Tokenizer.from_directory()
    model = LM(tokenizer.get_vocab_size())
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    until, step = None, 0
    for x, y, _epoch in make_dataloader(tokenizer, BATCH_SIZE, MAX_SEQ_LEN, "train"):
        until = until or time.monotonic() + TIME_BUDGET
        loss = model(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), GRAD_CLIP)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        if step % 50 == 0:
            print(f"[{step}] loss={loss.item():.4f}")
        if time.monotonic() > until:
            return model.eval(), tokenizer


if __name__ == "__main__":
    print("val_bpb:", evaluate_bpb(*train(), BATCH_SIZE))
