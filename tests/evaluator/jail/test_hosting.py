"""The host of mechanisms: what they can reach is nothing, what they say is bounded, and what ends them is told."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from evaluator import cli, hosting
from evaluator.errors import UserError
from evaluator.hosting import NoAnswer, Question, answers
from evaluator.jail import choose, seccomp
from evaluator.jail.landlock import find_landlock
from evaluator.jail.unjailed import Unjailed
from tests import mechanisms
from tests.evaluator.jail.test_seccomp import ARCHITECTURE, EPERM, decide
from tests.evaluator.jail.world import skip_unless_possible
from tests.mechanisms import AT_ONCE, ESCAPED, GOOD, LATE, Bad, steering

# Every attempt in one process: its name, and what it should not be able to do.
_ATTEMPTS = {
    "process": "os.fork()",
    "program": "subprocess.run(['/bin/true'])",
    "thread": "threading.Thread(target=print).start()",
    "memory": "len(bytearray(2 << 30))",
    "network": "socket.create_connection(('1.1.1.1', 443), 1)",
    "host's accounts": "open('/etc/shadow').read()",
    "write": "os.write(os.open('/tmp/left', os.O_CREAT | os.O_WRONLY), b'x')",
    "write in its scratch": "os.write(os.open(sys.path[-1] + '/left', os.O_CREAT | os.O_WRONLY), b'x')",
    "change of numpy": "os.open(numpy.__file__, os.O_WRONLY)",
    "memory without a name": "os.write(os.memfd_create('x'), b'x')",
    "bot": "__import__('bot')",
    "evaluator": "__import__('evaluator')",
    "packages": "__import__('anthropic')",
    "this repository": f"os.listdir({str(mechanisms.__file__.rpartition('/')[0])!r})",
    "our own process": "open('/proc/%d/environ' % OURS).read()",
    "more time": "resource.setrlimit(resource.RLIMIT_CPU, (100, 100))",
}
_PROBE = """
import os, subprocess, sys, threading, socket, resource, numpy
OURS = {ours}
def steer(view):
    print("words beside the answer", flush=True)
    os.write(1, b'{{"value": "words on its output"}}\\n')
    found = {{}}
    for name, what in view.items():
        try:
            eval(what)
            found[name] = ""
        except BaseException as error:
            found[name] = type(error).__name__
    return {{"found": found, "mean": float(numpy.mean([1, 2])), "variables": sorted(os.environ)}}
def screen(view, proposal):
    return None
