"""What would spoil a night is said before anything is paid: by `doctor`, and by `run` in the same words."""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bot.agents.proposers.offline import OfflineProposer
from bot.agents.sources import imported_at_once
from bot.doctor.examination import repository
from bot.doctor.finding import Finding
from bot.loop.context import open_context
from bot.loop.packages import lacking
from bot.loop.start import ensure_started
from bot.tell.display import PlainDisplay
from tests.bot.repositories import CONFIG, SCORE, TRAIN, events, git, make_repository, nocturne
from tests.families import few

Files = Mapping[str, str | bytes | None]
"""What differs from the template: a file's content, or None to take it away."""
CONFIG_FILE = ".github/nocturne.yml"
WITHIN = CONFIG.replace("runner:", "  {}\nrunner:")


def config(more: str) -> Files:
    return {CONFIG_FILE: CONFIG + more}


def task(key: str) -> Files:
    """A key more under `evaluator`."""
    return {CONFIG_FILE: WITHIN.replace("{}", key)}


RED: Mapping[str, tuple[Files, str]] = {
    # The configuration
    "an unknown key": (config("stop: {experimints: 3}\n"), "did you mean `experiments`?"),
    "a key twice": (config("runner: other\n"), "line 6: the key `runner` is given twice (it is in line 5 too)"),
    "an alias in itself": (config("editable: &a [*a]\n"), "line 6: an alias (*name) holds itself"),
    "a tab": (config("stop:\n\tplateau: 3\n"), "line 7: not valid YAML: "),
    "no group": ({CONFIG_FILE: CONFIG.replace("loss}", "loss, pattern: loss}")}, "one group"),
    "no time of a day": (config("stop: {deadline: 25:00}\n"), "not '25:00': Local date and time"),
    "too many runs": (config("verdict: {min_runs: 9, max_runs: 8}\n"), "write `verdict: {aim: balanced}`"),
    "the system as data": (task("data: [/etc]"), "name the files that only the locked side may read"),
    "data that candidates change": (task("data: [train.py]"), "take it out of one of them"),
    "data that is not there": (task("data: [scroe.py]"), "evaluator.data: scroe.py: there is no such file or folder"),
    "nothing to read": (task("read: [~/nowhere-at-all]"), "add it, or take it out of .github/nocturne.yml"),
    "no guard": (task("guards: [loss small]"), "write NAME <= LIMIT"),
    "a metric of its own": ({CONFIG_FILE: "evaluator: {metric: {name: accuracy}}\n"}, "train measures val_bpb"),
    "a command and no kind": (
        {CONFIG_FILE: CONFIG.replace("  kind: command\n", "").replace("  metric: {name: loss}\n", "")},
        "`command` goes with kind: command",
    ),
    "no command": ({CONFIG_FILE: "evaluator: {kind: command}\n"}, "needs the key `command`"),
    "words in one": ({CONFIG_FILE: CONFIG.replace("[python3, score.py]", "python3 score.py")}, "[python3, score.py]"),
    "not UTF-8": ({CONFIG_FILE: CONFIG.encode("utf-16")}, ".github/nocturne.yml: is not UTF-8 text: save it"),
    "another ending": ({CONFIG_FILE: None, ".github/nocturne.yaml": CONFIG}, "git mv .github/nocturne.yaml"),
    "another place": ({CONFIG_FILE: None, "nocturne.yml": CONFIG}, "git mv nocturne.yml .github/nocturne.yml"),
    "no such branch": (config("base: develop\n"), "base: there is no branch 'develop'"),
    "no such remote": (config("remote: upstream\n"), "remote: upstream: no such remote"),
    "which campaign": (config("campaigns: {a: {}, b: {}}\n"), "choose one with --campaign NAME"),
    "a constant misspelt": (config("turn: [LERNING_RATE]\n"), "did you mean `LEARNING_RATE`?"),
    # The files
    "a pattern": (config("editable: ['*.py']\n"), "name each file by its path: `editable: [score.py, train.py]`"),
    "a pattern of nothing": (config("editable: ['src/*.rs']\n"), "is a pattern, and matches nothing"),
    "a folder": (
        {**config("editable: [src]\n"), "src/model.py": TRAIN},
        "'src' is a folder: name the files in it: `editable: [src/model.py]`",
    ),
    "a subfolder": (
        {"train.py": None, "src/train.py": TRAIN},
        "where there is src/train.py: write `editable: [src/train.py]` in .github/nocturne.yml",
    ),
    "an editable misspelt": (config("editable: [trian.py]\n"), "where there is train.py: write `editable: [train.py]`"),
    "an editable twice": (config("editable: [train.py, train.py]\n"), "is named twice: leave one of them"),
    "no text": ({"train.py": TRAIN.encode("utf-16")}, "train.py: is not UTF-8 text: save it as UTF-8 and commit"),
    "no UTF-8": ({"train.py": "# Größe\n".encode("latin-1")}, "train.py: is not UTF-8 text"),
    "no Python": ({"train.py": "a = = 1\n"}, "train.py: line 1 does not parse (invalid syntax): fix it"),
    "a script not UTF-8": ({"score.py": "# Größe\n".encode("latin-1")}, "score.py: Python can't read it"),
    "a script misspelt": ({CONFIG_FILE: CONFIG.replace("score.py", "scroe.py")}, "did you mean score.py?"),
    "no program": ({"program.md": None}, "program.md is missing"),
    "a program in capitals": ({"program.md": None, "PROGRAM.md": "x\n"}, "where there is PROGRAM.md: rename it"),
    "an empty program": ({"program.md": "\ufeff \n"}, "program.md is empty: write into it what shall be explored"),
    "a folder of programs": (
        {**config("program: docs\n"), "docs/aims.md": "x\n"},
        "docs is a folder: write what shall be explored into a file",
    ),
    "no prepare.py": ({CONFIG_FILE: ""}, "a script that prints its own score goes with `kind: command`"),
    # What runs it
    "a package": ({"train.py": f"import no_such_package\n{TRAIN}"}, "-m pip install no_such_package`, or name another"),
    "a package of a uv project": (
        {
            CONFIG_FILE: CONFIG.replace("[python3, score.py]", "[uv, run, python, -m, score]"),
            "score.py": f"import no_such_package\n{SCORE}",
            "uv.lock": "",
        },
        "is a uv project without .venv: run `uv sync` there, or `",
    ),
    "no key": (config("proposer: claude\n"), "ANTHROPIC_API_KEY is not set: set it, or let `proposer: offline`"),
    "no key to review": (config("reviewer: claude\n"), "ANTHROPIC_API_KEY is not set"),
    "nothing to turn": ({"train.py": "import os\n"}, "the offline search finds nothing to turn in train.py"),
}  # fmt: skip
AMBER: Mapping[str, tuple[Files, str, str]] = {
    "a score of its own": (
        {},
        "the score is self-reported: score.py runs train.py",
        "under `evaluator.call`",
    ),
    "a script that prints its own": (
        {CONFIG_FILE: CONFIG.replace("score.py", "train.py"), "train.py": f"{TRAIN}print('METRIC loss=1')\n"},
        "the score is self-reported: the command runs train.py, which candidates change",
        "let `evaluator.produce` run the candidate's side",
    ),
    "no jail": (
        task("jail: none"),
        "evaluator.jail is none: candidates run with all",
        "take `jail: none` out",
    ),
    "a package on the way": (
        {"train.py": f"{TRAIN}if DROPOUT > 1:\n    import no_such_package\n"},
        "train.py may import no_such_package, which the task's Python (",
        "-m pip install no_such_package`",
    ),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("template") / "repo")


