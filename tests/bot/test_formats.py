"""Settings in files of every format: what is found, and edits that change the value and not one other byte."""

from __future__ import annotations

import ast
import json

import pytest
import yaml

from bot.agents.constants import constant_values, rewrite
from bot.agents.formats import LONGEST_FILE, sites_of
from bot.agents.formats.plain import plain_text
from bot.agents.formats.site import literal_value, same_value


def found(path: str, text: str) -> dict[str, str]:
    return {site.name: site.literal for site in sites_of(path, text)}


OPTIONS = """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("-l", "--learning-rate", type=float, default=3e-4, help="between 1e-5 and 1e-2")
parser.add_argument("--depth", dest="layers", type=int, default=4)
parser.add_argument("--act", choices=["relu", "gelu"], default="relu")
parser.add_argument(
    "--decay",
    type=float,
    default="0.1",  # at most 1
)
parser.add_argument("--fast", action="store_true")
"""
CLICK = """\
@click.command()
@click.option("--lr", default=0.1, show_default=True)
@click.option("--opt", type=click.Choice(["sgd", "adam"]), default="sgd")
def go(lr, opt):
    use(lr, opt)
"""
TYPER = """\
def main(lr: float = typer.Option(0.1, "--lr", min=0.01), depth: int = 4, act: Literal["a", "b"] = "a"):
    use(lr, depth, act)
typer.run(main)
"""
TYRO = """\
@dataclass
class Job:
    lr: float = 1e-3  # rate
    betas: tuple[float, float] = (0.9, 0.95)
    decay: float = field(default=0.1, metadata={"help": "at most 1"})
    sizes: list[int] = field(default_factory=lambda: [64, 32])
job = tyro.cli(Job)
"""
PARSING = """\
@dataclass
class Job:
    lr: float = simple_parsing.field(0.1)
    act: str = simple_parsing.choice("relu", "gelu", default="relu")
    sizes: list[int] = list_field(64, 32)
"""
NESTED = """\
class Config:
    lr = 0.1
    class optim:
        beta = 0.9
        class schedule:
            warmup = 10
class Colour(Enum):
    RED = 1
"""
DICTIONARY = """\
CONFIG = {"lr": 0.1, "model": {"depth": 4, "sizes": [64, 32]}}
VOCABULARY = {"the": 1, "a": 2}
"""
FUNCTION = """\
def get_config():
    config = ConfigDict()
    config.lr = 0.1
    config["model"] = dict(depth=4)
    return config
def make_hparams(width=64):
    return dict(width=width, drop=0.2)
"""
LOCALS = """\
def main():
    lr = 3e-4
    best = 1e9
    for step in range(10):
        best = 2.0
    use(lr)
"""
YACS = """\
_C = CN()
_C.SOLVER = CN()
_C.SOLVER.LR = 0.1
"""
ENVIRONMENT = 'LR = float(os.environ.get("LR", "0.3"))\nDEPTH = int(os.getenv("DEPTH", 4))\n'
ABSL = 'flags.DEFINE_float("lr", 0.1, "rate")\nflags.DEFINE_enum("act", "a", ["a", "b"], "which")\n'
CALLS = "model = Net(width=64)\nopt = torch.optim.SGD(model.parameters(), lr=0.1, nesterov=True)\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (OPTIONS, {"--learning-rate": "3e-4", "--depth": "4", "--act": '"relu"', "--decay": "0.1"}),
        (CLICK, {"--lr": "0.1", "--opt": '"sgd"'}),
        (TYPER, {"main.lr": "0.1", "main.depth": "4", "main.act": '"a"'}),
        (
            TYRO,
            {
                "Job.lr": "1e-3",
                "Job.betas[0]": "0.9",
                "Job.betas[1]": "0.95",
                "Job.decay": "0.1",
                "Job.sizes[0]": "64",
                "Job.sizes[1]": "32",
            },
        ),
        (PARSING, {"Job.lr": "0.1", "Job.act": '"relu"', "Job.sizes[0]": "64", "Job.sizes[1]": "32"}),
        (NESTED, {"Config.lr": "0.1", "Config.optim.beta": "0.9", "Config.optim.schedule.warmup": "10"}),
        (
            DICTIONARY,
            {
                "CONFIG.lr": "0.1",
                "CONFIG.model.depth": "4",
                "CONFIG.model.sizes[0]": "64",
                "CONFIG.model.sizes[1]": "32",
            },
        ),
        (
            FUNCTION,
            {
                "get_config.config.lr": "0.1",
                "get_config.config.model.depth": "4",
                "make_hparams.width": "64",
                "make_hparams.drop": "0.2",
            },
        ),
        (LOCALS, {"main.lr": "3e-4"}),
        (YACS, {"_C.SOLVER.LR": "0.1"}),
        (ENVIRONMENT, {"LR": "0.3", "DEPTH": "4"}),
        (ABSL, {"--lr": "0.1", "--act": '"a"'}),
        (CALLS, {"model.width": "64", "opt.lr": "0.1"}),
    ],
)
def test_settings_of_python_scripts_are_found_where_they_are(text: str, wanted: dict[str, str]) -> None:
    assert found("train.py", text) == wanted
    for name, literal in wanted.items():
        assert rewrite(text, {name: literal}) == text
    numbers = {name: literal for name, literal in wanted.items() if literal[0] not in "\"'"}
    new = {name: "0.007" if "." in literal or "e" in literal else "7" for name, literal in numbers.items()}
    changed = rewrite(text, new)
    ast.parse(changed)
    assert found("train.py", changed) == {**wanted, **new}


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_python_is_edited_byte_by_byte_whatever_its_layout(mark: str, newline: str) -> None:
    lines = [
        "# -*- coding: utf-8 -*-",
        "\x0c",
        "ÄÖ = 'größe'; RATE = 0.5\t# è, at most 2",
        "if True:",
        "\tDEPTH\t=\t(4)",
        "PAIR = [1,",
        "        2.5]   # two",
    ]
    text = mark + newline.join(lines) + newline
    assert found("a.py", text) == {
        "ÄÖ": "'größe'", "RATE": "0.5", "DEPTH": "4", "PAIR[0]": "1", "PAIR[1]": "2.5",
    }  # fmt: skip
    new = rewrite(text, {"RATE": "0.25", "DEPTH": "16", "PAIR[1]": "5.0"}, "a.py")
    assert new == text.replace("= 0.5", "= 0.25").replace("(4)", "(16)").replace("2.5]", "5.0]")
    assert new.encode().startswith(mark.encode())