"""
OWN = {"LC_CTYPE", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED"}


def asked(
    source: str, questions: Sequence[tuple[str, list[Any]]], *, jail: str = "auto", together: bool = True
) -> list[Any]:
    lines = [Question(json.dumps({"ask": ask, "given": given}).encode()) for ask, given in questions]
    return list(answers(source, lines, choose(jail), together=together))


@pytest.fixture(params=["bubblewrap", pytest.param("landlock", marks=pytest.mark.long)])
def jail(request: pytest.FixtureRequest) -> str:
    skip_unless_possible(jail=request.param)
    return str(request.param)


def test_it_reaches_nothing_but_python_numpy_and_its_question(
    jail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret")
    [said] = asked(_PROBE.format(ours=os.getpid()), [("steer", [_ATTEMPTS])], jail=jail)
    assert said["mean"] == 1.5
    assert [name for name, error in said["found"].items() if not error] == []
    assert set(said["variables"]) - OWN <= (
        {"TORCHINDUCTOR_COMPILE_THREADS"} if jail == "landlock" else set()
    )


def test_each_question_has_a_fresh_process_unless_they_are_asked_together(jail: str) -> None:
    source = steering("calls.append(view)\nreturn {'note': str(calls)}", "calls = []")
    questions: list[tuple[str, list[Any]]] = [("steer", [{}]), ("screen", [{}, {}])] * 2
    notes = [{"note": "[{}]"}, None, {"note": "[{}]"}, None]
    assert asked(source, questions, jail=jail, together=False) == notes
    assert asked(source, questions, jail=jail) == [*notes[:2], {"note": "[{}, {}]"}, None]


@pytest.mark.parametrize(
    "name", ["ends its process", "answers what it was not asked", "huge output", "half a character"]
)
def test_what_gives_no_answer_is_named(name: str) -> None:
    _ends(name, AT_ONCE[name], "bubblewrap")


@pytest.mark.parametrize(
    "name", ["endless", *(pytest.param(each, marks=pytest.mark.long) for each in LATE if each != "endless")]
)
def test_what_does_not_end_is_ended(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = LATE[name]
    if "in all" in bad.says:  # each answer in time, and all of them late: as soon as three are
        monkeypatch.setattr(hosting, "SESSION_SECONDS", 3.0)
        bad = dataclasses.replace(bad, says="3 in all")
    _ends(name, bad, "bubblewrap")


@pytest.mark.long
def test_none_of_the_corpus_gets_what_it_wants_behind_landlock() -> None:
    skip_unless_possible(jail="landlock")
    for name, bad in AT_ONCE.items():
        if bad.ends == "answers" and bad.says != "screen":
            _ends(name, bad, "landlock")


def _ends(name: str, bad: Bad, jail: str) -> None:
    with pytest.raises(NoAnswer) as ended:
        said = asked(bad.source, [("steer", [{"past": []}])] * (40 if "in all" in bad.says else 1), jail=jail)
        raise AssertionError(f"{name}: {said}")
    assert any(word in ended.value.reason for word in bad.says.split("|")), (name, ended.value.reason)
    assert ESCAPED not in ended.value.reason


def test_without_a_jail_nothing_is_hosted() -> None:
    with pytest.raises(UserError, match="in a jail only"):
        list(answers(GOOD, [Question(b'{"ask": "steer", "given": []}')], Unjailed(), together=True))


@pytest.mark.parametrize(
    "line", [b"", b"[]", b'{"ask": "eval", "given": []}', b'{"ask": "steer"}', b"[" * 60_000, b" " * 70_000]
)
def test_a_question_is_an_object_of_bounded_size(line: bytes) -> None:
    with pytest.raises(UserError, match="a question"):
        Question(line)


def test_the_command_says_an_answer_a_line(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    skip_unless_possible()
    file = tmp_path / "mechanism.py"
    file.write_text(steering("return {'n': 1 / view['n']}"))
    lines = "".join(json.dumps({"ask": "steer", "given": [{"n": n}]}) + "\n" for n in (2, 0, 4))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    assert cli.main(["host", str(file), "--together"]) == cli.FAILED
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert said[0] == {"v": 1, "event": "answer", "value": {"n": 0.5}}
    assert (said[1]["event"], said[1]["class"], len(said)) == ("failed", "raised", 2)
    assert cli.main(["host", str(tmp_path / "missing.py")]) == cli.USER_ERROR


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_who_is_to_stay_alone_starts_nobody(machine: str) -> None:
    column = seccomp.column_of(machine)
    assert column is not None
    alone, usual = seccomp.program(machine, alone=True), seccomp.program(machine)
    for name, numbers in seccomp.STARTING.items():
        number = numbers[column]
        if number is None:
            assert name in ("fork", "vfork") and machine == "aarch64"
            continue
        assert decide(alone, ARCHITECTURE[machine], number, 0x003D0F00) == EPERM
        assert decide(usual, ARCHITECTURE[machine], number, 0x003D0F00) != EPERM
    assert len(seccomp.program(machine, bound=True, alone=True)) < 8 * 200


def test_landlock_is_a_jail_for_it_too() -> None:
    if find_landlock() is None:
        pytest.skip("this kernel has no Landlock")
    assert asked(GOOD, [("steer", [{"past": [1]}])], jail="landlock") == [{"note": "1 experiments"}]


def test_a_mechanism_has_a_size() -> None:
    with pytest.raises(NoAnswer, match="65536"):
        asked("#" * (hosting.MOST_BYTES + 1), [("steer", [{}])])
