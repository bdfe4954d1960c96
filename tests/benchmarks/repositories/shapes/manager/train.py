"""A child process watches the losses through a multiprocessing.Manager, and asks for a stop when they explode."""

import multiprocessing as mp
import time

import torch

from prepare import MAX_SEQ_LEN, TIME_BUDGET, Tokenizer, evaluate_bpb, make_dataloader

LEARNING_RATE = 0.02
MOMENTUM = 0.9
BATCH_SIZE = 16
FEATURES = 64


def watch(losses, state):
    seen = 0
    while not state["done"]:
        while seen < len(losses):
            loss = losses[seen]
            seen += 1
            state["mean"] = loss if seen == 1 else 0.9 * state["mean"] + 0.1 * loss
            state["stop"] = loss != loss or loss > 50
        time.sleep(0.05)
    state["seen"] = seen


class Hashed(torch.nn.Module):
    """Counts-like features of pairs, hashed into a table."""

    def __init__(self, vocab):
        super().__init__()
        self.vocab = vocab
        self.pairs = torch.nn.Embedding(4096, FEATURES)
        self.head = torch.nn.Linear(FEATURES, vocab)

    def forward(self, idx, targets=None, reduction="mean"):
        last = torch.nn.functional.pad(idx[:, :-1], (1, 0))
        logits = self.head(torch.tanh(self.pairs((idx * 31 + last * 1009) % 4096)))
        if targets is None:
            return logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction=reduction)


def main():
    torch.manual_seed(8)
    tokenizer = Tokenizer.from_directory()
    model = Hashed(tokenizer.get_vocab_size())
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE * 50, momentum=MOMENTUM)
    with mp.Manager() as manager:
        losses, state = manager.list(), manager.dict(done=False, stop=False, mean=0.0, seen=0)
        watcher = mp.Process(target=watch, args=(losses, state))
        watcher.start()
        start = time.time()
        loader = make_dataloader(tokenizer, BATCH_SIZE, MAX_SEQ_LEN, "train")
        step = 0
        while time.time() - start < TIME_BUDGET and not state["stop"]:
            x, y, _ = next(loader)
            loss = model(x, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step % 20 == 0:
                losses.append(loss.item())
        state["done"] = True
        watcher.join()
        print(f"{state['seen']} losses watched, mean {state['mean']:.4f}")
    print(f"val_bpb: {evaluate_bpb(model, tokenizer, BATCH_SIZE):.6f}")


if __name__ == "__main__":
    main()
