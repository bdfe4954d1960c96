"""The rule-based review: every rule, both ways."""

from __future__ import annotations

import pytest

from bot.agents.review import GrowthLimits, Review, fingerprint, review
from bot.agents.sources import missing_modules

BASE = {
    "train.py": (
        '"""Train."""\nimport torch\n\nSEED = 42\nLR = 0.1\n\n\ndef main(model):\n'
        "    torch.manual_seed(SEED)\n    model.eval()\n    return torch.compile(model), LR\n"
    )
}


def said(train: str, *, limits: GrowthLimits | None = None, base: dict[str, str] | None = None) -> Review:
    return review(
        editable=["train.py"], base=base or BASE, proposed={"train.py": train}, tried={}, limits=limits
    )


def with_line(line: str) -> str:
    return BASE["train.py"] + line + "\n"


def test_an_honest_change_passes() -> None:
    assert said(BASE["train.py"].replace("0.1", "0.2")) == Review(True, ())


def test_only_editable_files() -> None:
    outcome = review(
        editable=["train.py"],
        base=BASE,
        proposed={"train.py": with_line("X = 1"), "prepare.py": "X = 1\n"},
        tried={},
    )
    assert not outcome.approved
    assert outcome.reasons == ("prepare.py is not among the editable files (train.py).",)


def test_something_must_change_and_more_than_comments() -> None:
    assert said(BASE["train.py"]).reasons == ("Nothing changes.",)
    for same in (
        with_line("# a remark"),
        BASE["train.py"].replace("LR = 0.1", "LR  =  0.10"),
        BASE["train.py"].replace('"""Train."""', '"""Train well."""'),
    ):
        assert said(same).reasons == ("Only comments or format change.",)


def test_it_must_parse_and_the_line_is_named() -> None:
    outcome = said(with_line("def ("))
    assert not outcome.approved
    assert "train.py does not parse: line 12" in outcome.reasons[0]


def test_growth_is_limited() -> None:
    lines = "\n".join(f"x{i} = {i}" for i in range(300))
    assert said(with_line(lines)).approved
    assert "characters" in said(with_line(lines), limits=GrowthLimits(added_characters=1000)).reasons[0]


def test_what_was_tried_is_not_tried_again() -> None:
    candidate = {"train.py": with_line("X = 1")}
    tried = {fingerprint({"train.py": with_line("X  = 1  # once more")}): 7}
    outcome = review(editable=["train.py"], base=BASE, proposed=candidate, tried=tried)
    assert outcome.reasons == ("Experiment 7 already tried exactly this.",)
    other = {"train.py": with_line("X = 2")}
    assert review(editable=["train.py"], base=BASE, proposed=other, tried=tried).approved


def test_the_fingerprint_sees_what_runs_and_nothing_else() -> None:
    assert fingerprint({"a.py": "x = 1 # a\n"}) == fingerprint({"a.py": "x=1\n"})
    assert fingerprint({"a.py": "x = 1\n"}) != fingerprint({"a.py": "x = 2\n"})
    assert fingerprint({"a.py": "x = 1\n"}) != fingerprint({"b.py": "x = 1\n"})
    assert fingerprint({"a.txt": "x = 1"}) != fingerprint({"a.txt": "x  = 1"})


@pytest.mark.parametrize(
    ("line", "fine"),
    [
        (f"X = '{'a' * 2001}'", False),
        (f"X = b'{'a' * 2001}'", False),
        (f"X = '{'a' * 1999}'", True),
        (f"X = {list(range(501))}", False),
        (f"X = {[[i] * 10 for i in range(60)]}", False),
        (f"X = {dict.fromkeys(range(251), 1)}", False),
        (f"X = {tuple(range(400))}", True),
        # in pieces, each of which is small
        ("\n".join(f"X{n} = '{'a' * 1900}'" for n in range(4)), False),
        (f"X = {['a' * 100 for _ in range(65)]}", False),
        ("\n".join(f"X{n} = {list(range(400))}" for n in range(4)), False),
        ("\n".join("x=1" for _ in range(1600)), False),
        ("def f():\n    '" + "word " * 380 + "'", True),
    ],
)
def test_embedded_data(line: str, fine: bool) -> None:
    outcome = said(with_line(line))
    assert outcome.approved is fine
    assert fine or (len(outcome.reasons) == 1 and "embeds data" in outcome.reasons[0])


def test_data_that_the_incumbent_has_may_stay() -> None:
    base = {"train.py": with_line(f"X = '{'a' * 2500}'")}
    assert said(base["train.py"].replace("0.1", "0.2"), base=base).approved


@pytest.mark.parametrize(
    "module",
    [
        *("socket", "requests", "urllib", "subprocess", "ctypes", "multiprocessing", "importlib", "builtins"),
        *(
            "http",
            "asyncio",
            "_socket",
            "ftplib",
            "_posixsubprocess",
            "pty",
            "runpy",
            "pkgutil",
            "_ctypes",
            "cffi",
        ),
    ],
)
def test_new_imports_that_training_does_not_need(module: str) -> None:
    for line in (f"import {module}", f"from {module} import x", f"import {module}.x as y"):
        outcome = said(with_line(line))
        assert outcome.reasons == (f"It newly imports {module}, which training code does not need.",)
    base = {"train.py": f"import {module}\n" + BASE["train.py"]}
    assert said(base["train.py"].replace("0.1", "0.2"), base=base).approved


