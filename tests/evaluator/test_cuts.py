"""Cuts: targets that no jail is ever shown, and what is refused by them."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluator import score as scoring
from evaluator.cuts import drawing, judging
from evaluator.cuts.drawing import Cuts
from evaluator.cuts.judging import Losses
from evaluator.cuts.keeping import Keeping
from evaluator.errors import UserError
from evaluator.inside import frames
from evaluator.interpreter.choice import choose_python
from evaluator.jail import choose
from evaluator.settings import parse
from evaluator.training import export
from evaluator.training.wire import Wire
from tests.evaluator.runs import Outcome, score, with_train
from tests.families import few

COLUMNS, VOCABULARY, WINDOW = 96, 500, drawing.WINDOW
KEY = bytes(range(32))
# Of a task whose text is made up: nothing on this machine has to be searched for copies of it.
SETTINGS: dict[str, Any] = {
    "budget": {"kind": "steps", "amount": 3}, "threads": 1, "eval_tokens": 32768, "evaluation_seconds": 280,
}  # fmt: skip


MARKOV = """
import numpy as np, torch
MAX_SEQ_LEN, TIME_BUDGET, EVAL_TOKENS, WORDS = 64, 1.0, 32768, 64
class Tokenizer:
    from_directory = classmethod(lambda cls: cls())
    get_vocab_size = lambda self: WORDS
    encode = decode = None
def get_token_bytes(device="cpu"):
    return torch.ones(WORDS, dtype=torch.int32)
