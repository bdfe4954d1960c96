"""Reading and rewriting constants, and what kind of knob each becomes."""

from __future__ import annotations

import ast
import difflib

import pytest

from bot.agents.constants import (
    canonical,
    changes_between,
    constant_values,
    constants_of,
    literal_value,
    rewrite,
    same_value,
)
from bot.agents.offline.knobs import Knob, knobs_of
from bot.agents.offline.steps import coordinate, divisions, literal, snapped, value_at

TRAIN = '''"""A training script in the manner of autoresearch."""
import os
from dataclasses import dataclass
from prepare import MAX_SEQ_LEN, TIME_BUDGET

__version__ = "1.0"
SEED = 42
VOCAB_SIZE = 8192
TIME_BUDGET_S = 300
EVAL_TOKENS = 4096
LOG_INTERVAL = 10
CACHE_DIR = "/tmp/x"
DEVICE = "cuda"  # cuda, cpu
DTYPE = "bfloat16"


@dataclass
class GPTConfig:
    sequence_len: int = 2048
    n_layer: int = 12
    n_head: int = 6
    n_embd: int = 768
    dropout: float = 0.0
    rope_base: int = 10000


# Model
ASPECT_RATIO = 64   # width = depth * this
HEAD_DIM = 128
WINDOW_PATTERN = "SSSL"
ACTIVATION = "relu2"  # relu2, gelu, swiglu
NORM = 'rms'
USE_BIAS = False
TOTAL_BATCH_SIZE = 2**19 # tokens
EMBEDDING_LR : float = 3e-4
WEIGHT_DECAY = 0.2
ADAM_BETAS = (0.8, 0.95)  # beta1, beta2
WARMUP_RATIO = 0.0
WARMDOWN_RATIO = 0.5
DEPTH = 8  # between 2 and 9
OFFSET = -3.0
UNUSED = 0.7
ONLY_SHOWN = 3.0
TWICE = 1.5
TWICE = 2.5


def main(model, flags):
    torch_seed(SEED, DEVICE, DTYPE, CACHE_DIR, VOCAB_SIZE, TIME_BUDGET_S, EVAL_TOKENS, LOG_INTERVAL)
    config = GPTConfig(sequence_len=MAX_SEQ_LEN, n_layer=DEPTH, n_head=2, n_embd=ASPECT_RATIO * DEPTH)
    use(config.dropout, config.rope_base, config.n_layer, config.n_head, config.n_embd, config.sequence_len)
    use(HEAD_DIM, WINDOW_PATTERN, ACTIVATION, USE_BIAS, TOTAL_BATCH_SIZE, EMBEDDING_LR, WEIGHT_DECAY)
    use(ADAM_BETAS, WARMUP_RATIO, WARMDOWN_RATIO, OFFSET, TWICE, __version__)
    if NORM == "rms":
        return 1
    elif NORM in ("layer", "none"):
        return 2
    print(ONLY_SHOWN)
'''


def knobs() -> dict[str, Knob]:
    return {knob.name: knob for knob in knobs_of({"train.py": TRAIN})}


@pytest.mark.parametrize(
    ("text", "worth"),
    [
        ("2**15", 32768),
        ("-1e-3", -0.001),
        ("64 * 1024", 65536),
        ("1 << 4", 16),
        ("True", True),
        ("'a'", "a"),
        ("1_000", 1000),
        ("9**9**9", None),
        ("f()", None),
        ("x", None),
        ("1 +", None),
        ("1e999", None),
    ],
)
def test_literals_are_worth_what_python_says(text: str, worth: object) -> None:
    assert literal_value(text) == worth
    assert type(literal_value(text)) is type(worth)


def test_equal_worth_is_equal_whatever_the_spelling() -> None:
    assert same_value("6e-4", "0.0006")
    assert same_value("2**4", "16.0")
    assert not same_value("1", "True")
    assert canonical('"a"') == canonical("'a'")


