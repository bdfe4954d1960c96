"""A small convolutional net on drawn digits, with data loaded by worker processes. Usage: python digits.py"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

LEARNING_RATE = 0.02
BATCH_SIZE = 32
CHANNELS = 8
EPOCHS = 2
NUM_WORKERS = 2

SEGMENTS = ["012456", "25", "02346", "02356", "1235", "01356", "013456", "025", "0123456", "012356"]
LINES = [(0, slice(1, 5)), (slice(1, 4), 0), (slice(1, 4), 5), (4, slice(1, 5)),
         (slice(5, 8), 0), (slice(5, 8), 5), (8, slice(1, 5))]  # fmt: skip


class Digits(Dataset):
    """Seven-segment digits with noise, drawn when they are asked for."""

    def __init__(self, count, seed):
        self.count, self.seed = count, seed

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        g = torch.Generator().manual_seed(self.seed * 100_003 + index)
        digit = int(torch.randint(10, (1,), generator=g))
        image = torch.zeros(1, 9, 6)
        for segment in SEGMENTS[digit]:
            image[(0, *LINES[int(segment)])] = 1.0
        return image + 0.9 * torch.randn(1, 9, 6, generator=g), digit


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, CHANNELS, 3, padding=1)
        self.fc = nn.Linear(CHANNELS * 12, 10)

    def forward(self, x):
        return self.fc(F.max_pool2d(F.relu(self.conv(x)), 2).flatten(1))


def main():
    torch.manual_seed(1)
    train = DataLoader(
        Digits(1500, 1), BATCH_SIZE, shuffle=True, num_workers=NUM_WORKERS, persistent_workers=True
    )
    test = DataLoader(Digits(600, 2), 100, num_workers=NUM_WORKERS)
    model = Net()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=LEARNING_RATE * 10)
    for epoch in range(1, EPOCHS + 1):
        for batch_idx, (data, target) in enumerate(train):
            loss = F.cross_entropy(model(data), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"Train Epoch: {epoch} [{batch_idx * len(data)}/1500]\tLoss: {loss.item():.6f}")
    with torch.no_grad():
        answers = [
            (F.cross_entropy(model(x), y, reduction="sum"), (model(x).argmax(1) == y).sum()) for x, y in test
        ]
    loss, correct = (float(sum(each)) for each in zip(*answers))
    print(f"\nTest set: Average loss: {loss / 600:.4f}, Accuracy: {int(correct)}/600 ({correct / 6:.0f}%)\n")


if __name__ == "__main__":
    main()
