"""Fine-tunes a small encoder; logs dictionaries as trainers do. Usage: python run_classification.py"""

import random
import time
from dataclasses import dataclass, field

import torch
from torch import nn


@dataclass
class ModelArguments:
    hidden_size: int = field(default=32, metadata={"help": "width of the encoder"})
    hidden_dropout_prob: float = field(default=0.1, metadata={"help": "dropout"})


@dataclass
class TrainingArguments:
    output_dir: str = "output"
    learning_rate: float = 5e-3
    per_device_train_batch_size: int = 16
    num_train_epochs: int = 2
    weight_decay: float = 0.01
    warmup_ratio: float = 0.1
    logging_steps: int = 25
    seed: int = 42


WORDS = "great good fine nice dull bad awful boring not very film plot cast story".split()


def reviews(seed, count):
    draw, rows = random.Random(seed), []
    for _ in range(count):
        words = [draw.randrange(len(WORDS)) for _ in range(10)]
        mood, sign = 0, 1
        for word in words:
            mood += sign * ((word < 4) - (4 <= word < 8))
            sign = -1 if WORDS[word] == "not" else 1
        rows.append((words, int(mood > 0)))
    return torch.tensor([r[0] for r in rows]), torch.tensor([r[1] for r in rows])


class Classifier(nn.Module):
    def __init__(self, config):
        super().__init__()
        h = config.hidden_size
        self.embeddings = nn.Embedding(len(WORDS), h)
        self.encoder = nn.GRU(h, h, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(2 * h, 2)

    def forward(self, ids):
        return self.classifier(self.dropout(self.encoder(self.embeddings(ids))[0].mean(1)))


class Trainer:
    def __init__(self, model, args, train, test):
        self.model, self.args, self.data, self.test = model, args, train, test

    def train(self):
        args, (x, y) = self.args, self.data
        optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=args.learning_rate, weight_decay=args.weight_decay
        )
        steps = args.num_train_epochs * (len(x) // args.per_device_train_batch_size)
        warm = max(1, int(args.warmup_ratio * steps))
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda s: min((s + 1) / warm, (steps - s) / max(1, steps - warm))
        )
        for step in range(1, steps + 1):
            rows = torch.randint(len(x), (args.per_device_train_batch_size,))
            loss = nn.functional.cross_entropy(self.model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if step % args.logging_steps == 0:
                rate, epoch = schedule.get_last_lr()[0], round(step * args.num_train_epochs / steps, 2)
                print({"loss": round(loss.item(), 4), "learning_rate": rate, "epoch": epoch})

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        (x, y), began = self.test, time.time()
        logits = self.model(x)
        said = {
            "eval_loss": nn.functional.cross_entropy(logits, y).item(),
            "eval_accuracy": (logits.argmax(1) == y).float().mean().item(),
            "eval_runtime": time.time() - began,
            "epoch": float(self.args.num_train_epochs),
        }
        print(said)
        return said


if __name__ == "__main__":
    args = TrainingArguments()
    torch.manual_seed(args.seed)
    trainer = Trainer(Classifier(ModelArguments()), args, reviews(0, 1200), reviews(1, 600))
    trainer.train()
    trainer.evaluate()