def test_reads_every_form_of_assignment_and_leaves_doubtful_ones() -> None:
    values = constant_values({"train.py": TRAIN, "notes.md": "A = 1"})
    assert values["TOTAL_BATCH_SIZE"] == "2**19"
    assert values["EMBEDDING_LR"] == "3e-4"
    assert values["ADAM_BETAS[1]"] == "0.95"
    assert values["GPTConfig.n_layer"] == "12"
    assert values["OFFSET"] == "-3.0"
    assert "TWICE" not in values
    comments = {constant.name: constant.comment for constant in constants_of({"train.py": TRAIN})}
    assert comments["TOTAL_BATCH_SIZE"] == "tokens"


def test_a_name_in_two_files_is_two_constants_and_a_broken_file_has_none() -> None:
    files = {"a.py": "LR = 1\n", "b.py": "LR = 2\nWD = 3\n"}
    assert constant_values(files) == {"a.py:LR": "1", "b.py:LR": "2", "WD": "3"}
    assert rewrite(files["b.py"], {"b.py:LR": "8", "WD": "6"}, "b.py") == "LR = 8\nWD = 6\n"
    (change,) = changes_between(files, {"b.py": "LR = 4\nWD = 3\n"})
    assert (change.file, change.name, change.local, change.new) == ("b.py", "b.py:LR", "LR", "4")
    assert constant_values({"a.py": "LR = (\n"}) == {}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_rewriting_changes_the_literal_and_not_one_other_character(newline: str) -> None:
    source = TRAIN.replace("\n", newline)
    new = rewrite(source, {"TOTAL_BATCH_SIZE": "2**18", "ADAM_BETAS[0]": "0.9", "GPTConfig.dropout": "0.1"})
    expected = (
        source.replace("= 2**19 #", "= 2**18 #")
        .replace("(0.8, 0.95)", "(0.9, 0.95)")
        .replace("dropout: float = 0.0", "dropout: float = 0.1")
    )
    assert new == expected
    ast.parse(new)
    lines = difflib.unified_diff(source.splitlines(), new.splitlines(), n=0, lineterm="")
    assert sum(line.startswith("+") and not line.startswith("+++") for line in lines) == 3


def test_rewriting_refuses_unknown_names_and_what_is_no_literal() -> None:
    with pytest.raises(KeyError):
        rewrite("A = 1\n", {"B": "2"})
    with pytest.raises(ValueError, match="not a literal"):
        rewrite("A = 1\n", {"A": "__import__('os')"})


def test_changes_between_names_what_differs_in_worth() -> None:
    after = rewrite(TRAIN, {"WEIGHT_DECAY": "0.4", "EMBEDDING_LR": "0.0003"})
    (change,) = changes_between({"train.py": TRAIN}, {"train.py": after})
    assert (change.file, change.name, change.old, change.new) == ("train.py", "WEIGHT_DECAY", "0.2", "0.4")


def test_what_is_not_ours_is_no_knob() -> None:
    names = set(knobs())
    for name in (
        *(
            "SEED",
            "VOCAB_SIZE",
            "TIME_BUDGET_S",
            "EVAL_TOKENS",
            "LOG_INTERVAL",
            "CACHE_DIR",
            "DEVICE",
            "DTYPE",
        ),
        *("__version__", "UNUSED", "ONLY_SHOWN", "TWICE", "WINDOW_PATTERN"),
        *("GPTConfig.n_layer", "GPTConfig.n_head", "GPTConfig.n_embd", "GPTConfig.sequence_len"),
    ):
        assert name not in names, name
    assert {"GPTConfig.dropout", "GPTConfig.rope_base", "HEAD_DIM", "DEPTH", "ADAM_BETAS[0]"} <= names


def test_a_constant_that_a_parameter_hides_or_an_import_shadows_is_no_knob() -> None:
    assert knobs_of({"t.py": "LR = 0.1\ndef f(LR):\n    return LR\n"}) == ()
    assert knobs_of({"t.py": "from prepare import LR\nLR = 0.1\nuse(LR)\n"}) == ()
    imported = knobs_of({"config.py": "LR = 0.1\n", "t.py": "from config import LR\nuse(LR)\n"})
    assert [knob.name for knob in imported] == ["LR"]


