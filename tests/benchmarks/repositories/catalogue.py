"""The shapes: whose habit each one has, what its user typed before, and what Nocturne had to be told.

The files of a shape lie in `shapes/NAME`, as its user would have them; `gitignore` there becomes `.gitignore`.
All of them were written for this project. No two share a training script.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """`before` are shell lines typed after cloning, `alone` runs the script without Nocturne.

    `told` is what stands in the configuration besides what `nocturne init` wrote; empty for those that keep
    autoresearch's contract. `program` is what the user wrote into program.md, if there was none. `needs` names
    modules (`module:kernels`) and programs that the habit itself needs. `text` gives the repository the common
    prepare.py, which has a little text for a small model.
    """

    name: str
    habit: str
    told: str = ""
    program: str = ""
    before: tuple[str, ...] = ()
    alone: str = "python train.py"
    needs: tuple[str, ...] = ()
    text: bool = False

    @property
    def wrote(self) -> list[str]:
        """What the user had to write besides init's defaults, line by line."""
        return self.told.splitlines() + ([f"program.md: {self.program}"] if self.program else [])


def _contract(name: str, habit: str, **more: object) -> Shape:
    """Return a shape that uses the common prepare.py."""
    return Shape(name, habit, before=("python prepare.py",), text=True, **more)  # type: ignore[arg-type]


def _command(
    name: str, habit: str, *, told: str, alone: str, before: tuple[str, ...] = (), needs: tuple[str, ...] = ()
) -> Shape:
    """Return a shape that ends in a number, without a contract and without a program.md."""
    return Shape(
        name,
        habit,
        told=textwrap.dedent(told).lstrip("\n"),
        program="Find better settings.",
        before=before,
        alone=alone,
        needs=needs,
    )


# No network is needed: setuptools and torch come from the Python that made the environment.
_OWN_ENVIRONMENT = (
    "python -m venv --without-pip .venv",
    """python -c 'import site; print("\\n".join(site.getsitepackages()))' """
    """> "$(.venv/bin/python -c 'import site; print(site.getsitepackages()[0])')/borrowed.pth\"""",
    "python -m pip --python .venv/bin/python install --quiet --no-index --no-build-isolation --no-deps --editable .",
    ".venv/bin/python prepare.py",
)