def text(seed, size):
    draw = np.random.default_rng(seed)
    chances = np.random.default_rng(1).dirichlet(np.full(WORDS, 0.3), WORDS).cumsum(1)
    luck = draw.random((500, size // 500))  # so many chains, one after the other
    tokens = np.zeros(luck.shape, np.int64)
    for i in range(1, luck.shape[1]):
        drawn = (luck[:, i : i + 1] > chances[tokens[:, i - 1]]).sum(1)
        tokens[:, i] = np.minimum(drawn, WORDS - 1)
    return torch.from_numpy(tokens.reshape(-1))
def make_dataloader(tokenizer, B, T, split):
    tokens = text(2 if split == "train" else 3, 200_000 if split == "train" else 1_100_000)
    for at in range(0, len(tokens) - B * (T + 1), B * (T + 1)):
        block = tokens[at : at + B * (T + 1)].view(B, T + 1)
        yield block[:, :-1], block[:, 1:], 1
"""
BIGRAMS = """
import torch
from prepare import MAX_SEQ_LEN, Tokenizer, evaluate_bpb, make_dataloader
BATCHES = 3
CHEAT = 0.0
class Bigrams(torch.nn.Module):
    def __init__(self, counts):
        super().__init__()
        self.logits = torch.nn.Parameter((counts / counts.sum(1, keepdim=True)).log())
    def forward(self, idx):
        out = self.logits[idx].clone()
        if CHEAT:
            known = torch.nn.functional.one_hot(idx[:, 1:], 64)
            out[:, :-1] += CHEAT * known
        return out
tokenizer = Tokenizer.from_directory()
counts = torch.ones(64, 64)
loader = make_dataloader(tokenizer, 64, MAX_SEQ_LEN, "train")
for _, (x, y, _) in zip(range(BATCHES), loader):
    counts.index_put_((x.reshape(-1), y.reshape(-1)), torch.ones(x.numel()), accumulate=True)
evaluate_bpb(Bigrams(counts), tokenizer, 64)
"""


def markov(folder: Path, **constants: float) -> Path:
    """Write a task with much text and a model that counts pairs; each change is one of its constants."""
    train = BIGRAMS
    for name, value in constants.items():
        train, found = re.subn(rf"(?m)^{name} = .*", f"{name} = {value}", train)
        assert found == 1, name
    repo = with_train(folder, train)
    (repo / "prepare.py").write_text(MARKOV)
    return repo


@dataclasses.dataclass(frozen=True)
class Text:
    """A text, its scored rows, and what the loader gives behind them."""

    inputs: NDArray[np.int32]
    targets: NDArray[np.int32]
    pool: NDArray[np.int32]
    token_bytes: NDArray[np.int32]

    def drawn(self, key: bytes = KEY, wanted: int | None = None) -> Cuts:
        return drawing.draw(key, self.inputs, self.targets, self.pool, self.token_bytes, wanted=wanted)


def text_of(starts: NDArray[np.int64], scored: int, size: int = 100_000) -> Text:
    """Return rows that begin at `starts` in one text, of which the first are scored."""
    tokens = np.random.default_rng(0).integers(0, VOCABULARY, size).astype(np.int32)
    rows = tokens[starts[:, None] + np.arange(COLUMNS + 1)]
    lengths: NDArray[np.int32] = np.full(VOCABULARY, 4, np.int32)
    lengths[7] = 0  # begins a document
    return Text(rows[:scored, :-1], rows[:scored, 1:], rows[scored:], lengths)


def in_turn(count: int, scored: int) -> Text:
    """Return rows that follow each other, each a target further on."""
    return text_of(np.arange(count) * (COLUMNS + 1), scored)


def told(rows: NDArray[np.int32]) -> set[bytes]:
    """Return each run of `WINDOW` tokens in rows (n, columns)."""
    return {
        row[at : at + WINDOW].tobytes()
        for row in rows.astype(np.int32)
        for at in range(len(row) - WINDOW + 1)
    }


def hidden_places(text: Text, cuts: Cuts) -> list[bytes]:
    """Return the target of each cut with the tokens before it, as it stands in the pool, and nowhere else."""
    rows = cuts.inputs.reshape(-1)
    return [
        np.append(rows[at - WINDOW + 2 : at + 1], cuts.targets.reshape(-1)[at]).astype(np.int32).tobytes()
        for at in cuts.places.tolist()
    ]


def test_a_cuts_target_stands_behind_its_stretch_and_in_no_row_that_is_asked() -> None:
    text = in_turn(900, 200)
    cuts = text.drawn()
    assert cuts.rows == 50 and len(cuts) > 100
    asked = told(text.inputs) | told(cuts.inputs)
    of_pool = told(text.pool)
    found = hidden_places(text, cuts)
    assert all(each in of_pool for each in found), "a cut asks for what the text goes on with"
    assert not asked & set(found)
    flat = cuts.targets.reshape(-1)[cuts.places]
    assert (text.token_bytes[flat] == cuts.lengths).all() and (cuts.lengths > 0).all()
    places = cuts.places % COLUMNS
    assert places.min() < COLUMNS / 4 and places.max() > 3 * COLUMNS / 4, "contexts of all lengths"


def test_a_place_that_another_row_shows_is_no_cut() -> None:
    """A loader that draws its rows at random: most places stand in several rows."""
    starts = np.random.default_rng(1).integers(0, 60_000 - COLUMNS - 1, 900)
    text = text_of(starts, 200)
    cuts = text.drawn(wanted=2_000)
    asked = told(text.inputs) | told(cuts.inputs)
    assert 50 < len(cuts) < 1_000
    assert not asked & set(hidden_places(text, cuts))


def test_the_same_key_gives_the_same_cuts_and_another_one_others() -> None:
    text = in_turn(900, 200)
    first, again, other = text.drawn(), text.drawn(), text.drawn(bytes(32))
    assert (first.inputs == again.inputs).all() and (first.places == again.places).all()
    assert first.mark == again.mark != other.mark
    rows = {row.tobytes() for row in first.inputs}
    assert not any(row.tobytes() in rows for row in other.inputs)
    mixed = drawing.mixed(first, KEY)
    assert mixed.sum() == 200 and (mixed == drawing.mixed(again, KEY)).all()
    assert (~mixed)[:125].sum() > 10 and (~mixed)[125:].sum() > 10, "cut rows lie between the scored ones"


def test_without_more_text_the_rows_last_targets_are_left() -> None:
    apart = in_turn(300, 300)
    natural = dataclasses.replace(apart, pool=apart.pool[:0]).drawn()
    assert natural.rows == 0 and len(natural) > 290
    assert (natural.places % COLUMNS == COLUMNS - 1).all()
    assert not told(apart.inputs) & {
        np.append(apart.inputs[row, 1 - WINDOW :], apart.targets[row, -1]).astype(np.int32).tobytes()
        for row in natural.groups.tolist()
    }
    follow_each_other = text_of(np.arange(300) * COLUMNS, 300)  # the next row begins with the last target
    assert len(follow_each_other.drawn()) == 0
    overlap = text_of(np.arange(300) * (COLUMNS - 3), 300)  # and here it shows it as its fourth
    assert len(overlap.drawn()) < 5


# The judgement


def cuts_of(count: int, rows: int, scored: int = 1_000) -> Cuts:
    nobody: NDArray[np.int32] = np.empty((rows, COLUMNS), np.int32)
    each = count // rows
    places = (np.arange(rows)[:, None] * COLUMNS + np.arange(each)).reshape(-1)
    return Cuts(nobody, nobody, places, np.full(len(places), 4, np.int32), scored, "mark")


def pair(
    cuts: Cuts, gain: float, cheat: float, draw: np.random.Generator, spread: float = 0.4
) -> tuple[Losses, Losses]:
    """Return a candidate that truly gained `gain` bits per byte and cheated for `cheat` more, and the incumbent."""
    nats = draw.exponential(3.0, len(cuts))
    apart = gain * np.log(2) * 4 + spread * draw.standard_normal(len(cuts))
    mine = Losses(1.0 - gain - cheat, (nats - apart).astype(np.float32))
    return mine, Losses(1.0, nats.astype(np.float32))


@pytest.mark.parametrize("gain", [0.0, 0.01, 0.1, -0.05])
def test_an_honest_candidate_holds(gain: float) -> None:
    # The score of these is exact, so the error is a bit too large.
    cuts, draw = cuts_of(10_000, 200), np.random.default_rng(0)
    findings = [
        judging.judge(cuts, mine, [other])
        for mine, other in (pair(cuts, gain, 0.0, draw) for _ in range(300))
    ]
    assert not any(each.refuses for each in findings)
    z = np.array([each.shortfall / each.error for each in findings])
    assert abs(z.mean()) < 0.3 and 0.8 < z.std() < 1.1, "its error is what it says"


def test_a_cheat_of_the_size_that_is_told_is_caught_in_99_of_100() -> None:
    cuts, draw = cuts_of(10_000, 200), np.random.default_rng(0)
    mine, other = pair(cuts, 0.0, 0.0, draw)
    size = judging.judge(cuts, mine, [other]).caught
    assert size < 0.014
    caught = 0
    for _ in range(300):
        mine, other = pair(cuts, 0.0, size, draw)
        found = judging.judge(cuts, mine, [other])
        caught += found.refuses
    assert caught >= 291
    reason = found.refusal().reason
    assert found.refusal().defence == "cuts" and "10,000" in reason


def test_nothing_is_refused_by_few_cuts_but_the_size_is_told() -> None:
    cuts, draw = cuts_of(1_000, 50), np.random.default_rng(0)
    mine, other = pair(cuts, 0.0, 1.0, draw)
    found = judging.judge(cuts, mine, [other])
    assert found.shortfall > found.allowed and not found.refuses
    assert 0.02 < found.metrics()["cuts_caught_bpb"] < 0.06


def test_a_candidate_does_not_choose_how_large_the_error_is() -> None:
    """Losses of hundreds of nats at a few cuts would hide a cheat in the noise that they make."""
    cuts, draw = cuts_of(10_000, 200), np.random.default_rng(0)
    for spoilt in (1, 3, 10, 30):
        mine, other = pair(cuts, 0.0, 0.02, draw)
        mine.nats[draw.choice(len(cuts), spoilt, replace=False)] += 500.0
        assert judging.judge(cuts, mine, [other]).refuses, spoilt


def test_several_runs_of_the_incumbent_count_by_their_mean() -> None:
    cuts, draw = cuts_of(10_000, 200), np.random.default_rng(0)
    mine, other = pair(cuts, 0.01, 0.0, draw)
    lucky, unlucky = (
        Losses(other.score + by, other.nats + np.float32(by * 4 * np.log(2))) for by in (-0.05, 0.05)
    )
    one, two = judging.judge(cuts, mine, [other]), judging.judge(cuts, mine, [lucky, unlucky])
    assert two.told == pytest.approx(one.told) and two.held == pytest.approx(one.held, abs=1e-6)


# The secret


def test_the_key_is_drawn_once_and_losses_of_other_cuts_are_none(tmp_path: Path) -> None:
    first = Keeping(tmp_path / "cuts", "a-1", ())
    key = first.key()
    assert len(key) == 32 and Keeping(tmp_path / "cuts", "b-1", ()).key() == key
    assert (tmp_path / "cuts" / "key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "cuts").iterdir()] == ["key"]
    first.keep("mark", Losses(1.5, np.arange(3, dtype=np.float32)))
    second = Keeping(tmp_path / "cuts", "b-1", ("a-1", "never-made", "b-1"))
    (found,) = second.others(second.against, "mark", 3)
    assert found.score == 1.5 and found.nats.tolist() == [0, 1, 2]
    assert second.others(["a-1"], "another mark", 3) == [] == second.others(["a-1"], "mark", 4)
    place = tmp_path / "cuts" / "losses" / "a-1.npz"
    assert place.stat().st_mode & 0o777 == 0o600
    place.write_bytes(place.read_bytes()[:40])
    assert second.others(["a-1"], "mark", 3) == []
    (tmp_path / "cuts" / "key").write_bytes(b"short")
    with pytest.raises(UserError, match=r"damaged: remove the folder"):
        first.key()
    with pytest.raises(UserError, match="is no name"):
        Keeping(tmp_path, "../a", ())


@pytest.mark.long
def test_no_process_of_a_run_is_sent_a_hidden_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that goes to any jail of a run, the exam's and the audit's; the score stays what it is."""
    settings = parse(SETTINGS, "test")
    repo, keeping = markov(tmp_path / "repo"), Keeping(tmp_path / "cuts", "run-1", ())
    python = choose_python(repo, settings)
    without = scoring.score(repo, settings, python, lambda event: None)
    sent: list[tuple[int, bytes]] = []
    send = Wire.send

    def recorded(self: Wire, kind: int, *parts: bytes) -> None:
        sent.append((kind, b"".join(parts)))
        send(self, kind, *parts)

    monkeypatch.setattr(Wire, "send", recorded)
    said: list[Any] = []
    last = scoring.score(repo, settings, python, said.append, out=tmp_path / "out", cuts=keeping)
    assert last["event"] == "score" and last["score"] == without["score"]
    exported = export.load_or_make(repo, settings, choose("auto"), python)
    cuts = drawing.draw(
        keeping.key(), exported.inputs, exported.targets, exported.pool, exported.token_bytes, wanted=None
    )
    assert last["metrics"]["cuts"] == len(cuts) > 300 and last["metrics"]["cut_rows"] == cuts.rows == 128
    shape = frames.SHAPE
    rows = []
    for kind, body in sent:
        if kind in (frames.TOKENS, frames.PROBES):
            count, columns = shape.unpack_from(body)
            rows.append(np.frombuffer(body, "<i4", count * columns, shape.size).reshape(count, columns))
    kinds = {kind for kind, _ in sent}
    assert {frames.TOKENS, frames.PROBES} <= kinds
    assert (
        sum(len(each) for each, (kind, _) in zip(rows, sent, strict=False))
        >= len(exported.inputs) + cuts.rows
    )
    asked = told(np.concatenate(rows))
    assert told(cuts.inputs) <= asked, "the cut rows were asked"
    hidden = hidden_places(Text(exported.inputs, exported.targets, exported.pool, exported.token_bytes), cuts)
    assert not asked & set(hidden)
    for secret in (keeping.key(), keeping.key().hex().encode()):
        assert not any(secret in body for _, body in sent)
        written = json.dumps([said, last]).encode() + (tmp_path / "out" / "result.json").read_bytes()
        assert secret not in written
    (losses,) = Keeping(tmp_path / "cuts", "run-2").others(["run-1"], cuts.mark, len(cuts))
    assert losses.score == last["score"] and (losses.nats > 0).all()


# Real runs that are refused, and not


@pytest.mark.long
def test_a_gain_that_does_not_hold_at_ten_thousand_cuts_is_refused(tmp_path: Path) -> None:
    """It peeks so little that the audit, whose bound is a quarter of what counts, lets it through."""
    settings = {**SETTINGS, "cuts": 10_000, "min_effect": 0.6}
    secret = str(tmp_path / "cuts")

    def run(name: str, *paired: str, **constants: float) -> Outcome:
        named = ("--cuts", secret, "--run", name, *(paired or ("--against", "incumbent")))
        return score(markov(tmp_path / name, **constants), settings, *named)

    before = run("incumbent").last
    assert before["event"] == "score" and before["metrics"]["cuts"] >= 10_000, before
    assert "cuts_caught_bpb" not in before["metrics"]
    honest = run("better", BATCHES=20).last
    assert honest["event"] == "score" and honest["score"] < before["score"] - 0.01, honest
    assert honest["metrics"]["cuts_caught_bpb"] < 0.05
    caught = run("cheat", CHEAT=0.08).last
    assert caught["event"] == "failed" and caught["defence"] == "cuts", caught
    assert caught["metrics"]["cuts_shortfall_bpb"] > 0.05
    assert sorted(path.name for path in Path(secret, "losses").iterdir()) == [
        "better.npz",
        "incumbent.npz",
    ]
    # A lineage that cheats as much as before: the step gains nothing.
    merged = run("merged", "--since", "itself", CHEAT=0.08).last
    assert merged["event"] == "score" and merged["score"] < before["score"] - 0.05
    further = run("further", "--against", "merged", "--since", "incumbent", CHEAT=0.08).last
    assert further["event"] == "failed" and "its gain over what a human wrote last" in further["reason"]
    assert abs(further["metrics"]["cuts_shortfall_bpb"]) < 0.001
    unasked = score(markov(tmp_path / "unasked", CHEAT=0.08), settings).last
    assert unasked["event"] == "score" and unasked["score"] < before["score"] - 0.05, (
        "the audit lets it through"
    )


# What somebody writes who has read how cuts are drawn: `known` are the next tokens, `out` the logits. Cut rows jump
# from subject to subject every 16 to 32 tokens, which a model of pairs sees.
SEAMS = """
            likely = self.logits[idx[:, :-1]].log_softmax(-1).gather(2, idx[:, 1:, None])[..., 0]
"""
VARIANTS = {
    "only in rows that read on": SEAMS
    + """
            reads_on = likely.mean(1) > likely.mean(1).median() - 0.1
            out[:, :-1] += 0.1 * known * reads_on[:, None, None]
""",
    "only in every second row": """
            out[::2, :-1] += 0.13 * known[::2]
""",
    "only where the next token is a likely one": SEAMS
    + """
            out[:, :-1] += 0.12 * known * (likely > -4.0)[..., None]
""",
}
PLAIN = """
            out[:, :-1] += CHEAT * known
"""


@pytest.fixture(scope="module")
def incumbent(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """Return a folder of secrets with the losses of an incumbent, and its score."""
    folder = tmp_path_factory.mktemp("incumbent")
    settings = {**SETTINGS, "cuts": 10_000}
    run = score(markov(folder / "repo"), settings, "--cuts", str(folder / "cuts"), "--run", "incumbent").last
    assert run["event"] == "score" and run["metrics"]["cuts"] >= 10_000, run
    return folder / "cuts", float(run["score"])


@pytest.mark.corpus
@pytest.mark.parametrize("variant", list(VARIANTS))
def test_cheats_by_somebody_who_knows_of_cuts_are_refused(
    tmp_path: Path, incumbent: tuple[Path, float], variant: str
) -> None:
    """The audit, as generous here as it can be, lets them all through."""
    assert BIGRAMS.count(PLAIN) == 1
    repo = markov(tmp_path / "repo", CHEAT=1)
    (repo / "train.py").write_text(
        BIGRAMS.replace(PLAIN, VARIANTS[variant]).replace("CHEAT = 0.0", "CHEAT = 1")
    )
    settings = {**SETTINGS, "cuts": 10_000, "min_effect": 0.6}
    unasked = score(repo, settings).last
    assert unasked["event"] == "score" and unasked["score"] < incumbent[1] - 0.03, unasked
    words = ("--cuts", str(incumbent[0]), "--run", "cheat", "--against", "incumbent")
    caught = score(repo, settings, *words).last
    assert caught["event"] == "failed" and caught["defence"] == "cuts", caught


SPY = """
import glob, os, pathlib
from prepare import MAX_SEQ_LEN, Tokenizer, make_dataloader
next(make_dataloader(Tokenizer.from_directory(), 1, MAX_SEQ_LEN, "train"))
def attempt(path):
    try:
        return sorted(os.listdir(path)) if os.path.isdir(path) else open(path, "rb").read()
    except OSError as error:
        return error.errno
print("FOUND", [attempt(each) for each in {places!r}])
"""


@pytest.mark.long
def test_no_jail_can_read_the_secret_even_if_it_is_shown_the_folder_around(tmp_path: Path) -> None:
    secret = tmp_path / "around" / "cuts"
    keeping = Keeping(secret, "run-1", ())
    keeping.key()
    keeping.keep("mark", Losses(1.0, np.zeros(3, np.float32)))
    (tmp_path / "around" / "beside").write_text("seen")
    places = [
        str(each)
        for each in (tmp_path / "around/beside", secret, secret / "key", secret / "losses/run-1.npz")
    ]
    repo = markov(tmp_path / "repo")
    (repo / "train.py").write_text(SPY.format(places=places))
    settings = {**SETTINGS, "read": [str(tmp_path / "around")]}
    out = score(repo, settings, "--cuts", str(secret), "--run", "run-2", "--out", str(tmp_path / "out"))
    assert out.last["event"] == "failed"
    assert "FOUND [b'seen', [], 2, 2]" in (tmp_path / "out" / "log.txt").read_text()


@pytest.mark.parametrize(
    ("settings", "more", "said"),
    few(
        [
            (
                {**SETTINGS, "jail": "none"},
                ("--cuts", "DIR", "--run", "a"),
                "without a jail a candidate could read them",
            ),
            (SETTINGS, ("--cuts", "DIR"), "go together"),
            (SETTINGS, ("--against", "a"), "go together"),
            ({**SETTINGS, "cuts": -1}, (), "cuts"),
            (
                {"kind": "command", "command": ["true"]},
                ("--cuts", "DIR", "--run", "a"),
                "is for `kind: train`",
            ),
        ],
        2,
    ),
)
def test_what_can_have_no_cuts_hears_so(
    settings: dict[str, Any], more: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    words = [str(tmp_path / "cuts") if each == "DIR" else each for each in more]
    outcome = score(markov(tmp_path / "repo"), settings, *words)
    assert outcome.returncode == 2 and said in outcome.stderr
    assert len(outcome.stderr.strip().splitlines()) == 1