JSON = """\
{
  "lr": 1e-3, // rate
  "model": {"depth": 4, "bias": true, "act": "gelu"},
  "betas": [0.9, 0.95],
  "ids": [1, 2, 3, 4, 5]
}
"""
YAML = """\
# settings
lr: 3e-4  # rate
decay: 1.0e-4
model: &model
  depth: 4   # layers
  bias: yes
  act: gelu  # relu, gelu
betas: [0.9, 0.95]
copy: *model
code: 007
day: 2024-01-01
"""
TOML = """\
lr = 1e-3 # rate
text = \"\"\"
fake = 3
\"\"\"
[model]
depth = 4
betas = [0.9, 0.95]
more = {width = 64, bias = true}
many = [
  1,
  2,
]
"""
INI = "[train]\nlr = 0.1\n; old = 3\ndepth: 4\n"
C = """\
#ifndef PROG_H
#define PROG_H
#define BLOCK 8
#define TILE (16) // at most 64
#define HALF 0.5f /* share */
#define MIN(a, b) ((a) < (b) ? (a) : (b))
static const int ROWS = 8, COLS = 9;
constexpr std::size_t UNROLL{4};
const double EPS = 1e-3;
/* #define OLD 3 */
const char *name = "#define FAKE 3";
template <int WARPS = 4, typename T = float> void kernel();
#define SIZE 1 << 10
#define MASK 0x10u
#endif
"""
SHELL = """\
#!/bin/bash
# OLD=3
BLOCK=8 # rows
export WORKERS="4"
DEPTH=${DEPTH:-6}
python train.py --lr 3e-4 --batch-size=64 \\
  --steps 100
THREADS=2 ./bench
"""
MADE = "BLOCK ?= 8\nDEPTH := 4 # layers\nall:\n\tpython bench.py\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("path", "text", "wanted"),
    [
        (
            "a.json",
            JSON,
            {
                "lr": "1e-3",
                "model.depth": "4",
                "model.bias": "True",
                "model.act": "'gelu'",
                "betas[0]": "0.9",
                "betas[1]": "0.95",
            },
        ),
        (
            "conf/a.yaml",
            YAML,
            {
                "lr": "3e-4",
                "decay": "1.0e-4",
                "model.depth": "4",
                "model.bias": "True",
                "model.act": "'gelu'",
                "betas[0]": "0.9",
                "betas[1]": "0.95",
            },
        ),
        (
            "a.toml",
            TOML,
            {
                "lr": "1e-3",
                "model.depth": "4",
                "model.betas[0]": "0.9",
                "model.betas[1]": "0.95",
                "model.more.width": "64",
                "model.more.bias": "True",
            },
        ),
        ("setup.cfg", INI, {"train.lr": "0.1", "train.depth": "4"}),
        (
            "prog.cu",
            C,
            {
                "BLOCK": "8",
                "TILE": "16",
                "HALF": "0.5",
                "ROWS": "8",
                "COLS": "9",
                "UNROLL": "4",
                "EPS": "1e-3",
                "WARPS": "4",
                "SIZE": "1 << 10",
                "MASK": "0x10",
            },
        ),
        (
            "run.sh",
            SHELL,
            {
                "BLOCK": "8",
                "WORKERS": "4",
                "DEPTH": "6",
                "--lr": "3e-4",
                "--batch-size": "64",
                "--steps": "100",
                "THREADS": "2",
            },
        ),
        ("Makefile", MADE, {"BLOCK": "8", "DEPTH": "4"}),
        ("m.rs", "pub const BLOCK: usize = 8;\n", {"BLOCK": "8"}),
        ("m.go", "const (\n\tBlock = 8\n)\n", {"Block": "8"}),
        ("m.ts", "export const BLOCK: number = 8;\n", {"BLOCK": "8"}),
    ],
)
def test_settings_of_other_files_are_found_and_edited_alone(
    path: str, text: str, wanted: dict[str, str], newline: str
) -> None:
    text = text.replace("\n", newline)
    assert found(path, text) == wanted
    assert rewrite(text, wanted, path).count(newline) == text.count(newline)
    for name, literal in wanted.items():
        value = literal_value(literal)
        new = (
            repr(not value)
            if isinstance(value, bool)
            else "'relu'"
            if isinstance(value, str)
            else repr((value or 0) * 2)
        )
        site = next(each for each in sites_of(path, text) if each.name == name)
        changed = rewrite(text, {name: new}, path)
        assert changed.startswith(text[: site.start]) and changed.endswith(text[site.end :])
        assert {**wanted, name: new}.keys() == found(path, changed).keys()
        assert all(same_value(found(path, changed)[n], v) for n, v in {**wanted, name: new}.items())


