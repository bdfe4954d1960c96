"""What holds on this machine's GPU: jail, starter, compiled bfloat16, accumulation, audit, logits, clock.

    make check-gpu
    python tests/gpu/check_gpu.py [--only NAME ...] [--seconds 440] [--verbose]

It runs under any Python with torch, numpy and cloudpickle, needs no network, no pytest and no installation, and
starts runs as the product does: `nocturne-evaluator score` of this checkout, on small repositories that it writes
into a temporary folder. One line for each check: `ok`, `FAIL` or `not tried`, and why. Ends with 0 if nothing
failed, 1 if something did, and 2 if this Python lacks what it needs. Without a GPU it says so, and runs on the
CPU what makes sense there.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
GIB = 2**30

# ---------------------------------------------------------------------------------------------------------
# The repositories: autoresearch's contract at small size, with its habits


@dataclass(frozen=True)
class Size:
    """How large the task is: enough for a GPU to notice, little enough for a CPU."""

    vocabulary: int
    length: int
    batch: int
    width: int


ON_A_GPU = Size(vocabulary=8192, length=512, batch=32, width=256)
ON_A_CPU = Size(vocabulary=512, length=64, batch=4, width=32)

_PREPARE = '''\
"""Rows in which each token mostly follows from the one before. Buffers lie on the GPU, as autoresearch has them."""

import math

import torch

MAX_SEQ_LEN = {length}
TIME_BUDGET = {budget}
EVAL_TOKENS = {length} * 64
VOCAB = {vocabulary}
ON_GPU = torch.cuda.is_available()


class Tokenizer:
    @classmethod
    def from_directory(cls, *_):
        return cls()

    def get_vocab_size(self):
        return VOCAB

    def get_bos_token_id(self):
        return 0

    def decode(self, ids):
        return " ".join("t%d" % i for i in ids)


def get_token_bytes(device="cpu"):
    return torch.full((VOCAB,), 2, dtype=torch.int32, device=device)


def make_dataloader(tokenizer, B, T, split):
    generator = torch.Generator().manual_seed({{"train": 1, "val": 2}}[split])
    host = torch.empty((B, T + 1), dtype=torch.long, pin_memory=ON_GPU)
    device = torch.empty((B, T + 1), dtype=torch.long, device="cuda" if ON_GPU else "cpu")
    while True:
        steps = torch.multinomial(torch.tensor([0.6, 0.3, 0.1]), B * (T + 1), True, generator=generator)
        start = torch.randint(VOCAB, (B, 1), generator=generator)
        host.copy_((start + torch.cumsum(1 + steps.view(B, T + 1) * 7, 1)) % VOCAB)
        device.copy_(host, non_blocking=True)
        yield device[:, :-1], device[:, 1:], 1


@torch.no_grad()
def evaluate_bpb(model, tokenizer, batch_size):
    loader, nats, count = make_dataloader(tokenizer, batch_size, MAX_SEQ_LEN, "val"), 0.0, 0
    for _ in range(EVAL_TOKENS // (batch_size * MAX_SEQ_LEN)):
        x, y, _ = next(loader)
        nats += model(x, y, reduction="none").float().sum().item()
        count += 2 * y.numel()
    return nats / math.log(2) / count
'''

_MODEL = """\
import contextlib, gc, time
import torch
import torch.nn.functional as F
from torch import nn
from prepare import MAX_SEQ_LEN, TIME_BUDGET, Tokenizer, evaluate_bpb, make_dataloader

LEARNING_RATE = 0.003
BATCH_SIZE = {batch}
WIDTH = {width}
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.manual_seed(42)
torch.set_float32_matmul_precision("high")
autocast = torch.autocast(device.type, dtype=torch.bfloat16)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(F.rms_norm(x, (C,))).view(B, T, 3, 4, C // 4).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(B, T, C))
        return x + self.mlp(F.rms_norm(x, (C,)))


class GPT(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, WIDTH).to(torch.bfloat16)
        self.block = Block()
        self.head = nn.Linear(WIDTH, vocabulary, bias=False)

    def forward(self, idx, targets=None, reduction="mean"):
        x = self.embed(idx).float()
        logits = self.head(F.rms_norm({middle}, (WIDTH,))).float()
        if targets is None:
            return logits
        return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.reshape(-1), reduction=reduction)


