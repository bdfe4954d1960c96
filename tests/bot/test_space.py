"""What the offline search may turn: the shapes that scripts have, what measures or names, and what a human said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.agents.constants import constant_values
from bot.agents.novelty import edit_beside, repeats
from bot.agents.offline.search import propose
from bot.agents.offline.space import Rules, everything_tried, nothing_to_turn, space_of, told, unknown_names
from bot.agents.review import fingerprint, review
from bot.rules.proposal import Change, PastExperiment
from tests.bot.settings_shapes import SHAPES, Shape


def turned(files: dict[str, str], rules: Rules | None = None) -> list[str]:
    return [knob.name for knob in space_of(files, rules).knobs]


def left(files: dict[str, str], rules: Rules | None = None) -> dict[str, str]:
    return {each.constant.name: each.why for each in space_of(files, rules).left}


MEASURES = """\
import argparse
p = argparse.ArgumentParser()
p.add_argument("--lr", type=float, default=0.1)
p.add_argument("--seed", type=int, default=42)
p.add_argument("--eval-every", type=int, default=10)
p.add_argument("--save_interval", type=int, default=100)
p.add_argument("--log-steps", type=int, default=5)
p.add_argument("--port", type=int, default=8080)
p.add_argument("--out-dir", default="runs")
p.add_argument("--device", default="cuda")
p.add_argument("--max-minutes", type=float, default=5.0)
p.add_argument("--version", type=int, default=3)
p.add_argument("--max-memory-gb", type=float, default=8.0)
p.add_argument("--rtol", type=float, default=1e-5)
p.add_argument("--repeats", type=int, default=5)
p.add_argument("--gpus", type=int, default=2)
a = p.parse_args()
use(**vars(a))
"""
FAIR = """\
BLOCK_SIZE = 8
THREADS = 2
WORKERS = 4
CONTEXT = 16
INTERVAL = 10
LOG_INTERVAL = 10
DIR_DEPTH = 2
EPSILON = 1e-6
def cost(a, b):
    if abs(a - b) < EPSILON:
        return 0
    return BLOCK_SIZE, THREADS, WORKERS, CONTEXT, INTERVAL, LOG_INTERVAL, DIR_DEPTH