def test_what_is_written_means_to_its_readers_what_was_meant() -> None:
    """A YAML 1.1 reader takes `5e-05` for a text; JSON knows no `2**4`; C keeps its suffixes."""
    changed = yaml.safe_load(
        rewrite(YAML, {"decay": "5e-05", "model.depth": "2**4", "model.bias": "False"}, "a.yaml")
    )
    assert (changed["decay"], changed["model"]["depth"], changed["model"]["bias"]) == (5e-05, 16, False)
    assert "bias: no" in rewrite(YAML, {"model.bias": "False"}, "a.yaml")
    plain = JSON.replace(" // rate", "")
    assert (
        json.loads(rewrite(plain, {"lr": "5e-05", "model.depth": "2**4"}, "a.json"))["model"]["depth"] == 16
    )
    new = rewrite(C, {"HALF": "0.25", "MASK": "32", "SIZE": "1 << 11", "EPS": "2e-3"}, "prog.cu")
    assert "HALF 0.25f /*" in new and "MASK 32\n" in new and "SIZE 1 << 11\n" in new and "EPS = 2e-3;" in new


def test_what_no_format_can_hold_is_refused() -> None:
    for path, text, name, literal in (
        ("a.c", "#define N 8\n", "N", "'text'"),
        ("a.py", "N = 8\n", "N", "__import__('os')"),
        ("run.sh", "N=8\n", "N", "'text'"),
    ):
        with pytest.raises(ValueError, match=r"N: |text"):
            rewrite(text, {name: literal}, path)
    with pytest.raises(KeyError):
        rewrite("a: 1\n", {"b": "2"}, "a.yaml")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.json", '{"a": 1'),
        ("a.json", '{"a": 1} trailing'),
        ("a.json", "[" * 100_000),
        ("a.yaml", "a: [1\n"),
        ("a.yaml", "a: &a\n  b: *a\n"),
        ("a.py", "A = (\n"),
        ("a.py", "A = " + "(" * 5000 + "1" + ")" * 5000),
        ("notes.txt", "A = 1\n"),
        ("a.py", "A = 1\n" + "#" * LONGEST_FILE),
        ("a.json", '{"a": 1, "a": 2}'),
    ],
)
def test_what_is_broken_too_long_or_foreign_holds_nothing(path: str, text: str) -> None:
    assert constant_values({path: text}) == {}


@pytest.mark.parametrize(
    ("path", "text", "other"),
    [
        ("a.py", "A = 1  # one\n", "\ufeffA = 1\r\n"),
        ("a.json", '{"a": 1}', '{\n  "a": 1\n}\n'),
        ("a.yaml", "a: 1  # one\n\nb: '#2'\n", "# head\na: 1\nb: '#2'\n"),
        ("a.c", "#define N 8 // rows\n", "/* x */\n#define N   8\n"),
        ("run.sh", "N=8 # rows\n", "N=8\n"),
    ],
)
def test_comments_and_layout_are_no_change(path: str, text: str, other: str) -> None:
    assert plain_text(path, text).split() == plain_text(path, other).split()
    assert (
        plain_text(path, text).split() != plain_text(path, text.replace("8", "9").replace("1", "2")).split()
    )