tokenizer = Tokenizer.from_directory()
model = GPT(tokenizer.get_vocab_size()).to(device)
optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, fused=device.type == "cuda")
loader = make_dataloader(tokenizer, BATCH_SIZE, MAX_SEQ_LEN, "train")
"""

_COMPILED = "model = torch.compile(model, dynamic=False)\n"

_LOOP = """\
ACCUMULATE = {accumulate}
x, y, epoch = next(loader)
step, total = 0, 0.0
while True:
    if device.type == "cuda":
        torch.cuda.synchronize()
    t0 = time.time()
    for micro in range(ACCUMULATE):
        with autocast:
            loss = model(x, y) / ACCUMULATE
        loss.backward()
        x, y, epoch = next(loader)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    loss.item()
    time.sleep({slow} if step < 5 else 0.0)
    if step == 0:
        gc.collect(); gc.freeze(); gc.disable()
    if step > 10:  # as autoresearch counts
        total += time.time() - t0
    print(f"step {{step:05d}} | loss: {{loss.item() * ACCUMULATE:.4f}} | dt: {{time.time() - t0:.3f}}", flush=True)
    step += 1
    if step > 10 and total >= TIME_BUDGET:
        break
model.eval()
with autocast:
    print(f"val_bpb: {{evaluate_bpb(model, tokenizer, BATCH_SIZE):.6f}}")
"""

_TRITON = """\
import triton
import triton.language as tl


@triton.jit
def _double(x, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + at, 2.0 * tl.load(x + at, mask=at < n), mask=at < n)


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        _double[(triton.cdiv(x.numel(), 1024),)](x, out, x.numel(), BLOCK=1024)
        return out

    @staticmethod
    def backward(ctx, grad):
        return 2.0 * grad


"""

_DISTRIBUTED = """\
import torch.distributed as dist
dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
bare, model = model, nn.parallel.DistributedDataParallel(model)
assert dist.get_world_size() == 1
"""

_LOOK = """\
import socket
import torch

gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
product = 0.0
if gpus:
    a = torch.randn(2048, 2048, device="cuda")
    product = float((a @ a.T).diagonal().sqrt().mean())
try:
    socket.create_connection(("192.0.2.1", 80), timeout=2).close()
    network = 1
except OSError as error:
    network = 0 if error.errno in (101, 1, 13) else 0.5
print(f"METRIC gpus={gpus}")
print(f"METRIC product={product}")
print(f"METRIC network={network}")
"""


# ---------------------------------------------------------------------------------------------------------
# Runs of the evaluator


class Failed(Exception):
    """A check that does not hold; the message says what was seen."""


class NotTried(Exception):
    """A check that can't be made here; the message says why."""


@dataclass
class Machine:
    """This machine and what is known of it. `until` is when everything ends, `most` the seconds of any one run."""

    gpu: str
    vram_gib: float
    folder: Path
    until: float
    most: float
    verbose: bool
    borrowed: Path | None = None
    known: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> Size:
        return ON_A_GPU if self.gpu else ON_A_CPU

    def repository(self, name: str, train: str, *, budget: float = 4.0) -> Path:
        """Write a repository with this train.py and return it."""
        repo = self.folder / name
        repo.mkdir(exist_ok=True)
        size = self.size
        text = _PREPARE.format(length=size.length, vocabulary=size.vocabulary, budget=budget)
        (repo / "prepare.py").write_text(text)
        (repo / "train.py").write_text(train)
        return repo

    def train(
        self, *, compiled: bool = False, accumulate: int = 1, slow: float = 0.0, middle: str = "self.block(x)"
    ) -> str:
        """Return a train.py: its model, compiled or not, and autoresearch's way of counting time."""
        model = _MODEL.format(batch=self.size.batch, width=self.size.width, middle=middle)
        loop = _LOOP.format(accumulate=accumulate, slow=slow)
        return model + (_COMPILED if compiled else "") + loop

    def score(
        self, repo: Path, *words: str, settings: Mapping[str, Any] | None = None, least: bool = False
    ) -> dict[str, Any]:
        """Score `repo` as the bot does, and return the final event.

        Raises Failed if there is no score, NotTried if the time that is left is up or a setting is not known.
        """
        chosen = {"budget": {"kind": "wall"}, **(settings or {})}
        command = [
            sys.executable,
            "-s",
            "-m",
            "evaluator",
            "score",
            str(repo),
            "--json",
            "--settings",
            "-",
            *words,
        ]
        left = min(self.until - time.monotonic(), self.most)
        if left < 5:
            raise NotTried("out of time")
        code, out, err = _run(command, self._environment(), json.dumps(chosen), left, self.folder)
        if self.verbose:
            print(out + err, file=sys.stderr)
        if code is None:
            raise NotTried(f"it did not end in {left:.0f} s")
        lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        last = lines[-1] if lines else {}
        if code == 2:
            said = (err.strip().splitlines() or ["no message"])[-1]
            if "unknown key" in said or "unknown setting" in said or "unrecognized arguments" in said:
                raise NotTried(f"this checkout does not know it: {said[:160]}")
            raise Failed(said[:300])
        if last.get("event") != "score":
            raise Failed(f"{last.get('class', 'no event')}: {last.get('reason', err.strip()[-300:])}")
        return dict(last)

    def evaluator(self, *words: str, seconds: float = 60.0, told: str = "", lasting: bool = False) -> str:
        """Return what another of the evaluator's commands says on `told`; what is `lasting` uses the user's own cache.
        Raises Failed if it fails."""
        command = [sys.executable, "-s", "-m", "evaluator", *words]
        code, out, err = _run(command, self._environment(lasting=lasting), told, seconds, self.folder)
        if code is None:
            raise Failed(f"it did not end in {seconds:.0f} s")
        if code:
            raise Failed(((err.strip() or out.strip()).splitlines() or ["no message"])[-1][:300])
        return out.strip()

    def _environment(self, *, lasting: bool = False) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME")
        }
        path = [str(ROOT), *([str(self.borrowed)] if self.borrowed else [])]
        mine = {} if lasting else {"XDG_CACHE_HOME": str(self.folder / "cache")}
        return kept | {"PYTHONPATH": os.pathsep.join(path), "HF_HUB_OFFLINE": "1"} | mine