@pytest.mark.parametrize(
    ("line", "fine"),
    [
        ("import os\nos.system('curl x')", False),
        ("from os import popen as p\np('curl x')", False),
        ("import posix\nif posix.fork() == 0:\n    pass", False),
        ("import os as o\no.posix_spawn('/bin/sh', [], {})", False),
        ("import shutil\nshutil.os.execv('/bin/sh', [])", False),
        ("import torch\ntorch.multiprocessing.spawn(print)", False),
        ("from concurrent.futures import ProcessPoolExecutor as P\nP()", False),
        ("import concurrent.futures as c\nc.ProcessPoolExecutor()", False),
        ("from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor()", True),
        ("import os\nos.makedirs('out', exist_ok=True)", True),
        ("game.system('x')", True),
    ],
)
def test_processes_are_not_started_by_any_name(line: str, fine: bool) -> None:
    outcome = said(with_line(line))
    assert outcome.approved is fine, outcome.reasons


@pytest.mark.parametrize(
    ("line", "fine"),
    [
        ("exec('x = 1')", False),
        ("eval('1')", False),
        ("run = eval", False),
        ("compile('1', '', 'eval')", False),
        ("__import__('os')", False),
        ("def f(compile):\n    return compile('1')", False),
        ("def f(model, compile=True):\n    return torch.compile(model) if compile else model.eval()", True),
    ],
)
def test_built_ins_that_run_text(line: str, fine: bool) -> None:
    assert said(with_line(line)).approved is fine


def test_one_eval_in_the_incumbent_does_not_allow_a_second() -> None:
    base = {"train.py": with_line("Y = eval('1')")}
    assert said(base["train.py"].replace("0.1", "0.2"), base=base).approved
    assert not said(base["train.py"] + "Z = eval('2')\n", base=base).approved


@pytest.mark.parametrize(
    ("old", "new", "fine"),
    [
        ("SEED = 42", "SEED = 137", False),
        ("manual_seed(SEED)", "manual_seed(137)", False),
        ("manual_seed(SEED)", "manual_seed(SEED + 1)", False),
        ("manual_seed(SEED)", "manual_seed(len(NAME))", False),
        ("manual_seed(SEED)", "manual_seed(STEPS)", False),
        ("manual_seed(SEED)", "manual_seed(SEED); torch.random.manual_seed(hash(NAME))", False),
        ("LR = 0.1", "LR = 0.1\nN_SEEDLINGS = 3", True),
        ("LR = 0.1", "LR = 0.3", True),
    ],
)
def test_seeds_stay(old: str, new: str, fine: bool) -> None:
    outcome = said(BASE["train.py"].replace(old, new))
    assert outcome.approved is fine
    assert fine or "seed" in outcome.reasons[0]


def test_other_files_are_only_checked_for_size() -> None:
    base = {**BASE, "notes.txt": "a"}

    def outcome(text: str) -> Review:
        return review(editable=["train.py", "notes.txt"], base=base, proposed={"notes.txt": text}, tried={})

    assert outcome("import socket; eval( " + "x" * 5000).approved
    assert not outcome("x" * 20_100).approved


PLAIN = {"train.py": "LR = 1\n"}
DEEP = {
    "a sum": "LR = " + "+".join(["1"] * 2_000),
    "minus signs": "LR = " + "-" * 2_000 + "1",
    "attributes": "LR = a" + ".a" * 2_500,
    "calls": "LR = f" + "()" * 2_500,
    "branches": "if a: pass\n" + "elif a: pass\n" * 900,
    "lists": "LR = " + "[" * 180 + "]" * 180,
    "digits in hexadecimal": "LR = 0x" + "f" * 15_000,
    "digits": "LR = " + "9" * 5_000,
    "a null character": "LR = 1\0",
}
ODD = {"a power": "SIZE = 9**9**9", "half a character": "LR = '\\ud800'", "a byte order mark": "\ufeffLR = 2"}


@pytest.mark.parametrize("name", DEEP)
def test_a_source_too_deep_for_a_parser_is_refused_in_one_line(name: str) -> None:
    reasons = said(DEEP[name] + "\n", base=PLAIN).reasons
    assert reasons and reasons[0].startswith("train.py does not parse: ") and "\n" not in reasons[0]


@pytest.mark.parametrize("name", ODD)
def test_an_odd_source_that_parses_is_reviewed_like_any_other(name: str) -> None:
    assert said(ODD[name] + "\n", base=PLAIN).approved


@pytest.mark.parametrize("name", [*DEEP, *ODD])
def test_the_imports_of_no_source_end_in_an_error(name: str) -> None:
    proposed = {"train.py": (DEEP | ODD)[name] + "\n"}
    assert missing_modules(PLAIN, proposed, own=(), is_there=lambda _: True) == {}
