"""Transcripts of conversations: readable, whole, kept out of git, and without a credential."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from bot.agents.claude.budget import Budget, Caps
from bot.agents.claude.client import Claude
from bot.agents.claude.conversation import Conversation, result
from bot.agents.claude.failures import NoAnswer
from bot.agents.claude.transcripts import ARTIFACT_FOLDER, KEPT, conversations, conversations_of, folder_of
from bot.base import redact
from bot.base.redact import HIDDEN, Redactor
from bot.base.text import Clean, clean, clean_diff
from bot.git import Git
from bot.git.remote import choose_remote
from bot.ledger import Ledger
from bot.ledger.store import LedgerStore
from bot.rules.campaign import Campaign
from bot.rules.events import CampaignStarted, Event, ExperimentClaimed
from evaluator.jail import credentials
from tests.bot.repositories import git as shell_git
from tests.bot.repositories import make_repository, nocturne, status
from tests.bot.test_claude_client import MODEL, SYSTEM, TOOLS
from tests.messages import minds
from tests.messages.server import Api, serve

SECRETS = {
    "GITHUB_TOKEN": "ghs_16C7e42F292c6912E7710c838347Ae178B4a",
    "ANTHROPIC_API_KEY": "sk-ant-api03-R2D2/x+y=z0123456789-abcdefghij",
    "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
    "DB_PASSWORD": 'hunter2 "quoted" \\ pässword',
    "WANDB_API_KEY": "local-0123456789abcdef",
    "HF_TOKEN": "plainwordsnopattern",
}


# ---- redaction ----


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "x={},y",
        "https://user:{}@example.org/",
        "url",
        "json",
        "base64",
        "basic",
    ],
)
def test_credentials_of_the_environment_are_taken_out(name: str, form: str) -> None:
    value = SECRETS[name]
    shown = {
        "url": quote(value, safe=""),
        "json": json.dumps({"a": value}),
        "base64": base64.b64encode(value.encode()).decode(),
        "basic": "Basic " + base64.b64encode(f"x-access-token:{value}".encode()).decode(),
    }.get(form) or form.replace("{}", value)
    redacted = Redactor(SECRETS)(f"before {shown} after")
    assert redacted.startswith("before ") and redacted.endswith(" after") and HIDDEN in redacted
    for part in (value, value[2:-2], json.dumps(value)[3:-3]):
        assert part not in redacted
    if form in ("base64", "basic"):
        assert shown.split()[-1][4:-4] not in redacted


@pytest.mark.parametrize(
    "text",
    [
        "sk-ant-api03-" + "a1B2-_" * 10,
        "sk-proj-" + "x" * 40,
        "ghp_" + "a" * 36,
        "github_pat_" + "a1_" * 20,
        "xoxb-1234567890-abcdefghij",
        "https://hooks.slack.com/services/T0/B0/abcdef",
        "AKIAIOSFODNN7EXAMPLE",
        "hf_" + "a" * 34,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123",
        "Authorization: Bearer abcdefghijkl123",
        "authorization=basic eDphYmNkZWZnaGlqa2w=",
        f"-----BEGIN RSA PRIVATE KEY-----\n{'MIIEow' * 10}\nIBAAK\n-----END RSA PRIVATE KEY-----",
        "postgres://admin:s3cr3t-pass@db.example.org/x",
    ],
)
def test_credentials_of_others_are_known_by_their_looks(text: str) -> None:
    redacted = Redactor({})(f"log: {text} end")
    assert HIDDEN in redacted and redacted.startswith("log: ") and redacted.endswith(" end")
    body = text.partition(" ")[2] or text.partition("://")[2] or text
    assert body[-12:-2] not in redacted.replace("@db.example.org/x", "") and "MIIEow" not in redacted


def test_by_the_look_of_a_key_no_code_is_hidden() -> None:
    """Who reads a diff, a model or a human, sees all that would run."""
    for text in (
        "# -----BEGIN PRIVATE KEY-----\n+import os; os.system('id')\n+# -----END PRIVATE KEY-----",
        "# -----BEGIN PRIVATE KEY-----\n+os.system('id')",
        'url = "a://b:"+os.system("id")+"@"',
        "bearer = os.system('id')",
    ):
        for said in (Redactor({})(text), clean(text), clean_diff(text)):
            assert "os.system(" in said and "id" in said and len(said.split("\n")) == len(text.split("\n")), (
                said
            )


def test_one_list_tells_which_variables_are_secret() -> None:
    assert redact._NAMES == credentials._NAMES
    for name in (
        *SECRETS,
        "NPM_CONFIG__AUTH",
        "HTTP_AUTHORIZATION",
        "AWS_ACCESS_KEY_ID",
        "SSH_KEY",
        "GH_PAT",
        "DB_PASSWD",
    ):
        assert redact.is_credential(name), name
    for name in ("TOKENIZERS_PARALLELISM", "GIT_AUTHOR_NAME", "GPG_KEY", "SSH_AUTH_SOCK", "KEYBOARD", "PATH"):
        assert not redact.is_credential(name), name


def test_other_text_stays_as_it_is() -> None:
    environ = {"PATH": "/usr/bin", "SSH_AUTH_SOCK": "/run/agent/1", "TOKEN_LIMIT": "4096", "HOME": "/home/me"}
    text = "learning_rate = 0.04  # the token limit is 4096, commit 0123456789abcdef0123456789abcdef01234567"
    text += " /run/agent/1"
    assert Redactor(environ)(text) == text


# ---- transcripts ----


def folder(tmp_path: Path) -> Path:
    made = tmp_path / ".git"
    made.mkdir(exist_ok=True)
    return made


def talk(api: Api, common_dir: Path, environ: dict[str, str], *, experiment: int = 3) -> Conversation:
    kept = conversations(common_dir, "main", environ, Redactor(environ))
    budget = Budget(experiment, "proposer", Caps(), Campaign, lambda event: None)
    return Conversation(
        Claude(api.environ), model=MODEL, system=SYSTEM, tools=TOOLS, budget=budget, max_tokens=500,
        listener=kept.begin(experiment, "proposer", budget.conversation),
    )  # fmt: skip


def hold(api: Api, common_dir: Path, environ: dict[str, str], **more: Any) -> None:
    """A talk in which secrets come up in every place."""
    key = environ["ANTHROPIC_API_KEY"]
    api.mind = minds.script(
        minds.use("look", {"what": f"print('{key}')\nprint(2)"}, saying=f"I know {key}."),
        minds.refusal("cyber"),
    )
    held = talk(api, common_dir, environ, **more)
    reply = held.ask(f"# Log\n```\nkey: {key}\n```\nEnd of the log.")
    held.ask("", [result(reply.calls[0], f"found {environ['GITHUB_TOKEN']}", failed=True)])


def test_it_reads_like_a_conversation_and_holds_no_secret(tmp_path: Path) -> None:
    with serve(minds.script(minds.words("ok"))) as api:
        environ = SECRETS | api.environ
        hold(api, folder(tmp_path), environ)
    (text,) = conversations_of(tmp_path / ".git", "main", 3)
    assert text.startswith("# Experiment 3: proposer\n")
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Instructions", "## Nocturne", "## Claude", "## Nocturne", "## Claude",
    ]  # fmt: skip
    assert f"Model: {MODEL}. Tools: look, propose." in text
    assert "````text\n# Log\n ```\nkey: [secret]\n ```\nEnd of the log.\n````" in text
    assert "what:\nprint('[secret]')\nprint(2)\n" in text and f"I know {HIDDEN}." in text
    assert f"which failed:\n\n```text\nfound {HIDDEN}\n```" in text
    assert "Ended with tool_use;" in text and "Ended with refusal;" in text and "tokens read" in text
    for value in (*SECRETS.values(), api.key):
        assert value not in text


def test_a_workflow_finds_it_where_it_uploads_from(tmp_path: Path) -> None:
    temporary = tmp_path / "runner"
    temporary.mkdir()
    with serve(minds.script(minds.words("ok"))) as api:
        environ = SECRETS | api.environ | {"GITHUB_ACTIONS": "true", "RUNNER_TEMP": str(temporary)}
        hold(api, folder(tmp_path), environ)
    (uploaded,) = (temporary / ARTIFACT_FOLDER).glob("000003-proposer-*.md")
    assert [uploaded.read_text()] == conversations_of(tmp_path / ".git", "main", 3)


def test_what_was_said_survives_a_failure(tmp_path: Path) -> None:
    with serve(minds.script(minds.words("ok"))) as api:
        held = talk(api, folder(tmp_path), dict(SECRETS))
        api.keys.clear()
        with pytest.raises(NoAnswer):
            held.ask("Is anybody there?")
    (text,) = conversations_of(tmp_path / ".git", "main", 3)
    assert "Is anybody there?" in text


def test_the_oldest_give_way(tmp_path: Path) -> None:
    place = folder_of(folder(tmp_path), "main")
    place.mkdir(parents=True)
    for number in range(KEPT + 5):
        (place / f"{number:06d}-proposer-x.md").write_text("old")
    conversations(tmp_path / ".git", "main", {}, Clean).begin(900, "reviewer", "new")
    assert len(list(place.iterdir())) == KEPT + 1
    assert conversations_of(tmp_path / ".git", "main", 900) == ["# Experiment 900: reviewer\n\n"]


def test_show_prints_it_or_says_where_it_is(tmp_path: Path) -> None:
    repo = make_repository(tmp_path / "repo")
    git = Git.open(repo)
    remote = choose_remote(git, "embedded", {})
    base = git.resolve("main")
    assert base is not None
    begun: list[Event] = [
        CampaignStarted("main", "main", base, "loss", "minimize", 0),
        ExperimentClaimed(1, base),
        ExperimentClaimed(2, base),
    ]
    Ledger(LedgerStore(git, remote.name_or_url, "main"), "tester", lambda _: None).append(lambda _: begun)
    with serve(minds.script(minds.words("ok"))) as api:
        hold(api, repo / ".git", SECRETS | api.environ, experiment=1)
    outside = {"GITHUB_ACTIONS": "", "GITHUB_TOKEN": ""}
    said = nocturne(repo, "show", "1", "--conversation", env=outside).stdout
    assert "# Experiment 1: proposer" in said and "End of the log." in said
    said = nocturne(repo, "show", "2", "--conversation", env=outside, code=2).stderr
    assert said.startswith("nocturne: no conversation on experiment 2 is kept in this clone")
    assert status(repo)["experiments"]["total"] == 2
    assert shell_git(repo, "status", "--porcelain", "--ignored") == ""
    tracked = shell_git(repo / ".git/nocturne/forge.git", "ls-tree", "-r", "--name-only", "nocturne/ledger")
    assert "events" in tracked and "conversation" not in tracked