def _run(
    command: Sequence[str], env: Mapping[str, str], told: str, seconds: float, folder: Path
) -> tuple[int | None, str, str]:
    """Return exit code, standard output and standard error; the code is None if it had to be ended."""
    process = subprocess.Popen(
        command, env=dict(env), cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        out, err = process.communicate(told, timeout=seconds)
        return process.returncode, out, err
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)  # it ends its jails itself
        try:
            out, err = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
        return None, out, err


# ---------------------------------------------------------------------------------------------------------
# The checks


def jail(machine: Machine) -> str:
    """The jail shows the GPU, and no network."""
    name = machine.evaluator("jail")
    repo = machine.folder / "look"
    repo.mkdir()
    (repo / "look.py").write_text(_LOOK)
    settings = {
        "kind": "command",
        "command": [Path(sys.executable).name, "look.py"],
        "metric": {"name": "gpus", "direction": "maximize"},
    }
    said = machine.score(repo, settings=settings)["metrics"]
    if said["network"]:
        raise Failed(f"{name}: something outside can be reached from the jail")
    if not machine.gpu:
        return f"{name}: no network; there is no GPU to be seen"
    if said["gpus"] < 1 or not 40 < said["product"] < 50:  # rows of 2,048 normal numbers are about 45 long
        raise Failed(
            f"{name}: the jail sees {said['gpus']:.0f} GPUs, and a product on it gave {said['product']:.3g}"
        )
    return f"{name}: {said['gpus']:.0f} GPU seen and used, no network"


def compiled(machine: Machine) -> str:
    """A compiled model with bfloat16 autocast and embeddings is trained, rebuilt elsewhere and audited."""
    _require_compiler(machine)
    repo = machine.repository("compiled", machine.train(compiled=True))
    known = machine.score(repo)
    machine.known["compiled"] = known["audit"]
    return f"val_bpb {known['score']:.4f}, {_cost(known)}"


def audit(machine: Machine) -> str:
    """What the audit's copy of the compiled bfloat16 model said is what the trained one said."""
    found = machine.known.get("compiled")
    if found is None:
        raise NotTried("the compiled model got no score")
    if not found.get("probes"):
        raise Failed("the score says nothing of an audit")
    return (
        f"{found['probes']:.0f} positions asked again: gain at most {found['upper_bpb']:.6f} bpb,"
        f" answers {found['rms_nats']:.4f} nats apart"
    )


def accumulation(machine: Machine) -> str:
    """Micro-batches, slow first steps, and time that is counted from the eleventh optimizer step."""
    repo = machine.repository("accumulation", machine.train(accumulate=8, slow=0.5))
    known = machine.score(repo)
    steps = known["metrics"].get("num_steps", 0)
    return f"val_bpb {known['score']:.4f}, {steps:.0f} steps of 8 micro-batches, {_cost(known)}"


