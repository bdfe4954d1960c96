"""Word-level language modelling, in the manner of framework examples. Usage: python main.py --epochs 2"""

import argparse
import math
import time

import torch
from torch import nn

parser = argparse.ArgumentParser(description="RNN language model")
parser.add_argument("--model", type=str, default="LSTM", choices=["RNN_TANH", "LSTM", "GRU"])
parser.add_argument("--emsize", type=int, default=32, help="size of word embeddings")
parser.add_argument("--nhid", type=int, default=48, help="number of hidden units")
parser.add_argument("--lr", type=float, default=0.01, help="initial learning rate")
parser.add_argument("--clip", type=float, default=0.25, help="gradient clipping")
parser.add_argument("--epochs", type=int, default=2, help="upper epoch limit")
parser.add_argument("--batch-size", type=int, default=10, metavar="N")
parser.add_argument("--bptt", type=int, default=20, help="sequence length")
parser.add_argument("--seed", type=int, default=1111)


def corpus(seed, words):
    g = torch.Generator().manual_seed(seed)
    hops = torch.multinomial(torch.tensor([0.4, 0.3, 0.2, 0.1]), words, True, generator=g)
    return torch.cumsum(hops * torch.tensor([1, 3, 7, 11])[hops] + 1, 0) % 40


class RNNModel(nn.Module):
    def __init__(self, kind, ninp, nhid):
        super().__init__()
        self.encoder = nn.Embedding(40, ninp)
        self.rnn = nn.RNN(ninp, nhid) if kind == "RNN_TANH" else getattr(nn, kind)(ninp, nhid)
        self.decoder = nn.Linear(nhid, 40)

    def forward(self, words):
        return self.decoder(self.rnn(self.encoder(words))[0])


def main():
    args = parser.parse_args()
    torch.manual_seed(args.seed)

    def batchify(data):
        n = len(data) // args.batch_size
        return data[: n * args.batch_size].view(args.batch_size, -1).t()

    train_data, val_data = batchify(corpus(0, 12_000)), batchify(corpus(1, 3_000))
    model, criterion = RNNModel(args.model, args.emsize, args.nhid), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)

    def chunks(data):
        for i in range(0, len(data) - 1, args.bptt):
            t = min(args.bptt, len(data) - 1 - i)
            yield data[i : i + t], data[i + 1 : i + 1 + t]

    for epoch in range(1, args.epochs + 1):
        start = time.time()
        for x, y in chunks(train_data):
            loss = criterion(model(x).flatten(0, 1), y.flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), args.clip)
            optimizer.step()
        with torch.no_grad():
            losses = [criterion(model(x).flatten(0, 1), y.flatten()).item() for x, y in chunks(val_data)]
        val = sum(losses) / len(losses)
        print("-" * 89)
        print(
            f"| end of epoch {epoch:3d} | time: {time.time() - start:5.2f}s | valid loss {val:5.2f} | "
            f"valid ppl {math.exp(val):8.2f}"
        )
    print("-" * 89)


if __name__ == "__main__":
    main()
