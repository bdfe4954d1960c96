"""Models that hold, or are made of, what scripts ordinarily have. Each is asked in another process, which never runs
this file: `carrier.py`."""

import argparse
import collections
import contextlib
import contextvars
import dataclasses
import enum
import functools
import importlib.util
import io
import logging
import os
import pathlib
import random
import socket
import sys
import threading
import types
import weakref

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

HERE = pathlib.Path(__file__).parent
torch.manual_seed(3)
V, C = 8, 4


def by_path(name, folder):
    """Load a module as hub kernels are loaded: by its path, under a name that nobody else knows."""
    spec = importlib.util.spec_from_file_location(
        name, HERE / folder / "__init__.py", submodule_search_locations=[str(HERE / folder)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.e, self.o = nn.Embedding(V, C), nn.Linear(C, V)

    def mixed(self, x):
        return x

    def forward(self, idx):
        return self.o(self.mixed(self.e(idx)))


ZOO = {}


def model(kind):
    ZOO[kind.__name__] = kind().eval()
    return kind


# --- modules and where they lie ---

fast = by_path("fast_1a2b3c", "fast")
inner = by_path("kernel_77", "kernel").interface


@model
class ByPath(Plain):
    def mixed(self, x):
        return fast.attend(x)


@model
class ByPathInAPackage(Plain):
    def mixed(self, x):
        return inner.func(x)


sys.path.insert(0, str(HERE / "src"))
import layers  # noqa: E402
import layers.norms as norms  # noqa: E402
import spread.part  # noqa: E402  (a package without __init__.py)
from layers import Scaled, settings  # noqa: E402

settings.FACTOR = 3.0  # after it was imported


@model
class FromASubfolder(Plain):
    def __init__(self):
        super().__init__()
        self.s = Scaled()

    def mixed(self, x):
        return norms.norm(self.s(x)) + layers.settings.FACTOR + spread.part.shift(x)


@model
class ImportsWhenAsked(Plain):
    def mixed(self, x):
        from layers.late import late

        return late(x)


made = types.ModuleType("made_up")
exec("def twice(x):\n    return 2 * x\n", vars(made))
sys.modules["made_up"] = made


@model
class MadeUpModule(Plain):
    def mixed(self, x):
        return made.twice(x)


# --- kinds of configuration ---


@dataclasses.dataclass
class Config:
    width: int = C
    names: list = dataclasses.field(default_factory=lambda: ["a"])


class Kind(enum.Enum):
    SUM = "sum"
    MEAN = "mean"


Pair = collections.namedtuple("Pair", "left right")


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    by: float = 2.0


@model
class Configured(Plain):
    def __init__(self):
        super().__init__()
        self.config, self.kind, self.pair = Config(), Kind.MEAN, Pair(1.0, 2.0)
        self.args, self.slotted = argparse.Namespace(a=1.5), Slotted()
        self.table = types.MappingProxyType({"a": 1.0})
        self.act = functools.partial(F.leaky_relu, negative_slope=0.2)
        self.where = torch.device("cpu")
        self.layout = torch.strided

    def mixed(self, x):
        assert len(dataclasses.asdict(self.config)) == 2 and dataclasses.replace(self.config).width == C
        scale = self.pair.left + self.args.a + self.table["a"] + self.slotted.by + (self.kind is Kind.MEAN)
        return self.act(x * scale)


class Bag:
    __slots__ = ("by", "stream")

    def __init__(self):
        self.by, self.stream = 3.0, open(os.devnull)  # noqa: SIM115, PTH123

    def __getstate__(self):
        return {"by": self.by}

    def __setstate__(self, state):
        self.by, self.stream = state["by"], None


@model
class SlotsAndState(Plain):
    def __init__(self):
        super().__init__()
        self.bag = Bag()

    def mixed(self, x):
        return x * self.bag.by


# --- what lies about in a model and is not needed ---


class Tracker:
    """Like a client of an experiment tracker."""

    def __init__(self):
        self.socket = socket.socket()
        self.thread = threading.Thread(target=print)
        self.history = (each for each in range(3))

    def log(self, value):
        self.socket.send(value)


@model
class FullOfThings(Plain):
    def __init__(self):
        super().__init__()
        self.file, self.text = open(os.devnull, "w"), io.StringIO("x")  # noqa: SIM115, PTH123
        self.log, self.lock, self.rlock = logging.getLogger("zoo"), threading.Lock(), threading.RLock()
        self.random, self.numpy, self.torch = random.Random(1), np.random.default_rng(1), torch.Generator()
        self.tracker, self.events = Tracker(), iter(range(3))
        self.optimizer = torch.optim.AdamW(self.parameters())
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: 1.0)
        self.data = torch.utils.data.DataLoader([1, 2, 3])
        self.frame, self.hook = sys._getframe(), sys.stdout.write
        self.o.weight.register_hook(lambda grad: self.tracker.log(grad) or grad)

    def mixed(self, x):
        with self.lock:
            self.log.debug("asked")
        return x


@model
class UsesWhatStays(Plain):
    """It can't be asked anywhere else, and says why."""

    def __init__(self):
        super().__init__()
        self.tracker = Tracker()

    def mixed(self, x):
        with contextlib.suppress(OSError):
            self.tracker.log(b"x")
        return x


@model
class Weakly(Plain):
    def __init__(self):
        super().__init__()
        self.owner = weakref.ref(self.o)
        self.seen = weakref.WeakKeyDictionary({self.o: 2.0})
        self.all = weakref.WeakSet([self.o])
        self.var = contextvars.ContextVar("factor")
        self.var.set(2.0)

    def mixed(self, x):
        assert self.owner() is self.o and self.o in self.all
        return x * self.seen[self.o] * self.var.get()


# --- tensors ---


@model
class Storage(Plain):
    def __init__(self):
        super().__init__()
        self.o.weight = self.e.weight
        self.register_buffer("wide", torch.arange(C).float().expand(3, C), persistent=False)
        self.register_buffer("turned", torch.randn(C, C).t())
        self.register_buffer("short", torch.randn(C).bfloat16())
        self.eight = torch.randn(C).to(torch.float8_e4m3fn)
        self.nowhere = torch.empty(10**9, device="meta")
        self.whole = torch.randn(10)
        self.views = self.whole[2 : 2 + C], self.whole[3 : 3 + C]

    def mixed(self, x):
        assert self.o.weight is self.e.weight and self.nowhere.is_meta and self.wide.stride(0) == 0
        x = x + self.wide + self.short.float() + self.eight.float() + self.views[0] + self.views[1]
        return x @ self.turned


# --- functions ---

FACTOR = 2.5
UNUSED = socket.socket()
calls = {"n": 0}


def factor(x):
    return x * FACTOR


@functools.cache
def table(size):
    return torch.arange(size).float()


@functools.cache
def other(size):
    return size * 1.0


ZOO["AFunction"] = (lambda e: lambda idx: factor(e(idx)) @ e.weight.t() + table(V) + other(2))(Plain().e)


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


@model
class OwnGradient(Plain):
    def mixed(self, x):
        return Double.apply(x)


@model
class Hooked(Plain):
    def __init__(self):
        super().__init__()
        self.handle = self.e.register_forward_hook(lambda module, args, out: out * 2)
        self.count = 0
        self.register_forward_pre_hook(lambda module, args: setattr(module, "count", module.count + 1))

    def mixed(self, x):
        return torch.utils.checkpoint.checkpoint(factor, x, use_reentrant=False)


# --- made by torch ---

ZOO["Parametrized"] = nn.utils.parametrizations.weight_norm(Plain().o)
ZOO["Parametrized"] = nn.Sequential(nn.Embedding(V, C), ZOO["Parametrized"])
compiled = Plain()
ZOO["CompiledInPlace"] = compiled
compiled.compile(backend="eager")
whole = torch.compile(Plain(), backend="eager")
ZOO["Compiled"] = whole


@torch.compile(backend="eager")
def compiled_function(x):
    return x * 2


@model
class CompiledParts(Plain):
    def __init__(self):
        super().__init__()
        self.block = torch.compile(nn.Linear(C, C), backend="eager")
        self.forward = torch.compile(self.forward, backend="eager")

    def mixed(self, x):
        return compiled_function(self.block(x))


ZOO["Wrapped"] = nn.DataParallel(Plain())
ZOO["Scripted"] = torch.jit.script(nn.Sequential(nn.Embedding(V, C), nn.Linear(C, V)))
ZOO["Averaged"] = torch.optim.swa_utils.AveragedModel(Plain())


# --- operators of the script ---


@torch.library.custom_op("zoo::triple", mutates_args=())
def triple(x: torch.Tensor) -> torch.Tensor:
    return x * 3


@triple.register_fake
def _(x):
    return torch.empty_like(x)


triple.register_autograd(lambda ctx, grad: grad * 3)
library = torch.library.Library("zoo_low", "DEF")
library.define("quad(Tensor x) -> Tensor")
library.impl("quad", lambda x: x * 4, "CompositeExplicitAutograd")
quad = torch.ops.zoo_low.quad.default


@model
class OwnOperators(Plain):
    def mixed(self, x):
        return triple(x) + torch.ops.zoo.triple(x) + torch.ops.zoo_low.quad(x) + quad(x)


try:
    import triton
    import triton.language as tl
except ImportError:
    triton = None

if triton is not None:

    @triton.jit
    def add_kernel(x, y, n, BLOCK: tl.constexpr):
        at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        tl.store(y + at, tl.load(x + at, mask=at < n) + 1, mask=at < n)

    @model
    class WithATritonKernel(Plain):
        def mixed(self, x):
            if x.is_cuda:
                y = torch.empty_like(x)
                add_kernel[(1,)](x, y, x.numel(), BLOCK=64)
                return y
            assert "tl.program_id" in add_kernel.src
            return x + 1


class Refuses(nn.Module):
    def forward(self, idx):
        return idx

    def __reduce_ex__(self, protocol):
        raise TypeError("not me")


ZOO["Refuses"] = Refuses()
