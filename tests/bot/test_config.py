"""The configuration: defaults, refusals, and what is rendered from the model."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from bot.config import Config, parse
from bot.config.docs import commented_example, schema, schema_text
from bot.config.evaluator import warn_once
from bot.errors import UserError
from tests.families import few

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "{}"])
def test_empty_file_means_the_defaults(text: str) -> None:
    assert parse(text) == ("main", Config())


def test_example_documents_every_key_and_shows_the_defaults() -> None:
    example = commented_example()
    uncommented = "\n".join(line.removeprefix("# ") for line in example.splitlines()[3:])
    data = yaml.safe_load(uncommented)
    campaigns = data.pop("campaigns")
    assert set(campaigns) == {"optimizer", "architecture"}
    assert parse(yaml.safe_dump(data))[1] == Config()
    assert data == Config().model_dump(mode="json")
    assert parse(example) == ("main", Config())


BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in itertools.pairwise("abcdefghij")
)
REFUSED = [
    ("editabel: [train.py]", "editabel: unknown key, did you mean `editable`?"),
    ("verdict: {confidance: 0.9}", "verdict.confidance: unknown key, did you mean `confidence`?"),
    ("stop: {zzz: 1}", "stop.zzz: unknown key, known keys: goal,"),
    ("stop: {goal: low}", "stop.goal: should be a valid number, not 'low'"),
    ("seed: 1.5", "seed: should be a valid integer, not 1.5"),
    ("seed: true", "seed: should be a valid integer, not True"),
    ("verdict: {confidence: 1}", "verdict.confidence: should be less than 1, not 1"),
    ("evaluator: {budget: {kind: laps}}", "evaluator.budget.kind: should be 'wall', 'cpu' or 'steps', not"),
    ("evaluator: {kind: command}", "evaluator: kind: command needs the key `command`"),
    ("evaluator: {produce: [python, a.py]}", "evaluator: `produce` and `repeats` go with kind: command"),
    ("evaluator: {call: [a.py]}", "evaluator: `call` goes with kind: command, and not with `produce`"),
    (
        "evaluator: {kind: command, command: [a], call: [../a.py]}",
        "evaluator: call: '../a.py' is not a path inside",
    ),
    ("evaluator: {repeats: 0}", "evaluator.repeats: should be greater than or equal to 1, not 0"),
    ("evaluator: {jail: chroot}", "evaluator.jail: should be 'auto', 'bubblewrap', 'landlock' or 'none'"),
    ("evaluator: {data: exam}", "evaluator.data: should be a valid list, not 'exam'"),
    ("evaluator: {guards: [a <= 3, b =< 2]}", "evaluator.guards.1: write NAME <= LIMIT (or >=, <, >) with a"),
    ("evaluator: 3", "evaluator: should be a valid dictionary"),
    ("editable: [../outside.py]", "editable: '../outside.py' is not a path inside the repository"),
    ("editable: [/etc/passwd]", "editable: '/etc/passwd' is not a path inside"),
    ("editable: [.github/nocturne.yml]", "editable: '.github/nocturne.yml' is not a path inside"),
    ("editable: []", "editable: "),
    ("editable: train.py", "editable: should be a valid list, not 'train.py'"),
    (
        "evaluator: {command: python score.py}",
        "evaluator.command: should be a valid list, not 'python score.py': write [python, score.py]",
    ),
    (
        "evaluator: {guards: a <= 3}",
        "evaluator.guards: should be a valid list, not 'a <= 3': write [\"a <= 3\"]",
    ),
    (
        "evaluator: {metric: {name: acc}}",
        "evaluator: metric: can be chosen if kind is command; train measures val_bpb",
    ),
    (
        "evaluator: {kind: command, command: [a], data: [/etc]}",
        "evaluator.data.0: '/etc' belongs to the system",
    ),
    (
        "evaluator: {kind: command, command: [a], data: [train.py]}",
        "evaluator.data: 'train.py' is under `editable` too",
    ),
    ("editable: [a.py, b.py, a.py]", "editable: 'a.py' is named twice: leave one of them"),
    ("editable: [./train.py]", "editable: './train.py' is not how git writes it: write 'train.py'"),
    (
        "verdict: {min_runs: 6, max_runs: 5}",
        "verdict: min_runs (6) is above max_runs (5), so that no candidate",
    ),
    ("stop: {deadline: tomorrow}", "stop.deadline: should match "),
    ("stop: {deadline: 25:00}", "stop.deadline: should match "),
    ("stop: {deadline: '2026-13-45'}", "stop: deadline '2026-13-45' is no date and time (month must be in"),
    ("stop: {deadline: 2026-13-45}", "not valid YAML: month must be in 1..12: fix the date"),
    (
        "seed: 1\nstop: {plateau: 3}\nseed: 2",
        "line 3: the key `seed` is given twice (it is in line 1 too): leave one",
    ),
    ("stop:\n  goal: 1\n  goal: 2", "line 3: the key `goal` is given twice"),
    ("editable: &a [*a]", "line 1: an alias (*name) holds itself"),
    ("stop: &a {goal: *a}", "line 1: an alias (*name) holds itself"),
    (BOMB, "line 5: its aliases unfold to more than 20,000 values"),
    ("seed: " + "[" * 5000, "not valid YAML: brackets within brackets without end"),
    (
        "stop:\n\tgoal: 1",
        "line 2: not valid YAML: found character '\\t' that cannot start any token: indent with spaces",
    ),
    ("seed: \x01", "not valid YAML: it holds characters that no text has: save it as UTF-8"),
    ("campaigns: {ledger: {}}", "campaigns.ledger: this name is taken"),
    ("campaigns: {Big Name: {}}", "campaigns.Big Name"),
    ("campaigns: {a: {sede: 1}}", "campaigns.a.sede: unknown key, did you mean `seed`?"),
    ("campaigns: {a: {}, b: {}}", "several campaigns (a, b): choose one with --campaign NAME"),
    ("- a\n- b", "holds a list, expected `key: value` lines"),
    ("a: [", "line 1: not valid YAML"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=[text for text, _ in REFUSED])
def test_wrong_file_is_refused_in_one_line_with_key_and_mend(text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(text)
    message = str(caught.value)
    assert message.startswith(f".github/nocturne.yml: {said}")
    assert "\n" not in message


def test_named_campaigns_share_and_differ() -> None:
    text = "seed: 3\nstop: {plateau: 9, goal: 0.9}\ncampaigns:\n  a: {seed: 5}\n  b: {stop: {goal: 0.8}}\n"
    assert parse(text, campaign="a")[1].seed == 5
    name, config = parse(text, campaign="b")
    assert (name, config.seed, config.stop.plateau, config.stop.goal) == ("b", 3, 9, 0.8)
    with pytest.raises(UserError, match="there is no campaign 'c', there are: a, b"):
        parse(text, campaign="c")


@pytest.mark.parametrize("written", ["2026-11-30T07:00", "2026-11-30 07:00:00", "'2026-11-30 07:00'"])
def test_deadline_may_be_written_as_yaml_dates_are(written: str) -> None:
    deadline = parse(f"stop: {{deadline: {written}}}")[1].stop.deadline
    assert deadline is not None and deadline.replace(" ", "T") == "2026-11-30T07:00"


def test_schema_is_the_committed_one() -> None:
    committed = (ROOT / ".github" / "nocturne.schema.json").read_text()
    assert committed == schema_text(), "run `make schema`"


BEYOND_SCHEMA = (
    "kind: command",
    "metric: {",
    "./train",
    "a.py, b.py",
    "min_runs: 6",
    "seed: ",
    "stop:\n",
    "stop: &a",
    "&a [",
    "produce:",
    "call:",
    "guards: [",
    "editable: [.",
    "editable: [/",
    "campaigns: {",
    "a: [",
    "deadline",
)


@pytest.mark.parametrize(
    "text", few([t for t, _ in REFUSED if not any(part in t for part in BEYOND_SCHEMA)], 5)
)
def test_schema_refuses_what_the_program_refuses(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(json.dumps(yaml.safe_load(text))), schema())


def test_schema_accepts_the_example_and_its_defaults() -> None:
    jsonschema.validate(Config().model_dump(mode="json"), schema())
    jsonschema.validate({"campaigns": {"a": {"seed": 1}}}, schema())


def test_the_old_name_of_a_jail_is_bubblewrap_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    warn_once.cache_clear()
    for _ in range(2):
        assert parse("evaluator: {jail: namespaces}")[1].evaluator.jail == "bubblewrap"
    assert capsys.readouterr().err == (
        "nocturne: evaluator.jail: namespaces is bubblewrap now: write `jail: bubblewrap`\n"
    )


@pytest.mark.parametrize(
    ("keys", "aim"),
    [("confidence: 0.99", "careful"), ("confidence: 0.95", "balanced"), ("confidence: 0.8, max_runs: 3", "fast"),
     ("min_runs: 2, aim: careful", "careful")],
)  # fmt: skip
def test_the_rule_of_earlier_releases_is_translated_with_one_line(
    keys: str, aim: str, capsys: pytest.CaptureFixture[str]
) -> None:
    warn_once.cache_clear()
    for _ in range(2):
        assert parse(f"verdict: {{{keys}}}")[1].verdict.aim == aim
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"write `verdict: {{aim: {aim}}}`" in said