def variant(template: Path, top: Path, files: Files, *, commit: bool = True) -> Path:
    """Copy the template, and write what differs."""
    shutil.copytree(template, top)
    for name, content in files.items():
        path = top / name
        if content is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if commit and files:
        git(top, "add", "--all")
        git(top, "commit", "--quiet", "--message", "Spoil")
    return top


def findings(top: Path, display: io.StringIO | None = None) -> list[Finding]:
    """Return what `doctor` finds of a repository before it looks at the machine."""
    shown = PlainDisplay(display or io.StringIO())
    return repository(lambda: open_context(top, None, shown, {}, OfflineProposer()), {})[2]


@pytest.mark.parametrize("name", few(RED, 12))
def test_doctor_is_red_and_run_ends_in_the_same_words_before_it_trains(
    template: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, said = RED[name]
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    top = variant(template, tmp_path / "repo", files)
    (red,) = [finding.measured for finding in findings(top) if finding.colour == "red"]
    assert said in red
    assert nocturne(top, "run", "-n", "1", code=2).stderr == f"nocturne: {red}\n"
    assert not list(top.glob(".git/nocturne/*/runs/*"))


def test_only_what_is_imported_whatever_happens_surely_fails() -> None:
    source = "import a.b\nif x:\n    import c\ntry:\n    import d\nexcept ImportError:\n    pass\n"
    source += "with e():\n    from f import g\ndef h():\n    import i\n"
    assert imported_at_once(source) == {"a", "f"}


def test_a_kind_that_runs_nothing_lacks_no_package(tmp_path: Path) -> None:
    """As a file in `evaluator/kinds` may be one day."""
    context = open_context(
        make_repository(tmp_path / "repo"), None, PlainDisplay(io.StringIO()), {}, OfflineProposer()
    )
    nothing = context.config.evaluator.model_copy(update={"kind": "size", "command": []})
    alone = replace(context, config=context.config.model_copy(update={"evaluator": nothing}))
    assert lacking(alone, git(tmp_path / "repo", "rev-parse", "HEAD")) == []


@pytest.mark.parametrize("name", few(AMBER, 1))
def test_what_stops_no_run_is_amber_and_said_as_it_begins(template: Path, tmp_path: Path, name: str) -> None:
    files, said, fix = AMBER[name]
    top = variant(template, tmp_path / "repo", files)
    amber = [finding for finding in findings(top) if finding.colour == "amber" and said in finding.measured]
    notes = io.StringIO()
    ensure_started(open_context(top, None, PlainDisplay(notes), {}, OfflineProposer()))
    if name != "no jail":  # said of the machine, with the jail
        assert len(amber) == 1 and fix in amber[0].mend
    (line,) = [line for line in notes.getvalue().splitlines() if said in line]
    assert fix in line


def test_a_healthy_repository_has_nothing_red(template: Path) -> None:
    assert {finding.colour for finding in findings(template)} == {"green", "amber"}
    begun = nocturne(template, "status").stdout
    assert "loss, not measured yet" in begun and "– → –" not in begun and "val_bpb" not in begun


@pytest.mark.parametrize("path", [CONFIG_FILE, "train.py", "score.py", "program.md"])
def test_what_is_edited_and_not_committed_is_said_by_whoever_reads_what_is_committed(
    template: Path, tmp_path: Path, path: str
) -> None:
    text = (template / path).read_text() + "# more\n"
    top = variant(template, tmp_path / "repo", {path: text}, commit=False)
    said = f"{path}: changes are not committed; commit or stash them, runs use commits only"
    assert [finding.measured for finding in findings(top) if finding.colour == "red"] == [said]
    assert nocturne(top, "run", code=2).stderr == f"nocturne: {said}\n"
    for words in (("status",), ("report",)):
        done = nocturne(top, *words)
        assert said in done.stdout + done.stderr
    assert said not in nocturne(template, "status").stdout


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (task("guards: [peak_memry_mb <= 100]"), "no run reports 'peak_memry_mb': did you mean `peak_memory_mb`?"),
        ({CONFIG_FILE: CONFIG.replace("name: loss", "name: los")}, "printed no finite metric 'los'"),
        pytest.param({"score.py": "import sys\n" + SCORE + "sys.exit(1 / 0)\n"}, "ZeroDivisionError",
                     marks=pytest.mark.long),
    ],
)  # fmt: skip
def test_what_only_a_run_can_tell_is_said_after_the_first_and_again_without_another(
    template: Path, tmp_path: Path, files: Files, said: str
) -> None:
    top = variant(template, tmp_path / "repo", files)
    first = nocturne(top, "run", "-n", "1", code=2).stderr
    assert said in first and len(first.splitlines()) == 1
    runs = [event for event in events(top) if event["kind"] == "run_finished"]
    assert len(runs) == (2 if "ZeroDivision" in said else 1)
    assert nocturne(top, "run", "-n", "1", code=2).stderr == first
    assert [event for event in events(top) if event["kind"] == "run_finished"] == runs


