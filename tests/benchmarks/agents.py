"""What talking to models takes, against a Messages API on loopback with a real prefix cache (tokens: bytes / 4).

    python -m tests.benchmarks.agents --experiments 30      # whole campaigns with scripted minds
    python -m tests.benchmarks.agents --only memory         # tokens and cache, at 100 and at 10,000 experiments

`memory`: a campaign on the starter's train.py with a long history on its ledger; a mind that looks up an earlier
experiment, searches, checks its draft and hands in. Experiments are ten minutes apart; one in eight merges.
`minds`: campaigns on a formula task, maker and checker behind the same API; what each kind of mind comes to.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from bot.agents.proposers.offline import OfflineProposer
from bot.loop.agents import with_agents
from bot.loop.commits import editable_files
from bot.loop.context import Context, open_context
from bot.loop.propose import ask
from bot.loop.reconciling import reconcile
from bot.loop.runner import Until, run_loop
from bot.loop.start import ensure_started
from bot.loop.working import begin
from bot.rules import events as ev
from bot.rules.proposal import Proposal
from bot.rules.schedule import Begin
from bot.tell.display import PlainDisplay
from tests.bot.campaigns import night_of
from tests.bot.repositories import CONFIG, git, make_repository
from tests.bot.thinking import MINDS, Request, both, turn
from tests.bot.thinking import proposal as handed_in
from tests.messages.minds import Mind, Said, use, uses
from tests.messages.server import Api, serve

STARTER = Path(__file__).parents[2] / "evaluator/starter"
APART = 600.0  # seconds between experiments: two runs of five minutes
WARM_UP = 20  # experiments before the steady state is measured
MEASURED = 40
_WINS = 8  # one in so many experiments merges


@dataclass(frozen=True)
class Tokens:
    """What experiments of the steady state sent, per experiment, and how much of it came from the cache."""

    calls: float
    prompt: float
    read: float
    usd: float


@contextmanager
def session(folder: Path, mind: Mind, **config: object) -> Iterator[tuple[Context, Api]]:
    """Give the context of a repository with Claude behind its agents, and the API that answers."""
    with serve(mind) as api:
        plain = open_context(folder, None, PlainDisplay(io.StringIO()), {}, OfflineProposer())
        context = replace(plain, config=plain.config.model_copy(update=config))
        yield with_agents(context, api.environ), api
    assert api.refusals == [], api.refusals[0]


# -- memory ----------------------------------------------------------------------------------------------


def looking() -> Mind:
    """Looks an earlier experiment up, searches, checks its draft, hands in another learning rate."""

    def mind(request: Request, number: int) -> Said:
        edits = [("train.py", "", f"{_train(request)}\nTRIED = {number}\n")]
        match turn(request):
            case 0:
                return use("past_experiment", {"number": 7})
            case 1:
                return uses(("search_experiments", {"words": "learning rate warmup"}))
            case 2:
                given = handed_in(*edits)
                return use("check_draft", {"edits": given["edits"]})
            case _:
                given = handed_in(*edits, hypothesis=f"Try {number}", category="schedule")
                return use("propose", given)

    return mind


def _train(request: Request) -> str:
    for block in request["messages"][0]["content"]:
        found = re.search(
            r'<data (\w+) from="train.py of the incumbent">\n(.*)\n</data \1>', block["text"], re.S
        )
        if found is not None:
            return found[2]
    raise AssertionError("train.py is not shown")


def remembered(experiments: int) -> Tokens:
    """Return what experiments take after a history of `experiments` of them."""
    with tempfile.TemporaryDirectory(prefix="nocturne-bench-") as scratch:
        files = {name: (STARTER / name).read_text() for name in ("train.py", "prepare.py", "program.md")}
        folder = make_repository(Path(scratch) / "repo", config="runner: 1x H100\n", files=files)
        with session(folder, looking(), proposer="claude") as (context, api):
            ensure_started(context)
            _give_history(context, experiments)
            before = 0
            for index in range(WARM_UP + MEASURED):
                if index == WARM_UP:
                    before = len(api.made)
                _experiment(context, experiments + index + 1)
                api.clock.advance(APART)
            calls = api.made[before:]
            mine = context.ledger.refresh().bills
            usd = sum(mine.of_experiment(experiments + WARM_UP + i + 1).usd for i in range(MEASURED))
    used = [call.used for call in calls if call.used is not None]
    return Tokens(
        len(calls) / MEASURED,
        sum(each.prompt for each in used) / MEASURED,
        sum(each.read for each in used) / MEASURED,
        usd / MEASURED,
    )


def _give_history(context: Context, experiments: int) -> None:
    """Put a night of `experiments` on the ledger, and the repository's own commit on top of it."""
    night = night_of(experiments, hostile=False)
    past = [recorded.event for recorded in night.recorded[1:]]
    slim = [replace(e, curve=()) if isinstance(e, ev.RunFinished) else e for e in past]
    commit = context.ledger.refresh().incumbent
    own = [ev.IncumbentMoved(commit, night.incumbent, 1), *_runs(commit)]
    context.ledger.append(lambda _: [*slim, *own])


def _runs(commit: str) -> list[ev.Event]:
    curve = tuple((float(step), step * 0.3, 4.0 - step / 1000) for step in range(0, 1000, 25))
    return [
        ev.RunFinished(
            f"{commit[:12]}-{n}", commit, n, n, None, 0.95 + n / 1000, None, {"peak_vram_mb": 45060.0}, "f1",
            "bubblewrap", "1x H100", 331.0, 300.0, curve,
        )
        for n in (1, 2)
    ]  # fmt: skip