def reference(machine: Machine) -> str:
    """An unchanged reference is scored three times by its own measure, and never refused."""
    repo = machine.repository("accumulation", machine.train(accumulate=8, slow=0.5))
    file = machine.folder / "reference.json"
    first = machine.score(repo, "--reference", str(file))
    if not file.is_file():
        raise Failed(f"the first run left no {file.name}")
    again = [machine.score(repo, "--reference", str(file)) for _ in range(3)]
    spent = ", ".join(f"{each['metrics']['training_seconds']:.1f}" for each in (first, *again))
    return f"not refused in 3 of 3; training took {spent} s"


def peak(machine: Machine) -> str:
    """The run says how much GPU memory it took, and leaves none of it taken."""
    if not machine.gpu:
        raise NotTried("no GPU")
    ballast = "ballast = torch.zeros(512, 1024, 1024, device=device)  # 2 GiB\ndel ballast\n"
    before = _free_gib()
    repo = machine.repository(
        "peak", machine.train().replace("step, total = 0, 0.0", ballast + "step, total = 0, 0.0")
    )
    known = machine.score(repo)
    told = known["metrics"].get("peak_vram_mb", 0.0) / 1024
    until = time.monotonic() + 10
    while (lost := before - _free_gib()) > 0.25 and time.monotonic() < until:
        time.sleep(0.5)
    if not 2.0 <= told <= machine.vram_gib:
        raise Failed(f"2 GiB were taken at once, and peak_vram_mb says {told:.2f} GiB")
    if lost > 0.25:
        raise Failed(
            f"{lost:.2f} GiB of the GPU are still taken 10 s after the run (by others, if it is shared)"
        )
    return f"peak_vram_mb says {told:.2f} GiB with 2 GiB of ballast; all of it free again"


def logits(machine: Machine) -> str:
    """What it takes to bring logits from the GPU to the scorer: two evaluations, audits included, that differ by so
    much."""
    if not machine.gpu:
        raise NotTried("no GPU: on a CPU it is the model that takes the time")
    size = machine.size
    unit = max(16, round(GIB / 8 / (size.length * size.vocabulary * 4))) * size.length
    repo = machine.repository("logits", machine.train(), budget=2.0)
    took = []
    for times in (1, 16):
        settings = {"eval_tokens": unit * times, "evaluation_seconds": 300}
        took.append(machine.score(repo, settings=settings)["metrics"]["evaluation_seconds"])
    gib = unit * 15 * size.vocabulary * 4 / GIB
    whole = 20_971_520 * 8192 * 4 / GIB
    per_gib = max(0.0, took[1] - took[0]) / gib
    return (
        f"{per_gib:.2f} s per GiB ({gib:.2f} GiB more took {took[1] - took[0]:.1f} s; autoresearch's own"
        f" {whole:.0f} GiB would take {per_gib * whole / 60:.0f} minutes)"
    )


def reader(machine: Machine) -> str:
    """Logits that are read on the GPU give the score that copied ones give; if so, this machine reads them from now
    on."""
    if not machine.gpu:
        raise NotTried("no GPU")
    settings = json.dumps({"python": sys.executable})
    said = machine.evaluator("reader", "--settings", "-", seconds=120, told=settings, lasting=True)
    return said.splitlines()[-1]


def triton(machine: Machine) -> str:
    """A Triton kernel that is defined in the script goes with the model to the audit."""
    if not machine.gpu:
        raise NotTried("no GPU")
    if importlib.util.find_spec("triton") is None:
        raise NotTried("triton is not installed")
    text = machine.train(middle="Double.apply(self.block(x))")
    repo = machine.repository("triton", text.replace("class Block", _TRITON + "class Block", 1))
    known = machine.score(repo)
    return f"val_bpb {known['score']:.4f}, {_cost(known)}"