def test_what_is_misspelt_after_a_campaign_began_is_said_before_a_run_too(
    template: Path, tmp_path: Path
) -> None:
    top = variant(template, tmp_path / "repo", {})
    ensure_started(open_context(top, None, PlainDisplay(io.StringIO()), {}, OfflineProposer()))
    (top / CONFIG_FILE).write_text(CONFIG.replace("score.py", "scroe.py"))
    git(top, "commit", "--quiet", "--all", "--message", "A slip")
    (red,) = [finding.measured for finding in findings(top) if finding.colour == "red"]
    assert "evaluator.command: scroe.py: there is no such file" in red and "did you mean score.py?" in red
    assert nocturne(top, "run", "-n", "1", code=2).stderr.endswith(f"nocturne: {red}\n")
    assert not [event for event in events(top) if event["kind"] == "run_finished"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("files", "said"),
    [
        (task("guards: [peak_memry_mb <= 100]"), "no run reports 'peak_memry_mb': did you mean `peak_memory_mb`?"),
        ({CONFIG_FILE: CONFIG.replace("name: loss", "name: los")}, "printed no finite metric 'los'"),
        ({CONFIG_FILE: CONFIG.replace("python3, ", "pyhton3, ")}, "command: pyhton3: can't be started"),
    ],
)  # fmt: skip
def test_doctor_runs_the_incumbent_and_says_the_same(
    template: Path, tmp_path: Path, files: Files, said: str
) -> None:
    top = variant(template, tmp_path / "repo", files)
    doctor = nocturne(top, "doctor", code=1).stdout
    assert said in " ".join(doctor.split())
    assert said in nocturne(top, "run", "-n", "1", code=2).stderr