def _experiment(context: Context, number: int) -> None:
    """Have experiment `number` proposed, and write down how it ended without training anything."""
    assert begin(context, reconcile(context), Begin(number, None)) == number
    campaign = context.ledger.refresh()
    experiment = campaign.experiments[number]
    files = editable_files(context, experiment.claimed_on)
    made = ask(context, campaign, experiment, files)
    assert made is not None and made.proposer.startswith("claude"), made
    decided = ev.ExperimentDecided(
        number, 0, "discarded", False, 0.002, 0.0012, 0.001, 0.953, 0.951, 1, 2, "worse beyond the noise",
        f"{made.hypothesis}: worsens val_bpb by 0.002.",
    )  # fmt: skip
    events: list[ev.Event] = [_proposed(number, made), decided, ev.ExperimentFinished(number)]
    if number % _WINS == 0:
        commit = context.git.commit_files(
            campaign.incumbent, {path: text.encode() for path, text in made.files.items()}, "Win",
            datetime.fromisoformat(experiment.claimed_at),
        )  # fmt: skip
        context.forge.replace_branch(context.branch, commit)
        events += [ev.IncumbentMoved(commit, campaign.incumbent, campaign.moves + 1), *_runs(commit)]
    context.ledger.append(lambda _: events)


def _proposed(number: int, made: Proposal) -> ev.ExperimentProposed:
    return ev.ExperimentProposed(
        number, made.hypothesis, made.category, made.reason, made.expected_effect, made.risk, made.proposer
    )


def memory(histories: Sequence[int]) -> bool:
    """Print tokens per experiment after histories of several lengths; False where a bound does not hold."""
    print(
        f"memory: {MEASURED} experiments after {WARM_UP} of warm-up, {APART:.0f} s apart, one in {_WINS} merges;"
        " starter's train.py"
    )
    print(f"{'history':>8} {'calls':>6} {'input tokens':>13} {'from cache':>11} {'USD':>7}   per experiment")
    rows = {}
    for experiments in histories:
        began = time.perf_counter()
        row = rows[experiments] = remembered(experiments)
        share = row.read / row.prompt
        took = time.perf_counter() - began
        print(
            f"{experiments:>8,} {row.calls:>6.1f} {row.prompt:>13,.0f} {share:>11.1%} {row.usd:>7.4f}   ({took:.0f} s)"
        )
    first, last = rows[histories[0]], rows[histories[-1]]
    ratio = last.prompt / first.prompt
    print(f"input tokens at {histories[-1]:,} / at {histories[0]:,}: {ratio:.3f} (at most 1.1)")
    return ratio <= 1.1 and all(row.read / row.prompt >= 0.7 for row in rows.values())


# -- minds -----------------------------------------------------------------------------------------------


def campaign(name: str, experiments: int) -> str:
    """Run one campaign with a kind of mind and return its statistics as a line."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="nocturne-bench-") as scratch:
        config = f"{CONFIG}stop: {{experiments: {experiments}, crashes_in_row: null, plateau: null}}\n"
        folder = make_repository(Path(scratch) / "repo", config=config)
        locked = git(folder, "rev-parse", "main:score.py")
        with session(folder, both(MINDS[name]()), proposer="claude", reviewer="claude") as (context, api):
            run_loop(context, Until())
            done = context.ledger.refresh()
        assert len(done.order) == experiments
        assert git(folder, "rev-parse", "nocturne/main:score.py") == locked, "the measurement was changed"
        assert api.key not in api.seen(), "the key was sent within a request"
    verdicts = Counter(str(e.verdict) for e in done.finished())
    own = sum(
        e.proposal is not None and not e.proposal.proposer.startswith("offline") for e in done.finished()
    )
    best = done.best()
    bill = done.bills.total
    return (
        f"{name:<15} {own:>6} {experiments - own:>8} "
        + " ".join(f"{verdicts[v]:>{len(v)}}" for v in ev.VERDICTS)
        + f" {best[1] if best else 0:>7.4f} {bill.calls / experiments:>6.1f}"
        + f" {bill.prompt_tokens / experiments:>8,.0f} {bill.cached_share:>7.1%} {bill.usd / experiments:>7.4f}"
        + f"   ({time.perf_counter() - began:.0f} s)"
    )


def minds(names: Sequence[str], experiments: int) -> None:
    """Print what each kind of mind comes to."""
    print(
        f"minds: {experiments} experiments each on the formula task, maker and checker, per experiment on the right"
    )
    print(
        f"{'mind':<15} {'claude':>6} {'offline':>8} {' '.join(ev.VERDICTS)} {'best':>7} {'calls':>6} {'tokens':>8}"
        f" {'cached':>7} {'USD':>7}"
    )
    for name in names:
        print(campaign(name, experiments), flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Print both tables; exit code 1 where a bound of the memory does not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--experiments", type=int, default=30, help="of each mind's campaign")
    parser.add_argument("--history", type=int, nargs="+", default=[100, 10_000])
    parser.add_argument("--only", choices=("memory", "minds"), default=None)
    parser.add_argument("--mind", choices=list(MINDS), action="append")
    args = parser.parse_args(argv)
    held = args.only == "minds" or memory(args.history)
    if args.only != "memory":
        minds(args.mind or list(MINDS), args.experiments)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