def torchrun(machine: Machine) -> str:
    """A script that torchrun starts: one process on one GPU, by NCCL (gloo on a CPU)."""
    text = machine.train().replace("loader = make", _DISTRIBUTED + "loader = make", 1)
    text = text.replace("evaluate_bpb(model,", "evaluate_bpb(bare,") + "dist.destroy_process_group()\n"
    repo = machine.repository("torchrun", text)
    launch = [Path(sys.executable).name, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=1"]
    known = machine.score(repo, settings={"launch": launch})
    return f"val_bpb {known['score']:.4f}, {_cost(known)}"


def starter(machine: Machine) -> str:
    """The bundled task."""
    repo = machine.folder / "starter"
    machine.evaluator("starter", str(repo))
    budget = {"kind": "wall", "amount": 10} if machine.gpu else {"kind": "cpu", "amount": 4}
    known = machine.score(repo, settings={"budget": budget, "threads": None if machine.gpu else 1})
    used = known["metrics"].get("peak_vram_mb", 0.0)
    if machine.gpu and not used:
        raise Failed("scored, but peak_vram_mb is 0: it was trained on the CPU")
    return f"val_bpb {known['score']:.4f}, {_cost(known)}" + (f", peak {used:.0f} MiB" if machine.gpu else "")


CHECKS: tuple[Callable[[Machine], str], ...] = (
    jail, compiled, audit, accumulation, reference, peak, logits, reader, triton, torchrun, starter,
)  # fmt: skip


def _cost(known: Mapping[str, Any]) -> str:
    metrics = known["metrics"]
    return f"{metrics['training_seconds']:.1f} s of training, {metrics['total_seconds']:.1f} s in all"


def _require_compiler(machine: Machine) -> None:
    if not machine.gpu and not (shutil.which("g++") or shutil.which("clang++")):
        raise NotTried("no C++ compiler, which torch.compile needs on a CPU")
    if machine.gpu and not (shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")):
        raise NotTried("no C compiler, which triton needs for its launcher")


def _free_gib() -> float:
    """Return the free memory of the GPU in GiB; asked in a process of its own, whose context is gone afterwards."""
    return float(_ask("free, _ = torch.cuda.mem_get_info(); print(free)")) / GIB


def _ask(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"import torch\n{code}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise Failed((done.stderr.strip().splitlines() or ["torch can't be asked"])[-1])
    return done.stdout.strip().splitlines()[-1]


# ---------------------------------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="What holds on this machine's GPU.")
    names = [check.__name__ for check in CHECKS]
    parser.add_argument(
        "--only", metavar="NAME", action="append", choices=names, help=f"one of {', '.join(names)}"
    )
    parser.add_argument("--seconds", type=float, default=440.0, help="no check goes on after so many (440)")
    parser.add_argument("--verbose", action="store_true", help="show what the runs said")
    arguments = parser.parse_args(argv)
    began = time.monotonic()
    missing = [name for name in ("torch", "numpy") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"{sys.executable} has no {missing[0]}: make check-gpu PYTHON=path/to/a/python/with/torch")
        return 2
    with tempfile.TemporaryDirectory(prefix="check-gpu-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        borrowed = _borrow(folder)
        gpu, vram, torch_version, cuda = json.loads(_ask(_WHAT))
        until = began + arguments.seconds
        machine = Machine(gpu, vram, folder, until, 0.4 * arguments.seconds, arguments.verbose, borrowed)
        print(f"{gpu or 'no GPU that torch can use: on the CPU, what makes sense there'}", end="")
        print(
            f"{f', {vram:.0f} GiB, CUDA {cuda}' if gpu else ''}, torch {torch_version}, Python {sys.version.split()[0]}"
        )
        results = [
            _tried(check, machine)
            for check in CHECKS
            if not arguments.only or check.__name__ in arguments.only
        ]
    counts = {word: results.count(word) for word in ("ok", "FAIL", "not tried")}
    print(", ".join(f"{count} {word}" for word, count in counts.items() if count), end="")
    print(f"; {time.monotonic() - began:.0f} s{'' if gpu else '; nothing was measured on a GPU'}")
    return 1 if counts["FAIL"] else 0


def _tried(check: Callable[[Machine], str], machine: Machine) -> str:
    began = time.monotonic()
    try:
        if machine.until - began < 20:
            raise NotTried("out of time")
        word, said = "ok", check(machine)
    except Failed as error:
        word, said = "FAIL", str(error)
    except NotTried as error:
        word, said = "not tried", str(error)
    print(f"{word:<9} {check.__name__:<13} {said}   [{time.monotonic() - began:.0f} s]", flush=True)
    return word


def _borrow(folder: Path) -> Path | None:
    """Return a folder for the module search path with cloudpickle, if only this checkout's own environment has it."""
    if importlib.util.find_spec("cloudpickle") is not None:
        return None
    for found in ROOT.glob(".venv/lib/python3*/site-packages/cloudpickle"):
        shutil.copytree(
            found, folder / "site-packages" / "cloudpickle"
        )  # pure Python: any version may read it
        return folder / "site-packages"
    return None


_WHAT = """
import json
gpu = torch.cuda.is_available()
print(json.dumps([
    torch.cuda.get_device_name() if gpu else "",
    torch.cuda.get_device_properties(0).total_memory / 2**30 if gpu else 0.0,
    torch.__version__,
    torch.version.cuda or torch.version.hip,
]))
"""

if __name__ == "__main__":
    sys.exit(main())
