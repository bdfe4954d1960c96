"""The command line: nocturne-evaluator prepare | score | python | reader | starter | jail | host.

What scores is imported where it is needed: it needs Linux, and other systems are to hear so.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from evaluator import settings, starter_files
from evaluator.errors import Interrupted, UserError
from evaluator.stream import Stream, encode, tokens_line

if TYPE_CHECKING:
    from evaluator.cuts.keeping import Keeping
    from evaluator.interpreter.task_python import TaskPython

ELSEWHERE = (
    "scoring needs Linux, whose namespaces keep a candidate in its jail: on Windows run this in WSL2, on a Mac on a"
    " Linux machine or in a virtual one; `nocturne-evaluator starter` works here"
)
SMALLEST_SHARE = 0.01  # of a budget
SCORED, FAILED, USER_ERROR, INTERRUPTED = 0, 1, 2, 130

# What the machine, not the code, is the reason for.
_OUTSIDE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR}
_OUTSIDE |= {errno.ENOENT, errno.EMFILE, errno.ENOMEM, errno.EAGAIN, errno.ENAMETOOLONG}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    parent = os.getppid()
    args = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    if args.run is not _starter and sys.platform != "linux":
        return _user_error(ELSEWHERE, getattr(args, "json", False))
    if getattr(args, "die_with_parent", False):
        from evaluator import proctree

        proctree.die_with_parent()
        if os.getppid() != parent:  # it ended before we had asked
            return INTERRUPTED
    as_json = getattr(args, "json", False)
    try:
        return int(args.run(args))
    except UserError as error:
        return _user_error(str(error), as_json)
    except Interrupted:
        return INTERRUPTED
    except OSError as error:
        if error.errno not in _OUTSIDE:
            raise
        return _user_error(f"{error.filename or 'evaluator'}: {error.strerror}", as_json)


def _score(args: argparse.Namespace) -> int:
    from evaluator import score

    repo = _folder(args.repo)
    if args.train is not None and not args.train.is_file():
        raise UserError(f"{args.train}: no such file (--train)")
    chosen = settings.load(repo, args.settings)
    stream = Stream(as_json=args.json)
    result = score.score(
        repo, chosen, _python_of(repo, chosen), stream.say, seed=args.seed, train=args.train, smoke=args.smoke,
        reference=args.reference, out=args.out, cuts=_cuts(args), share=args.budget_share,
    )  # fmt: skip
    stream.say(result)
    return FAILED if result["event"] == "failed" else SCORED


def _cuts(args: argparse.Namespace) -> Keeping | None:
    """Return where the cuts of a run are kept; raise `UserError` if only a part of it is given."""
    if args.cuts is None and args.run_name is None and not args.against and not args.since:
        return None
    if args.cuts is None or args.run_name is None:
        raise UserError("--cuts, --run: go together: the folder of the secret, and a name for this run")
    from evaluator.cuts.keeping import Keeping

    return Keeping(args.cuts.resolve(), args.run_name, tuple(args.against), tuple(args.since))


def _prepare(args: argparse.Namespace) -> int:
    from evaluator import readable
    from evaluator.jail import choose
    from evaluator.job import source_of
    from evaluator.training import concealed, export
    from evaluator.workspace import private_copy

    repo = _folder(args.repo)
    chosen = settings.load(repo, args.settings)
    python = _python_of(repo, chosen)
    jail, source = choose(chosen.jail), source_of(repo, chosen)
    exported = export.load_or_make(repo, chosen, jail, python, again=True)
    with private_copy(source, short=jail.in_place) as space:
        seen = concealed.seen(space, chosen, jail, python, exported, readable.named(chosen, source))
        concealed.conceal(seen, space, exported, python.interpreter)
    count, columns = exported.inputs.shape
    facts = {
        "fingerprint": exported.fingerprint,
        "rows": count,
        "columns": columns,
        "vocabulary": len(exported.token_bytes),
        "bytes": int(exported.token_bytes[exported.targets].sum()),
        "time_budget": exported.time_budget,
        "eval_tokens": exported.eval_tokens,
        "eval_tokens_of": exported.eval_tokens_of,
    }
    if args.json:
        print(encode({"event": "prepared", **facts}), flush=True)
    else:
        print(
            f"{count} rows of {columns} tokens ({facts['bytes']:,} bytes), vocabulary {facts['vocabulary']}"
        )
        print(tokens_line(exported.eval_tokens, exported.eval_tokens_of))
        print(f"time budget: {exported.time_budget:g} s")
        print(f"fingerprint: {exported.fingerprint}")
    return 0


def _python(args: argparse.Namespace) -> int:
    repo = _folder(args.repo)
    python = _python_of(repo, settings.load(repo, args.settings), args.module)
    facts = python.facts()
    if args.json:
        print(encode({"event": "python", **facts}), flush=True)
        return 0
    print(f"{facts['executable']}: Python {facts['version']} ({facts['found']})")
    cuda = f" for CUDA {facts['cuda']}" if facts["cuda"] else ""
    for name in ("torch", "numpy"):
        print(f"{name}: {facts[name] or 'missing'}{cuda if name == 'torch' else ''}")
    for name, there in python.interpreter.modules.items():
        print(f"{name}: {'there' if there else 'missing'}")
    for remark in python.remarks:
        print(f"note: {remark}")
    return 0


def _python_of(repo: Path, chosen: settings.Settings, modules: Sequence[str] = ()) -> TaskPython:
    from evaluator.interpreter.choice import choose_python

    if chosen.repository is not None and not Path(chosen.repository).is_dir():
        raise UserError(f"repository: {chosen.repository}: no such folder")
    return choose_python(repo, chosen, modules)


def _jail(args: argparse.Namespace) -> int:
    from evaluator.jail import choose, install

    if args.into is not None:
        into = args.into.absolute()
        if install.find(into) is None:
            print(install.unpack(into))
        return 0
    print(choose(args.kind).name)
    return 0


def _host(args: argparse.Namespace) -> int:
    from evaluator import hosting
    from evaluator.jail import choose

    stream = Stream(as_json=True)
    try:
        source = args.file.read_text(encoding="utf-8")
        questions = [hosting.Question(line) for line in sys.stdin.buffer.read().splitlines()]
        for value in hosting.answers(source, questions, choose(args.jail), together=args.together):
            stream.say({"event": "answer", "value": value})
    except hosting.NoAnswer as none:
        stream.say({"event": "failed", "class": none.kind, "reason": none.reason})
        return FAILED
    except UnicodeDecodeError:
        raise UserError(f"{args.file}: is no text in UTF-8") from None
    return SCORED


def _reader(args: argparse.Namespace) -> int:
    from evaluator.training.trial import try_reader

    repo = _folder(args.repo)
    chosen = settings.load(repo, args.settings)
    found = try_reader(chosen, _python_of(repo, chosen))
    print(f"copied: {found.copied:.9f} in {found.copied_seconds:.1f} s")
    print(f"read:   {found.read:.9f} in {found.read_seconds:.1f} s")
    if found.agrees:
        print("they agree: on this machine's GPU logits are read where they lie from now on (`logits: auto`)")
        return SCORED
    print("they differ: logits are copied here, as before")
    return FAILED


def _starter(args: argparse.Namespace) -> int:
    for path in starter_files.write(args.dir, force=args.force):
        print(f"wrote {path}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nocturne-evaluator", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    score = commands.add_parser("score", help="train the tree in REPO once and score it")
    score.add_argument("repo", type=Path, metavar="REPO", help="folder of a repository")
    _add_settings(score)
    _add_run(score)
    score.add_argument("--json", action="store_true", help="say JSON lines")
    score.set_defaults(run=_score)

    prepare = commands.add_parser(
        "prepare", help="export the validation rows of REPO, so that scoring is quick"
    )
    prepare.add_argument("repo", type=Path, metavar="REPO", nargs="?", default=starter_files.FOLDER)
    _add_settings(prepare)
    prepare.add_argument("--json", action="store_true", help="say one JSON line")
    prepare.set_defaults(run=_prepare)

    python = commands.add_parser(
        "python", help="say which Python the task in REPO runs with, and what it has"
    )
    python.add_argument("repo", type=Path, metavar="REPO", nargs="?", default=Path())
    _add_settings(python)
    python.add_argument("--json", action="store_true", help="say one JSON line")
    python.add_argument(
        "--module", action="append", default=[], metavar="NAME", help="say whether it has this one, too"
    )
    python.set_defaults(run=_python)

    jail = commands.add_parser("jail", help="say which jail works here, or how to get one")
    jail.add_argument("kind", choices=settings.JAILS, nargs="?", default="auto", help="only try this one")
    jail.add_argument(
        "--into", type=Path, metavar="DIR", help="unpack bubblewrap there if this machine has none"
    )
    jail.set_defaults(run=_jail)

    host = commands.add_parser(
        "host",
        help="ask a mechanism of the outer loop, in a jail of its own: a question a line of standard input",
    )
    host.add_argument(
        "file", type=Path, metavar="FILE", help="Python with steer(view) and screen(view, proposal)"
    )
    host.add_argument(
        "--together", action="store_true", help="ask one process all questions (a fresh one for each)"
    )
    host.add_argument("--jail", choices=settings.JAILS, default="auto", help="only take this one")
    _add_die(host)
    host.set_defaults(run=_host)

    reader = commands.add_parser(
        "reader", help="try whether logits can be read on this machine's GPU, and use that from then on"
    )
    reader.add_argument("repo", type=Path, metavar="REPO", nargs="?", default=starter_files.FOLDER)
    _add_settings(reader)
    reader.set_defaults(run=_reader)

    starter = commands.add_parser("starter", help="write the bundled task into DIR")
    starter.add_argument("dir", type=Path, metavar="DIR")
    starter.add_argument("--force", action="store_true", help="replace files that are there and different")
    starter.set_defaults(run=_starter)
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--settings", metavar="FILE", help='JSON or YAML settings, "-" for standard input')


def _add_run(parser: argparse.ArgumentParser) -> None:
    """Add the options of a single run."""
    parser.add_argument(
        "--train", type=Path, metavar="FILE", help="take this file for the script that is trained"
    )
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="FILE",
        help="measures of the reference, by which the run's time is charged (it is written if it is missing)",
    )
    parser.add_argument(
        "--cuts",
        type=Path,
        metavar="DIR",
        help="a folder of the scorer's own: the secret that cuts places out of the validation text is drawn there",
    )
    parser.add_argument(
        "--run", dest="run_name", metavar="NAME", help="keep this run's losses at the cuts by this name"
    )
    parser.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="NAME",
        help="a run of the incumbent, whose losses at the cuts the gain is paired with (again for each)",
    )
    parser.add_argument(
        "--since",
        action="append",
        default=[],
        metavar="NAME",
        help="a run of what the incumbent came from, for cheats that are small in each step (again for each)",
    )
    parser.add_argument(
        "--budget-share",
        type=_share,
        default=1.0,
        metavar="PART",
        help="give it this part of its budget, such as 0.25: its score compares with runs of the same part only (1)",
    )
    parser.add_argument("--seed", type=_seed, default=0, metavar="N", help="seed of the run (0)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="leave log.txt and result.json here")
    parser.add_argument(
        "--smoke",
        type=_seconds,
        metavar="SECONDS",
        help="only try it: a few steps in so much time, and no score",
    )
    _add_die(parser)


def _add_die(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--die-with-parent", action="store_true", help="end when the process that started this ends"
    )


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**31:
        raise argparse.ArgumentTypeError("a seed is a whole number from 0 to 2147483647")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not SMALLEST_SHARE <= value <= 1:
        raise argparse.ArgumentTypeError(f"a part of the budget is a number from {SMALLEST_SHARE:g} to 1")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError("must be a number of seconds greater than 0")
    return value


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise UserError(f"{path}: no such folder")
    return path.resolve()


def _interrupt(number: int, frame: object) -> NoReturn:
    # A second signal must not break the cleaning up.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise Interrupted


def _user_error(message: str, as_json: bool) -> int:
    if as_json:
        Stream(as_json=True).say({"event": "error", "message": message})
    print(f"error: {message}", file=sys.stderr)
    return USER_ERROR
