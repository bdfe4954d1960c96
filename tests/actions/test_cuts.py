"""The secret of the cuts in jobs on GitHub, and losses that travel from one runner to the next in artifacts."""

from __future__ import annotations

import io
import secrets
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import bot.github.cuts
from bot.agents.proposers.offline import OfflineProposer
from bot.base.redact import Redactor, is_credential
from bot.errors import UserError
from bot.github.cuts import FILE, MOST, SECRET, SealedCuts, cuts_of_job
from bot.loop.context import Context, open_context
from bot.loop.cuts import Cuts
from bot.tell.display import PlainDisplay
from evaluator.jail import credentials
from tests import leaks
from tests.actions.jobs import Workplace
from tests.bot.repositories import nocturne
from tests.github.records import Run
from tests.github.server import GitHub

TRAINS = "evaluator: {budget: {kind: steps, amount: 3}}\nrunner: test\n"
OURS = {"actions": "read", "contents": "read"}


def new_secret() -> str:
    """Return what `nocturne cuts-key` would print, which no text may hold from now on."""
    made = secrets.token_hex(32)
    leaks.give(made)
    return made


class Job:
    """A job on a runner of its own, as far as cuts are concerned."""

    def __init__(self, work: Workplace, run: Run, secret: str, permissions: Mapping[str, str] = OURS) -> None:
        self.work, self.run, self.said = work, run, io.StringIO()
        self.place = work.clone()
        token = work.github.token("github-actions[bot]", "workflow", work.repository, permissions)
        self.environ = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": work.github.api_url,
            "GITHUB_SERVER_URL": work.github.server_url,
            "GITHUB_TOKEN": token,
            "GITHUB_WORKFLOW_REF": f"{work.name}/{run.workflow}@refs/heads/main",
            "NOCTURNE_CAMPAIGN": "main",
            "RUNNER_TEMP": str(self.place / "temp"),
            SECRET: secret,
        }
        self.context: Context = open_context(
            self.place / "work", None, PlainDisplay(self.said), self.environ, OfflineProposer()
        )
        self.cuts: Cuts = cuts_of_job(self.context, self.environ)

    def measure(self, run: str, *others: str, loses: bytes = b"") -> tuple[bytes, dict[str, bytes]]:
        """Return the key that a run is asked by, and the losses of others it is compared with; it leaves its own."""
        with self.cuts.folder(run, others, self.place) as folder:
            key = (folder / "key").read_bytes()
            assert folder.stat().st_mode & 0o777 == 0o700 and (folder / "key").stat().st_mode & 0o777 == 0o600
            found = {path.stem: path.read_bytes() for path in (folder / "losses").iterdir()}
            (folder / "losses" / f"{run}.npz").write_bytes(loses or run.encode())
        assert not folder.exists()
        return key, found

    def end(self) -> None:
        """Leave what the workflow's step uploads."""
        left = (self.place / "temp" / FILE).read_bytes()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(FILE, left)
        self.work.repository.artifact("cuts-main", packed.getvalue(), self.run.id)


@pytest.fixture
def work(github: GitHub, tmp_path: Path) -> Workplace:
    name = f"octo/{tmp_path.name.replace('_', '-')}"
    made = Workplace(github, tmp_path, "three", TRAINS, name=name, files={"prepare.py": "MAX_SEQ_LEN = 4\n"})
    made.press()
    return made


def asked(work: Workplace, since: int) -> list[str]:
    """Return the last words of the addresses that were asked of the repository, since so many calls."""
    return [call.path.rpartition("/")[2] for call in work.github.calls[since:] if work.name in call.path]


def test_losses_travel_from_one_runner_to_the_next_sealed(work: Workplace) -> None:
    (run,), secret = work.waiting, new_secret()
    first = Job(work, run, secret)
    key, found = first.measure("incumbent-1", loses=b"losses in clear text")
    assert len(key) == 32 and key.hex() != secret and found == {}
    first.measure("candidate-1", "incumbent-1")
    first.end()
    (artifact,) = work.repository.contents.artifacts.values()
    with zipfile.ZipFile(io.BytesIO(artifact.data)) as archive:
        left = archive.read(FILE)
    for told in (b"losses in clear text", b"incumbent-1", key, key.hex().encode(), b"bG9zc2VzIGluIGNsZWFy"):
        assert told not in left
    before = len(work.github.calls)
    second = Job(work, run, secret)
    same, found = second.measure("candidate-2", "incumbent-1", "never-made")
    assert same == key
    assert found == {"incumbent-1": b"losses in clear text"}
    second.measure("candidate-3", "candidate-1")
    assert asked(work, before) == ["artifacts", str(run.id), "zip"]  # once for all runs
    assert second.said.getvalue() == ""
    second.end()
    artifact.expired = True
    third = Job(work, run, secret)
    _, found = third.measure("candidate-4", "incumbent-1", "candidate-1", "candidate-2", "candidate-3")
    assert len(found) == 4, "each artifact has all that was in the one before"