"""


def test_what_measures_or_names_is_left_alone_and_said_why() -> None:
    assert turned({"train.py": MEASURES}) == ["--lr"]
    assert turned({"work.py": FAIR}) == [
        "BLOCK_SIZE",
        "THREADS",
        "WORKERS",
        "CONTEXT",
        "INTERVAL",
        "DIR_DEPTH",
    ]
    said = left({"train.py": MEASURES})
    assert said["--seed"].startswith("seed: it measures") and said["--eval-every"].startswith(
        "eval: it measures"
    )
    assert left({"work.py": FAIR})["EPSILON"] == "it is what a comparison allows"
    data = '{"train": {"lr": 0.1, "randomSeed": 3}, "evaluation": {"batch": 8}, "logging": {"steps": 10}}'
    assert turned({"conf.json": data}) == ["train.lr"]


@pytest.mark.parametrize(
    ("path", "text", "names"),
    [
        ("params.py", "ALPHA = 2\nBETA = 0.5\n", ["ALPHA", "BETA"]),
        ("conf.yml", "alpha: 2\nname: x\n", ["alpha"]),
        ("conf.toml", "[a]\nalpha = 2\n", ["a.alpha"]),
        ("prog.c", "#define BLOCK 8\nint main(void) { return BLOCK; }\n", ["BLOCK"]),
        ("run.sh", "BLOCK=8\n./bench $BLOCK\n", ["BLOCK"]),
        (
            "t.py",
            "class C:\n    lr = 0.1\n    class d:\n        n = 4\nuse(C.lr, C.d.n)\n",
            ["C.lr", "C.d.n"],
        ),
        ("t.py", "CFG = dict(lr=0.1, depth=4)\nuse(CFG['lr'], CFG['depth'])\n", ["CFG.lr", "CFG.depth"]),
        ("t.py", "@dataclass\nclass J:\n    lr: float = 0.1\nj = tyro.cli(J)\nuse(j.lr)\n", ["J.lr"]),
        ("t.py", "@dataclass\nclass J:\n    lr: float = 0.1\nuse(J(lr=3).lr)\n", []),
        ("t.py", "def train(lr=0.1):\n    use(lr)\ntrain(lr=0.3)\n", []),
        ("t.py", "def train(lr=0.1):\n    use(lr)\ntrain()\n", ["train.lr"]),
        ("t.py", "import sys\nprint(sys.argv)\n", []),
    ],
)
def test_each_shape_has_something_to_turn_unless_its_default_counts_nowhere(
    path: str, text: str, names: list[str]
) -> None:
    assert turned({path: text}) == names


def test_what_only_a_locked_file_reads_is_alive_beside_what_nobody_reads() -> None:
    files = {"params.py": "ALPHA = 2\nBETA = 0.5\nGAMMA = 3\ndef helper():\n    return GAMMA\n"}
    assert turned(files) == ["GAMMA"]
    assert turned(files, Rules(outside=frozenset({"ALPHA"}))) == ["ALPHA", "GAMMA"]
    assert left(files)["BETA"] == "nothing reads it"


def test_an_option_that_the_command_gives_is_not_turned() -> None:
    text = 'p.add_argument("--lr", default=0.1)\np.add_argument("--wd", default=0.2)\nuse(**vars(a))\n'
    assert turned({"t.py": text}, Rules(words=("python", "t.py", "--lr=0.3"))) == ["--wd"]
    assert turned({"t.py": text}, Rules(words=("python", "t.py", "--lr", "0.3"))) == ["--wd"]


@pytest.mark.parametrize(
    ("path", "text", "word"),
    [
        ("train.py", "max_lr = 0.1\ndepth = 4\nexec(open(conf).read())\nuse(max_lr, depth)\n", "--max_lr=3"),
        ("train.py", "@dataclass\nclass J:\n    max_lr: float = 0.1\n    depth: int = 4\nuse(tyro.cli(J))\n",
         "--optim.max-lr"),
        ("conf.yaml", "optim:\n  lr: 0.1\n  depth: 4\n", "optim.lr=0.3"),
    ],
)  # fmt: skip
def test_what_the_command_sets_is_not_turned_elsewhere(path: str, text: str, word: str) -> None:
    assert len(turned({path: text})) == 2
    assert turned({path: text}, Rules(words=("python", "train.py", word))) == turned({path: text})[1:]
    assert len(turned({path: text}, Rules(words=("python", "train.py", "lr", "3", "lr=2")))) == 2


def test_prose_is_not_told_as_a_setting() -> None:
    text = 'p = argparse.ArgumentParser(description="Train it well")\np.add_argument("--seed", default=3)\n'
    said = told(
        space_of({"t.py": f'{text}p.add_argument("--lr", default=0.1)\nuse(**vars(p.parse_args()))\n'})
    )
    assert said == "1 thing: --lr (0.1); left alone: --seed: seed: it measures, limits or names"


def test_minus_one_is_a_mark_and_no_size() -> None:
    files = {"t.py": "STEPS = -1\nSHIFT = -2.0\nuse(STEPS, SHIFT)\n"}
    assert turned(files) == ["SHIFT"]
    assert left(files)["STEPS"] == "-1: it seems to stand for none or all"
    assert turned(files, Rules(turn=("STEPS",))) == ["STEPS", "SHIFT"]


def test_a_human_overrules_names_and_a_name_beats_a_pattern() -> None:
    files = {"t.py": "SEED = 3\nLR = 0.1\nDEPTH = 4\nZERO = 0\nuse(SEED, LR, DEPTH, ZERO)\n"}
    assert turned(files) == ["LR", "DEPTH"]
    assert turned(files, Rules(turn=("SEED", "ZERO"))) == ["SEED", "LR", "DEPTH", "ZERO"]
    assert turned(files, Rules(leave=("L*",))) == ["DEPTH"]
    assert turned(files, Rules(leave=("*",), turn=("t.py:DEPTH",))) == ["DEPTH"]
    assert turned(files, Rules(leave=("DEPTH",), turn=("*",))) == ["SEED", "LR", "ZERO"]
    assert left(files, Rules(leave=("LR",)))["LR"] == "`leave:` says so"
    forced = propose({"t.py": "COUNT = 0\nuse(COUNT)\n"}, (), seed=0, number=1, rules=Rules(turn=("COUNT",)))
    assert forced is not None and int(forced.changes[0].new) in (1, 2)


def test_names_that_are_nowhere_are_said_with_the_nearest() -> None:
    files = {"t.py": 'p.add_argument("--learning-rate", default=0.1)\nBETAS = (0.9, 0.95)\nuse(BETAS)\n'}
    fine = Rules(
        turn=("--learning-rate", "learning_rate", "BETAS", "BETAS[0]", "t.py:BETAS", "BET*"), leave=("*",)
    )
    assert unknown_names(files, fine) == []
    (said,) = unknown_names(files, Rules(leave=("--lerning-rate",)))
    assert said == "leave: `--lerning-rate` names nothing in t.py: did you mean `--learning-rate`?"
    (other,) = unknown_names(files, Rules(turn=("Q",)))
    assert other.startswith("turn: `Q` names nothing in t.py: there are --learning-rate,")


def test_empty_and_exhausted_have_words_of_their_own() -> None:
    files = {"t.py": "SEED = 3\nuse(SEED)\n", "notes.txt": "hello"}
    said = nothing_to_turn(space_of(files), files)
    for part in ("notes.txt, t.py", "SEED: seed", "no format", "`turn:`", "ANTHROPIC_API_KEY"):
        assert part in said
    assert "\n" not in said
    assert everything_tried(space_of({"t.py": "LR = 0.1\nuse(LR)\n"})).startswith(
        "everything was tried: every step of LR"
    )


def past(number: int, change: Change, effect: float = 0.02) -> PastExperiment:
    return PastExperiment(
        number, (change,), f"Set {change.name}", "optimization", "discarded", effect, 0.001, False, {}
    )


def test_two_constants_of_one_name_are_turned_apart_and_their_past_follows_them() -> None:
    """A campaign that began with one LR goes on when a second file has one too."""
    files = {"a.py": "LR = 0.1\nuse(LR)\n", "b.py": "LR = 0.4\nuse(LR)\n"}
    assert turned(files) == ["a.py:LR", "b.py:LR"]
    history = [past(1, Change("a.py", "LR", "0.1", "0.2")), past(2, Change("a.py", "LR", "0.1", "0.05"))]
    seen: set[tuple[str, str]] = set()
    for number in range(3, 8):
        proposal = propose(files, history, seed=0, number=number)
        assert proposal is not None
        (change,) = proposal.changes
        assert (change.file, change.new) not in seen | {("a.py", "0.2"), ("a.py", "0.05")}
        assert constant_values({change.file: proposal.files[change.file]})["LR"] == change.new
        assert set(proposal.files) == {change.file}
        seen.add((change.file, change.new))
        history.append(past(number, change))
    assert {file for file, _ in seen} == {"a.py", "b.py"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("conf.yaml", "lr: 0.1  # rate\nmodel:\n  depth: 4\n"),
        ("conf.json", '{"lr": 0.1, "model": {"depth": 4}}\n'),
        (
            "t.py",
            '\ufeffp.add_argument("--lr", default=0.1)\r\np.add_argument("--n", default=4)\r\nuse(**vars(a))\r\n',
        ),
        ("prog.cu", "#define N 8\n#define M 4.0f\nint f() { return N * M; }\n"),
        ("run.sh", "python t.py --lr 0.1 --depth 4\n"),
    ],
)
def test_a_campaign_on_any_format_never_repeats_and_the_rules_approve(path: str, text: str) -> None:
    files, history, tried = {path: text}, list[PastExperiment](), dict[str, int]()
    for number in range(1, 9):
        proposal = propose(files, history, seed=1, number=number)
        assert proposal is not None
        assert repeats(proposal, history, files=files, failures=None) is None
        assert edit_beside(files, proposal.files, proposal.changes) == ""
        answer = review(editable=[path], base=files, proposed=proposal.files, tried=tried)
        assert answer.approved, answer.reasons
        tried[fingerprint({**files, **proposal.files})] = number
        history.append(replace(past(number, proposal.changes[0]), changes=proposal.changes))
    assert len(tried) == 8


def test_the_review_knows_seeds_and_mere_comments_in_every_format() -> None:
    for path, text, new in (
        ("a.yaml", "seed: 3\nlr: 0.1\n", "seed: 4\nlr: 0.1\n"),
        ("a.json", '{"run": {"seed": 3}}', '{"run": {"seed": 4}}'),
        ("a.py", 'p.add_argument("--seed", default=3)\n', 'p.add_argument("--seed", default=4)\n'),
        ("a.c", "#define SEED 3\n", "#define SEED 4\n"),
    ):
        said = review(editable=[path], base={path: text}, proposed={path: new}, tried={}).reasons
        assert any("It changes a seed" in each for each in said), path
    formatted = review(
        editable=["a.yaml"], base={"a.yaml": "lr: 1\n"}, proposed={"a.yaml": "# x\nlr: 1\n"}, tried={}
    )
    assert formatted.reasons == ("Only comments or format change.",)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_in_each_of_thirty_real_shapes_what_may_be_turned_is_found_and_nothing_that_measures(
    shape: Shape,
) -> None:
    rules = Rules(words=shape.words, outside=shape.outside)
    assert turned(dict(shape.files), rules) == list(shape.turned)
    proposal = propose(shape.files, (), seed=0, number=1, rules=rules)
    assert (proposal is None) == (not shape.turned)
    if proposal is not None:
        assert {change.name for change in proposal.changes} <= set(shape.turned)
        assert constant_values({**shape.files, **proposal.files}) != constant_values(shape.files)
        assert all(text.count("\r") == shape.files[path].count("\r") for path, text in proposal.files.items())