def test_kinds_follow_name_and_value() -> None:
    kinds = {name: knob.kind for name, knob in knobs().items()}
    assert kinds["TOTAL_BATCH_SIZE"] == kinds["ASPECT_RATIO"] == kinds["HEAD_DIM"] == "power"
    assert kinds["EMBEDDING_LR"] == kinds["WEIGHT_DECAY"] == "log"
    assert kinds["ADAM_BETAS[0]"] == "momentum"
    assert kinds["WARMUP_RATIO"] == kinds["WARMDOWN_RATIO"] == kinds["GPTConfig.dropout"] == "unit"
    assert kinds["DEPTH"] == "count"
    assert kinds["USE_BIAS"] == "choice"


def test_choices_come_from_the_comment_or_the_code() -> None:
    assert knobs()["ACTIVATION"].choices == ("relu2", "gelu", "swiglu")
    assert knobs()["NORM"].choices == ("rms", "layer", "none")
    table = 'ACT = "relu"\nACTS = {"relu": 1, "gelu": 2}\nuse(ACTS[ACT])\n'
    assert knobs_of({"t.py": table})[0].choices == ("relu", "gelu")
    prose = 'MODE = "a"  # the mode, as in the paper\nuse(MODE)\n'
    assert knobs_of({"t.py": prose}) == ()


def moved(name: str, step: float) -> str | None:
    knob = knobs()[name]
    value = value_at(knob, coordinate(knob, knob.constant.value) + step)
    return None if value is None else literal(knob, value)


def test_steps_are_tidy_and_stay_in_their_kind() -> None:
    assert moved("TOTAL_BATCH_SIZE", -1) == "2**18"
    assert moved("HEAD_DIM", 0.9) == "256"
    assert moved("EMBEDDING_LR", 1) == "6e-4"
    assert moved("EMBEDDING_LR", 0.5) == "4.2e-4"
    assert moved("WEIGHT_DECAY", 0.5) == "0.28"
    assert moved("ADAM_BETAS[1]", 1) == "0.975"
    assert moved("ADAM_BETAS[0]", -1) == "0.6"
    assert moved("WARMUP_RATIO", 1) == "0.05"
    assert moved("WARMDOWN_RATIO", 1) == "0.7"
    assert moved("WARMDOWN_RATIO", 9) == "1.0"
    assert moved("OFFSET", 1) == "-6.0"
    for step in (1, 4, 12):
        assert 0 < float(str(moved("ADAM_BETAS[0]", step))) < 1


def test_a_comment_bounds_and_a_bound_that_does_not_hold_is_no_bound() -> None:
    assert moved("DEPTH", -1) == "5"
    assert moved("DEPTH", 1) is None
    wrong = knobs_of({"t.py": "DEPTH = 12  # at most 8\nuse(DEPTH)\n"})[0]
    assert value_at(wrong, coordinate(wrong, 18)) == 18


def test_divisions_from_assert_and_from_names_are_kept() -> None:
    source = "N_EMBD = 384\nN_HEAD = 6\nWAYS = 12\nPARTS = 4\nuse(N_EMBD, N_HEAD)\nassert WAYS % PARTS == 0\n"
    files = {"t.py": source}
    found = {knob.name: knob for knob in knobs_of(files)}
    pairs = divisions(tuple(found.values()), files)
    assert set(pairs) == {("N_EMBD", "N_HEAD"), ("WAYS", "PARTS")}
    values = {"N_EMBD": 384, "N_HEAD": 6, "WAYS": 12, "PARTS": 4}
    assert snapped(found["N_EMBD"], 540, values, pairs) == 576
    assert snapped(found["N_HEAD"], 9, values, pairs) == 8
    assert snapped(found["PARTS"], 8, values, pairs) is None  # no power of two from 6 to 11 divides 12
    assert snapped(found["N_EMBD"], 383, values, pairs) == 372
