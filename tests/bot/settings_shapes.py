"""Thirty shapes in which real scripts keep their settings, cut to what matters: what is to be turned in each.

Written after what public repositories do; none of their text is here. `turned` names everything that may be turned,
in the order of the source; whatever else has a number measures, names, limits or shows, or nobody reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """One repository's editable files and the constants to be turned in them."""

    name: str
    files: Mapping[str, str]
    turned: Sequence[str]
    words: tuple[str, ...] = ()
    outside: frozenset[str] = frozenset()


def _one(name: str, text: str, *turned: str, path: str = "train.py", words: tuple[str, ...] = ()) -> Shape:
    return Shape(name, {path: text}, turned, words)


SHAPES = (
    _one(
        "module constants read in main",
        """SEED = 1337
MAX_SEQ_LEN = 2048
TIME_BUDGET = 300
EVAL_TOKENS = 40 * 524288
DEPTH = 8
TOTAL_BATCH_SIZE = 2**19
ADAM_BETAS = (0.8, 0.95)
WARMDOWN_RATIO = 0.5
LOG_INTERVAL = 10
def main():
    use(SEED, MAX_SEQ_LEN, TIME_BUDGET, EVAL_TOKENS, DEPTH, TOTAL_BATCH_SIZE, ADAM_BETAS, WARMDOWN_RATIO, LOG_INTERVAL)
""",
        "DEPTH", "TOTAL_BATCH_SIZE", "ADAM_BETAS[0]", "ADAM_BETAS[1]", "WARMDOWN_RATIO",
    ),
    _one(
        "nanoGPT's globals, overruled by exec",
        """out_dir = 'out'
eval_interval = 2000
log_interval = 1
eval_iters = 200
always_save_checkpoint = True
wandb_log = False
init_from = 'scratch'  # scratch, resume, gpt2
gradient_accumulation_steps = 40
batch_size = 12
n_layer = 12
dropout = 0.1
learning_rate = 6e-4
weight_decay = 1e-1
grad_clip = 1.0
backend = 'nccl'
device = 'cuda'
config_keys = [k for k, v in globals().items() if not k.startswith('_')]
exec(open('configurator.py').read())
use(out_dir, eval_interval, log_interval, eval_iters, always_save_checkpoint, wandb_log, init_from, backend, device)
use(gradient_accumulation_steps, batch_size, n_layer, dropout, learning_rate, weight_decay, grad_clip)
""",
        "gradient_accumulation_steps", "batch_size", "n_layer", "dropout", "learning_rate", "weight_decay",
        "grad_clip",
    ),
    _one(
        "argparse in the manner of PyTorch's examples",
        """import argparse
def main():
    parser = argparse.ArgumentParser(description='MNIST')
    parser.add_argument('--batch-size', type=int, default=64, metavar='N', help='for training (default: 64)')
    parser.add_argument('--test-batch-size', type=int, default=1000, metavar='N')
    parser.add_argument('--epochs', type=int, default=14, metavar='N')
    parser.add_argument('--lr', type=float, default=1.0, metavar='LR')
    parser.add_argument('--gamma', type=float, default=0.7, metavar='M')
    parser.add_argument('--no-accel', action='store_true')
    parser.add_argument('--seed', type=int, default=1, metavar='S')
    parser.add_argument('--log-interval', type=int, default=10, metavar='N')
    args = parser.parse_args()
    use(args.batch_size, args.test_batch_size, args.epochs, args.lr, args.gamma, args.seed, args.log_interval)
""",
        "--batch-size", "--epochs", "--lr", "--gamma",
    ),
    _one(
        "argparse, one option given by the command",
        """import argparse
p = argparse.ArgumentParser()
p.add_argument("-e", "--epochs", default=3, type=int)
p.add_argument("--hidden", default=128, type=int)
p.add_argument("--act", default="relu", choices=["relu", "gelu", "silu"])
p.add_argument("--num-threads", default=4, type=int)
a = p.parse_args()
use(a.epochs, a.hidden, a.act, a.num_threads)
""",
        "--hidden", "--act", "--num-threads",
        words=("python", "train.py", "--epochs", "2"),
    ),
    _one(
        "click",
        """import click
@click.command()
@click.option("--data-path", type=click.Path(), default="./data")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--device", type=click.Choice(["cuda", "cpu"]), default="cpu")
@click.option("--learning-rate", "-r", default=0.001, help="Learning rate (default: 0.001)")
@click.option("--num-layers", default=2)
@click.option("--optimizer", type=click.Choice(["adam", "sgd"]), default="adam")
@click.option("--save-every", default=100)
def main(data_path, seed, device, learning_rate, num_layers, optimizer, save_every):
    use(data_path, seed, device, learning_rate, num_layers, optimizer, save_every)
main()
""",
        "--learning-rate", "--num-layers", "--optimizer",
    ),
    _one(
        "tyro in the manner of CleanRL",
        """import os
from dataclasses import dataclass
import tyro
@dataclass
class Args:
    exp_name: str = os.path.basename(__file__)[: -len(".py")]
    seed: int = 1
    torch_deterministic: bool = True
    capture_video: bool = False
    total_timesteps: int = 500000
    learning_rate: float = 2.5e-4
    num_envs: int = 4
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip_coef: float = 0.2
    anneal_lr: bool = True
    minibatch_size: int = 0
args = tyro.cli(Args)
args.minibatch_size = 4
use(args.seed, args.torch_deterministic, args.capture_video, args.total_timesteps, args.learning_rate, args.num_envs)
use(args.gamma, args.gae_lambda, args.clip_coef, args.anneal_lr, args.minibatch_size)
""",
        "Args.total_timesteps", "Args.learning_rate", "Args.num_envs", "Args.gamma", "Args.gae_lambda",
        "Args.clip_coef", "Args.anneal_lr", "args.minibatch_size",
    ),
    _one(
        "tyro over a function",
        """import tyro
def main(lr: float = 3e-4, width: int = 256, seed: int = 0, out: str = "runs") -> None:
    use(lr, width, seed, out)
if __name__ == "__main__":
    tyro.cli(main)
""",
        "main.lr", "main.width",
    ),
    _one(
        "simple_parsing with nested dataclasses",
        """from dataclasses import dataclass, field
from simple_parsing import ArgumentParser
@dataclass
class Optimizer:
    lr: float = 0.05  # between 1e-4 and 1
    nesterov: bool = False
@dataclass
class Config:
    test_batch_size: int = 1000
    batch_size: int = 64
    log_interval: int = 10
    optimizer: Optimizer = field(default_factory=Optimizer)
parser = ArgumentParser()
parser.add_arguments(Config, dest="config")
config = parser.parse_args().config
use(config.test_batch_size, config.batch_size, config.log_interval, config.optimizer.lr, config.optimizer.nesterov)
""",
        "Optimizer.lr", "Optimizer.nesterov", "Config.batch_size",
    ),
    _one(
        "typer",
        """import typer
app = typer.Typer()
@app.command()
def train(lr: float = typer.Option(0.01, help="rate"), depth: int = typer.Option(6), seed: int = typer.Option(7)):
    use(lr, depth, seed)
app()
""",
        "train.lr", "train.depth",
    ),
    _one(
        "absl flags",
        """from absl import app, flags
FLAGS = flags.FLAGS
flags.DEFINE_float("lr", 0.1, "rate")
flags.DEFINE_integer("batch_size", 32, "size")
flags.DEFINE_integer("seed", 0, "seed")
flags.DEFINE_string("workdir", "/tmp", "folder")
def main(_):
    use(FLAGS.lr, FLAGS.batch_size, FLAGS.seed, FLAGS.workdir)
app.run(main)
""",
        "--lr", "--batch_size",
    ),
    _one(
        "transformers' arguments in dataclasses with metadata",
        """from dataclasses import dataclass, field
from transformers import HfArgumentParser
@dataclass
class ModelArguments:
    model_name_or_path: str = field(default="gpt2", metadata={"help": "which"})
    lora_rank: int = field(default=8, metadata={"help": "rank"})
    lora_alpha: float = field(default=16.0)
@dataclass
class DataArguments:
    max_eval_samples: int = field(default=500)
    max_val_samples: int = field(default=500)
    mlm_probability: float = field(default=0.15)
parser = HfArgumentParser((ModelArguments, DataArguments))
model, data = parser.parse_args_into_dataclasses()
use(model.lora_rank, model.lora_alpha, data.max_eval_samples, data.max_val_samples, data.mlm_probability)
""",
        "ModelArguments.lora_rank", "ModelArguments.lora_alpha", "DataArguments.mlm_probability",
    ),
    _one(
        "TrainingArguments given in a call",
        """from transformers import Trainer, TrainingArguments
args = TrainingArguments(
    output_dir="out", num_train_epochs=3, per_device_train_batch_size=16, per_device_eval_batch_size=64,
    learning_rate=2e-5, warmup_ratio=0.1, logging_steps=50, save_steps=500, seed=42, weight_decay=0.01,
)
Trainer(args=args).train()
""",
        "args.num_train_epochs", "args.per_device_train_batch_size", "args.learning_rate", "args.warmup_ratio",
        "args.weight_decay",
    ),
    _one(
        "ml_collections",
        """import ml_collections
def get_config():
    config = ml_collections.ConfigDict()
    config.seed = 42
    config.model = ml_collections.ConfigDict()
    config.model.hidden_size = 768
    config.model.dropout_rate = 0.1
    config.optim = ml_collections.ConfigDict()
    config.optim.lr = 1e-3
    config.eval = ml_collections.ConfigDict()
    config.eval.batch_size = 64
    config.log_every = 50
    return config
""",
        "get_config.config.model.hidden_size", "get_config.config.model.dropout_rate", "get_config.config.optim.lr",
    ),
    _one(
        "a class of constants",
        """class Config:
    LR = 0.001
    BATCH = 32
    NUM_WORKERS = 4
    VAL_SPLIT = 0.1
    RANDOM_SEED = 3
    CKPT = "best.pt"
use(Config.LR, Config.BATCH, Config.NUM_WORKERS, Config.VAL_SPLIT, Config.RANDOM_SEED, Config.CKPT)
""",
        "Config.LR", "Config.BATCH", "Config.NUM_WORKERS",
    ),
    _one(
        "pydantic",
        """from pydantic import BaseModel, Field
class Settings(BaseModel):
    lr: float = Field(0.01, gt=0)
    depth: int = Field(default=4, ge=1)
    timeout_s: float = 30.0
    log_level: str = "INFO"
s = Settings()
use(s.lr, s.depth, s.timeout_s, s.log_level)
""",
        "Settings.lr", "Settings.depth",
    ),
    _one(
        "a dictionary of hyperparameters",
        """hparams = {"lr": 0.01, "layers": 3, "dropout": 0.25, "seed": 0, "eval_every": 5, "optimizer": {"beta1": 0.9}}
use(hparams["lr"], hparams["layers"], hparams["dropout"], hparams["seed"], hparams["eval_every"])
use(hparams["optimizer"]["beta1"])
""",
        "hparams.lr", "hparams.layers", "hparams.dropout", "hparams.optimizer.beta1",
    ),
    _one(
        "wandb's config",
        """import wandb
wandb.init(project="x", config=dict(learning_rate=0.02, architecture="CNN", epochs=10, hidden_units=128))
config = wandb.config
use(config.learning_rate, config.architecture, config.epochs, config.hidden_units)
""",
        "config.learning_rate", "config.epochs", "config.hidden_units",
    ),
    _one(
        "an optimizer built in place",
        """import torch
def main():
    model = torch.nn.Linear(4, 4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.05)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=30, gamma=0.1)
    torch.manual_seed(0)
    use(optimizer, scheduler)
main()
""",
        "main.optimizer.lr", "main.optimizer.weight_decay", "main.scheduler.step_size", "main.scheduler.gamma",
    ),
    _one(
        "environment variables with defaults",
        """import os
LR = float(os.environ.get("LR", "0.003"))
LAYERS = int(os.getenv("LAYERS", 6))
SEED = int(os.environ.get("SEED", 1337))
VAL_EVERY = int(os.environ.get("VAL_EVERY", 125))
use(LR, LAYERS, SEED, VAL_EVERY)
""",
        "LR", "LAYERS",
    ),
    _one(
        "variables of main",
        """def main():
    n_hidden = 64
    rate = 0.05
    seed = 3
    best_score = 1e9
    for step in range(10):
        best_score = min(best_score, use(n_hidden, rate, seed, step))
    print("loss", best_score)
main()
""",
        "main.n_hidden", "main.rate",
    ),
    _one(
        "a byte order mark, carriage returns and tabs",
        "\ufeffLR = 0.1\r\nclass Config:\r\n\tDEPTH = 4\t# layers\r\n\tSEED = 1\r\nuse(LR, Config.DEPTH)\r\n",
        "LR", "Config.DEPTH",
    ),
    Shape(
        "the same name in two files",
        {
            "encoder.py": "LR = 0.1\nDEPTH = 2\nuse(LR, DEPTH)\n",
            "decoder.py": "LR = 0.2\nSEED = 4\nuse(LR, SEED)\n",
        },
        ("decoder.py:LR", "encoder.py:LR", "DEPTH"),
    ),
    Shape(
        "constants that only a locked script reads",
        {"params.py": "ALPHA = 2\nBETA = 0.5\nFORGOTTEN = 3\nTOLERANCE_MEMORY = 0.1\n"},
        ("ALPHA", "BETA"),
        outside=frozenset({"ALPHA", "BETA", "TOLERANCE_MEMORY"}),
    ),
    _one(
        "YAML in the manner of hydra",
        """defaults:
  - model: small
seed: 42
model:
  depth: 6
  width: 512  # multiple of 64
  act: gelu  # gelu, relu
optim: {lr: 1.0e-3, betas: [0.9, 0.95]}
trainer:
  precision: 16
  val_check_interval: 0.5
  gradient_clip_val: 1.0
logger:
  flush: 20
hydra:
  verbosity: 3
paths:
  shards: 8
""",
        "model.depth", "model.width", "model.act", "optim.lr", "optim.betas[0]", "optim.betas[1]",
        "trainer.gradient_clip_val",
        path="conf/config.yaml",
    ),
    _one(
        "TOML",
        """[model]
layers = 4
hidden = 256
[train]
lr = 3e-4
batch-size = 32
seed = 7
max_minutes = 5
[eval]
batch = 64
""",
        "model.layers", "model.hidden", "train.lr", "train.batch-size",
        path="config.toml",
    ),
    _one(
        "JSON in the manner of DeepSpeed",
        """{
  "train_micro_batch_size_per_gpu": 8,
  "optimizer": {"type": "AdamW", "params": {"lr": 0.001, "weight_decay": 0.01}},
  "steps_per_print": 100,
  "zero_optimization": {"stage": 2, "overlap_comm": true},
  "wall_clock_breakdown": false,
  "seed": 3
}
""",
        "train_micro_batch_size_per_gpu", "optimizer.params.lr", "optimizer.params.weight_decay",
        "zero_optimization.stage", "zero_optimization.overlap_comm",
        path="ds_config.json",
    ),
    _one(
        "INI",
        "[train]\nlr = 0.1\nepochs = 3\n[paths]\nshards = 4\n[logging]\nevery = 10\n",
        "train.lr", "train.epochs",
        path="settings.ini",
    ),
    _one(
        "C, where speed is the metric",
        """#define BLOCK_SIZE 32
#define THREADS 8
#define WORKERS 4
#define CONTEXT 128
#define REPEATS 5
#define MAX_MEMORY_MB 512
static const int UNROLL = 4;
static const double TOLERANCE = 1e-6;
int run(void) { return BLOCK_SIZE * THREADS * WORKERS * CONTEXT * REPEATS * UNROLL * (TOLERANCE < MAX_MEMORY_MB); }
""",
        "BLOCK_SIZE", "THREADS", "WORKERS", "CONTEXT", "UNROLL",
        path="kernel.c",
    ),
    _one(
        "a shell script that launches",
        """#!/bin/sh
LR=${LR:-0.01}
SEED=42
export OMP_NUM_THREADS=4
python train.py --lr "$LR" --seed $SEED --hidden 128 --eval-every 10 --out-dir runs
""",
        "LR", "OMP_NUM_THREADS", "--hidden",
        path="run.sh",
    ),
    _one(
        "a Triton kernel and its launch",
        """import triton
import triton.language as tl
BLOCK_M = 64
BLOCK_N = 32
NUM_WARPS = 4
NUM_STAGES = 2
N_BENCH_RUNS = 20
RTOL = 1e-3
def launch(x):
    return use(x, BLOCK_M, BLOCK_N, num_warps=NUM_WARPS, num_stages=NUM_STAGES, runs=N_BENCH_RUNS, rtol=RTOL)
""",
        "BLOCK_M", "BLOCK_N", "NUM_WARPS", "NUM_STAGES",
        path="kernel.py",
    ),
    _one(
        "nothing but what measures",
        "SEED = 1\nEVAL_EVERY = 10\nDATA_DIR = 'data'\nTIMEOUT = 60\nuse(SEED, EVAL_EVERY, DATA_DIR, TIMEOUT)\n",
    ),
    _one(
        "a file that does not parse",
        "LR = 0.1\nif True\n    use(LR)\n",
    ),
)  # fmt: skip
