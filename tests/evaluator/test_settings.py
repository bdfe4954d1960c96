"""Settings are read strictly: a mistake is one line that names the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluator import settings
from evaluator.errors import UserError
from evaluator.settings import Budget, Metric, Settings
from tests.evaluator.runs import score


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ([], "must be a mapping"),
        ({"budgett": {}}, "budgett: unknown key"),
        ({"version": 2}, "version: 2 is not known"),
        ({"kind": "train "}, "kind: must be one of command, train"),
        ({"budget": {"kind": "minutes"}}, "budget: kind: must be one of wall, cpu, steps"),
        ({"budget": {"kind": "cpu", "amount": 0}}, "budget: amount: must be a number greater than 0"),
        ({"budget": {"kind": "cpu", "amount": True}}, "budget: amount: must be a number"),
        ({"budget": {"seconds": 1}}, "budget: seconds: unknown key; known are kind, amount"),
        ({"startup_seconds": "2"}, "startup_seconds: must be a number"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds: must be a number"),
        ({"warmup_seconds": -1}, "warmup_seconds: must be a number of at least 0"),
        ({"threads": 1.5}, "threads: must be a whole number"),
        ({"audit_factor": 0}, "audit_factor: must be a whole number from 1 to 100, not 0"),
        ({"audit_factor": 101}, "audit_factor: must be a whole number from 1 to 100"),
        ({"audit_factor": True}, "audit_factor: must be a whole number"),
        ({"eval_tokens": 0}, "eval_tokens: must be a whole number of at least 1"),
        ({"kind": "command"}, "command: must be given"),
        ({"kind": "command", "command": "python x.py"}, "command: must be a list of texts"),
        ({"kind": "command", "command": ["a\0b"]}, "command: must be a text"),
        ({"metric": {"direction": "up"}}, "metric: direction: must be one of minimize, maximize"),
        ({"metric": {"name": "accuracy"}}, "metric: can be chosen if kind is command"),
        ({"editable": "train.py"}, "editable: must be a list"),
    ],
)
def test_a_mistake_is_named(raw: object, said: str) -> None:
    with pytest.raises(UserError) as caught:
        settings.parse(raw, "settings")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_everything_can_be_said() -> None:
    raw = {
        "version": 1,
        "kind": "command",
        "budget": {"kind": "steps", "amount": None},
        "startup_seconds": 1,
        "evaluation_seconds": 2,
        "threads": None,
        "eval_tokens": None,
        "memory_mb": 64,
        "command": ["python", "bench.py"],
        "timeout_seconds": 3,
        "metric": {"name": "accuracy", "direction": "maximize"},
        "editable": ["a.py", "b.py"],
    }
    assert settings.parse(raw, "settings") == Settings(
        kind="command",
        budget=Budget("steps", None),
        startup_seconds=1.0,
        evaluation_seconds=2.0,
        memory_mb=64,
        command=("python", "bench.py"),
        timeout_seconds=3.0,
        metric=Metric("accuracy", "maximize"),
        editable=("a.py", "b.py"),
    )


def test_the_repositorys_own_configuration_is_used_unless_another_is_given(tmp_path: Path) -> None:
    (tmp_path / ".github").mkdir()
    assert settings.load(tmp_path, None) == Settings()
    (tmp_path / ".github" / "nocturne.yml").write_text("campaign: x\nevaluator:\n  threads: 3\n")
    assert settings.load(tmp_path, None).threads == 3
    (tmp_path / "other.json").write_text('{"threads": 2}')
    assert settings.load(tmp_path, str(tmp_path / "other.json")).threads == 2
    (tmp_path / ".github" / "nocturne.yml").write_text("evaluator: [\n")
    with pytest.raises(UserError, match=r"nocturne\.yml: neither JSON nor YAML"):
        settings.load(tmp_path, None)


@pytest.mark.long
def test_on_the_command_line_a_mistake_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    for repo, given, more, said in (
        (tmp_path / "missing", {}, (), "no such folder"),
        (tmp_path, {"thread": 1}, (), "thread: unknown key"),
        (tmp_path, {}, (), "no train.py"),
        (tmp_path, {}, ("--train", str(tmp_path / "none.py")), "none.py: no such file"),
        (tmp_path, {}, ("--out", "/proc/nocturne"), "/proc/nocturne"),
    ):
        outcome = score(repo, given, *more)
        assert outcome.returncode == 2
        assert outcome.stderr.startswith("error: ") and outcome.stderr.count("\n") == 1
        assert said in outcome.stderr
        assert [event["event"] for event in outcome.events] == ["error"]
        assert said in outcome.last["message"]
    (tmp_path / "train.py").write_text("")
    assert "no prepare.py" in score(tmp_path, {}).stderr


def test_the_old_name_of_a_jail_is_bubblewrap_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert settings.parse({"jail": "namespaces"}, "settings").jail == "bubblewrap"
    assert (
        capsys.readouterr().err == "settings: jail: namespaces is bubblewrap now: write `jail: bubblewrap`\n"
    )