def test_what_is_missing_is_said_and_refuses_nothing(work: Workplace) -> None:
    (run,), secret = work.waiting, new_secret()
    first = Job(work, run, secret)
    first.measure("incumbent-1")
    first.end()
    (artifact,) = work.repository.contents.artifacts.values()

    def of(secret: str, permissions: Mapping[str, str] = OURS) -> tuple[bytes, str]:
        job = Job(work, run, secret, permissions)
        key, found = job.measure("candidate-1", "incumbent-1")
        assert found == {} and (job.place / "temp" / FILE).exists()
        return key, job.said.getvalue()

    key, said = of(new_secret())
    assert key != first.measure("candidate-1")[0]
    assert said == f"cuts: what earlier jobs have left is sealed with another {SECRET}\n"
    _, said = of(secret, {"contents": "read"})
    assert "can't be fetched" in said and "`actions: read`" in said
    whole = artifact.data
    artifact.data = whole[:-30]
    assert "is left" in of(secret)[1]
    artifact.data, artifact.expired = whole, True
    assert "is left (GitHub keeps artifacts for 90 days)" in of(secret)[1]
    work.repository.contents.artifacts.clear()
    assert "is left" in of(secret)[1]
    begins = Job(work, run, secret)
    begins.measure("incumbent-1")
    assert begins.said.getvalue() == "", "nothing is missing at the first run of all"


def test_an_artifact_that_somebody_elses_run_left_is_not_looked_at(work: Workplace) -> None:
    (run,), secret = work.waiting, new_secret()
    first = Job(work, run, secret)
    first.measure("incumbent-1")
    first.end()
    run.event = "pull_request"
    _, found = Job(work, run, secret).measure("candidate-1", "incumbent-1")
    assert found == {}


def test_a_job_without_the_secret_says_so_once_and_a_bad_one_is_refused(work: Workplace) -> None:
    (run,) = work.waiting
    job = Job(work, run, "")
    assert not job.cuts.are_asked() and not job.cuts.are_asked()
    assert job.said.getvalue().count(f"cuts: none, for this job gets no secret {SECRET}") == 1
    for bad in ("hunter2hunter2", "A" * 64, "a" * 63, "a" * 65):
        with pytest.raises(UserError, match=rf"{SECRET}: not 64 hexadecimal digits: `nocturne cuts-key \|"):
            Job(work, run, bad)


def kept(path: Path, secret: bytes, campaign: str, earlier: Sequence[bytes] = ()) -> SealedCuts:
    return SealedCuts(secret, campaign, path, lambda: earlier, lambda said: None)


def lose(cuts: SealedCuts, scratch: Path, run: str, losses: bytes, *others: str) -> set[str]:
    with cuts.folder(run, others, scratch) as folder:
        found = {path.stem for path in (folder / "losses").iterdir()}
        (folder / "losses" / f"{run}.npz").write_bytes(losses)
    return found


def test_what_a_job_leaves_is_bounded_and_what_was_used_last_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, secret = tmp_path / "left", bytes(32)
    cuts = kept(path, secret, "main")
    for number in range(MOST + 10):
        lose(cuts, tmp_path, f"run-{number}", b"x", "run-0")
    later = kept(tmp_path / "later", secret, "main", [path.read_bytes()])
    names = [f"run-{number}" for number in range(MOST + 10)]
    assert lose(later, tmp_path, "new", b"x", *names) == {"run-0", *names[11:]}
    most = 100_000
    monkeypatch.setattr(bot.github.cuts, "LARGEST", most)
    large = kept(path, secret, "large")
    for number in range(4):
        lose(large, tmp_path, f"run-{number}", bytes(most // 4))
    assert path.stat().st_size <= most
    later = kept(tmp_path / "later", secret, "large", [path.read_bytes()])
    assert lose(later, tmp_path, "new", b"x", *names[:4]) == {"run-1", "run-2", "run-3"}


def test_each_campaign_has_cuts_of_its_own(tmp_path: Path) -> None:
    keys = set()
    for campaign in ("main", "other"):
        with kept(tmp_path / "left", bytes(32), campaign).folder("run", (), tmp_path) as folder:
            keys.add((folder / "key").read_bytes())
    lose(kept(tmp_path / "left", bytes(32), "main"), tmp_path, "run-1", b"x")
    other = kept(tmp_path / "later", bytes(32), "other", [(tmp_path / "left").read_bytes()])
    assert len(keys) == 2 and lose(other, tmp_path, "new", b"x", "run-1") == set()


def test_the_secret_is_one_by_its_name_and_what_makes_it_prints_nothing_else(tmp_path: Path) -> None:
    assert is_credential(SECRET) and credentials.is_credential(SECRET)
    said = {nocturne(tmp_path, "cuts-key").stdout for _ in range(2)}
    assert len(said) == 2 and all(len(each.strip()) == 64 and int(each, 16) for each in said)
    secret = said.pop().strip()
    assert secret not in Redactor({SECRET: secret})(f"the key is {secret}")