SHAPES = (
    Shape(
        "autoresearch",
        "upstream: attention from the kernel hub, Muon, accumulation, time from the 11th step, gc.freeze",
        before=("python prepare.py", 'python "$OUTSIDE/hub_cache.py"'),
        needs=("module:kernels",),
    ),
    Shape(
        "win_rtx", "device= for loader and evaluate_bpb, profile of the GPU", before=("python prepare.py",)
    ),
    Shape(
        "macos", "mps or cpu, no autocast, batches of two, loader with len()", before=("python prepare.py",)
    ),
    Shape(
        "ignored_data",
        "the contract, with data/ in the repository and ignored by git",
        before=("python prepare.py",),
    ),
    Shape(
        "monorepo",
        "train.py and prepare.py in packages/nanolm, with neighbours and a shared package",
        told="editable: [packages/nanolm/train.py]\nprogram: packages/nanolm/program.md\n",
        alone="python packages/nanolm/train.py",
    ),
    Shape(
        "src_layout",
        "src layout, installed editable into the repository's own .venv",
        before=_OWN_ENVIRONMENT,
        alone=".venv/bin/python train.py",
        needs=("module:setuptools",),
        text=True,
    ),
    _contract("bf16", "bfloat16 autocast and bfloat16 embeddings"),
    _contract("compiled", "a compiled model, evaluated compiled", needs=("g++",)),
    _contract("accumulation", "sixteen micro-batches a step, tied weights, averaged weights evaluated"),
    _contract(
        "torchrun",
        "two processes by torchrun, evaluated by the first",
        told="evaluator:\n  launch: [torchrun, --standalone, --nproc_per_node=2]\n",
        alone="torchrun --standalone --nproc_per_node=2 train.py",
        needs=("torchrun",),
    ),
    _contract("checkpoints", "checkpoints, logs and a runs/ folder beside train.py, the best one loaded"),
    _contract("by_path", "a module loaded by path, an autograd function of its own, weight norm"),
    _contract("manager", "a child process and multiprocessing.Manager"),
    _contract("custom_op", "an operator registered by torch.library in the script"),
    Shape("dict_batches", "batches are dictionaries, the loader has a length", before=("python prepare.py",)),
    _command(
        "nanogpt",
        "data/ prepared into the repository, configurator, globals, checkpoints in out/",
        before=("python data/letters/prepare.py",),
        alone="python train.py config/train_letters.py",
        told=r"""
        evaluator:
          kind: command
          command: [python, train.py, config/train_letters.py]
          metric: {name: val_loss, pattern: 'val loss ([\d.]+)'}
        """,
    ),
    _command(
        "nanochat",
        "a package and a folder of scripts, `python -m`, data in ~/.cache",
        before=("python -m nanochat.dataset",),
        alone="python -m scripts.base_train",
        told=r"""
        editable: [scripts/base_train.py, nanochat/gpt.py]
        evaluator:
          kind: command
          command: [python, -m, scripts.base_train]
          read: [~/.cache/nanochat]
          metric: {name: val_bpb, pattern: 'Validation bpb: ([\d.]+)'}
        """,
    ),
    _command(
        "argparse_script",
        "settings in argparse, a table row at the end of each epoch",
        alone="python main.py",
        told=r"""
        editable: [main.py]
        evaluator:
          kind: command
          command: [python, main.py]
          metric: {name: valid_loss, pattern: 'valid loss +([\d.]+)'}
        """,
    ),
    _command(
        "yaml_settings",
        "settings in YAML, a JSON line as the result",
        alone="python fit.py --config conf/default.yaml",
        told="""
        editable: [conf/default.yaml]
        evaluator:
          kind: command
          command: [python, fit.py, --config, conf/default.yaml]
          metric: {name: test_loss}
        """,
    ),
    _command(
        "dataclass_cli",
        "one file, settings in a dataclass that makes the command line, a return to maximize",
        alone="python reinforce.py",
        told=r"""
        editable: [reinforce.py]
        evaluator:
          kind: command
          command: [python, reinforce.py]
          metric: {name: episodic_return, direction: maximize, pattern: 'episodic_return=(-?[\d.]+)'}
        """,
    ),
    _command(
        "dataloader_workers",
        "torch's DataLoader with worker processes",
        alone="python digits.py",
        told=r"""
        editable: [digits.py]
        evaluator:
          kind: command
          command: [python, digits.py]
          metric: {name: test_loss, pattern: 'Test set: Average loss: ([\d.]+)'}
        """,
    ),
    _command(
        "shell",
        "a shell script measures; data ignored by git; settings in src/",
        before=("python make_ratings.py",),
        alone="bash bench.sh",
        told="""
        editable: [src/settings.py]
        evaluator:
          kind: command
          command: [bash, bench.sh]
          metric: {name: rmse}
        """,
    ),
    _command(
        "uv_run",
        "uv: pyproject.toml, uv.lock and .venv",
        before=("uv sync --offline --quiet",),
        alone="uv run --offline python bench.py",
        needs=("uv",),
        told="""
        editable: [sorter.py]
        evaluator:
          kind: command
          command: [uv, run, python, bench.py]
          metric: {name: comparisons}
        """,
    ),
    _command(
        "make_bench",
        "make builds a table and plays with it",
        alone="make bench",
        needs=("make",),
        told="""
        editable: [strategy.py]
        evaluator:
          kind: command
          command: [make, bench]
          metric: {name: win_rate, direction: maximize}
        """,
    ),
    _command(
        "c_program",
        "a C program, built and counted",
        alone="sh run.sh",
        needs=("make", "cc"),
        told="""
        editable: [table.c]
        evaluator:
          kind: command
          command: [sh, run.sh]
          metric: {name: probes}
        """,
    ),
    _command(
        "sklearn_like",
        "numpy only, settings in a dictionary, one JSON object over several lines",
        alone="python train_model.py",
        told="""
        editable: [train_model.py]
        evaluator:
          kind: command
          command: [python, train_model.py]
          metric: {name: rmse}
        """,
    ),
    _command(
        "hf_trainer",
        "a trainer that prints dictionaries, settings in dataclasses with field()",
        alone="python run_classification.py",
        told="""
        editable: [run_classification.py]
        evaluator:
          kind: command
          command: [python, run_classification.py]
          metric: {name: eval_loss}
        """,
    ),
    _command(
        "benchmark_json",
        "a report of pytest-benchmark's form, and one line below it",
        alone="python -m benchmarks",
        told=r"""
        editable: [textwrapper/__init__.py]
        evaluator:
          kind: command
          command: [python, -m, benchmarks]
          metric: {name: total_ms, pattern: 'total min: ([\d.]+) ms'}
        """,
    ),
    _command(
        "accuracy_guard",
        "accuracy to maximize, with a guard on what the model keeps",
        alone="python evaluate.py",
        told="""
        editable: [model.py]
        evaluator:
          kind: command
          command: [python, evaluate.py]
          metric: {name: accuracy, direction: maximize}
          guards: ["kept <= 1.2 * incumbent"]
        """,
    ),
    _command(
        "produce_scorer",
        "the candidate answers in one jail, a locked script grades it in another",
        before=("python make_data.py",),
        alone="python train.py && python grade.py",
        told="""
        evaluator:
          kind: command
          produce: [python, train.py]
          command: [python, grade.py]
          data: [secret]
          metric: {name: mse}
        """,
    ),
)
