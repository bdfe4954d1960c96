"""Logs of campaigns that other tools ran: autoresearch's `results.tsv`, pi-autoresearch's `autoresearch.jsonl`.

What such a log says is a claim: nobody has measured it here. The forms: karpathy/autoresearch, program.md (commit, the
metric, memory_gb, status, description), and davebcn87/pi-autoresearch (a line of type `config`, then one for each run;
newer versions keep it in `.auto/log.jsonl`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.base.text import clean, one_line
from bot.rules.bounds import is_number, measurable

Status = Literal["kept", "discarded", "crashed"]
MOST_CLAIMS = 5_000
_DESCRIPTION = 500  # characters
_USUAL = ("commit", "val_bpb", "memory_gb", "status", "description")
_STATUSES: Mapping[str, Status] = {
    **dict.fromkeys(("keep", "kept", "baseline", "improved", "accept", "accepted", "success"), "kept"),
    **dict.fromkeys(("discard", "discarded", "revert", "reverted", "reject", "rejected", "worse"), "discarded"),
    **dict.fromkeys(("crash", "crashed", "fail", "failed", "error", "timeout", "checks_failed", "oom"), "crashed"),
}  # fmt: skip


class OtherMetric(Exception):
    """The log measures something else: which, and what would map it, in one line."""


@dataclass(frozen=True)
class PastClaim:
    """What one line says: how a change scored, and what became of it. `score` is None if it crashed.

    `segment` counts the log's beginnings: scores of different ones may be of different tasks, whatever their metric.
    """

    line: int
    status: Status
    score: float | None
    description: str
    commit: str = ""
    number: int | None = None
    segment: int = 0

    @property
    def digest(self) -> str:
        """What makes it the same claim if it is imported again, from wherever its line stands then."""
        said = json.dumps([self.number, self.commit, self.status, self.score, self.description])
        return hashlib.sha256(said.encode()).hexdigest()[:20]


@dataclass
class PastLog:
    """A log as far as it can be read: `damaged` has a reason for each line that can't, `notes` what else to say."""

    claims: list[PastClaim] = field(default_factory=list)
    damaged: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    segments: int = 0


def read_log(text: str, *, metric: str, direction: str, mapped: str | None = None) -> PastLog:
    """Return the claims of a log about `metric` (`direction` is minimize or maximize), first to last.

    `mapped` is the name that the log has for it, if it has another. Raises OtherMetric if it measures something else,
    and ValueError if it is no such log.
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise ValueError("it is empty")
    if any(line.lstrip().startswith("{") for _, line in lines[:5]):
        log = _of_json_lines(lines, metric, direction, mapped)
    else:
        log = _of_table(lines, metric, mapped)
    if len(log.claims) > MOST_CLAIMS:
        log.notes.append(f"only the last {MOST_CLAIMS:,} of {len(log.claims):,} experiments are taken")
        log.claims = log.claims[-MOST_CLAIMS:]
    return log


def _of_table(lines: list[tuple[int, str]], metric: str, mapped: str | None) -> PastLog:
    head = [name.strip() for name in lines[0][1].split("\t")]
    rows = lines[1:]
    if "status" not in head:
        if len(head) < len(_USUAL) or head[3].lower() not in _STATUSES:
            raise ValueError(
                "its first line names no columns with `status` among them, and no line begins with {"
            )
        head, rows = list(_USUAL), lines
    name = mapped or metric
    if name not in head:
        known = ", ".join(head)
        raise OtherMetric(
            f"it has no column {name!r} (columns: {known}): add --metric COLUMN if one of them is what this campaign"
            f" measures as {metric}"
        )
    log = PastLog()
    for number, line in rows:
        cells = line.split("\t")
        if len(cells) > len(head) and head[-1] == "description":
            cells = [*cells[: len(head) - 1], "\t".join(cells[len(head) - 1 :])]
        if len(cells) != len(head):
            log.damaged[number] = f"{len(cells)} columns, expected {len(head)}"
            continue
        row = {key: cell.strip() for key, cell in zip(head, cells, strict=True)}
        _take(log, number, row, row[name], row.get("commit", ""), None)
    return log


def _of_json_lines(lines: list[tuple[int, str]], metric: str, direction: str, mapped: str | None) -> PastLog:
    log = PastLog()
    measured = ""
    others: dict[str, int] = {}
    for number, line in lines:
        record = _object(line)
        if record is None:
            log.damaged[number] = "no JSON object"
            continue
        if record.get("type") == "config":
            measured = one_line(str(record.get("metricName", record.get("metric_name", ""))), 80)
            higher = record.get("bestDirection", record.get("direction")) == "higher"
            better = "maximize" if higher else "minimize"
            log.segments += 1
            if measured == (mapped or metric) and better != direction:
                raise OtherMetric(
                    f"line {number}: {measured} is to {better} there and to {direction} here: one of the two is wrong"
                )
            continue
        if "metric" not in record and "status" not in record:
            continue  # what the tool notes beside its runs
        value = _value(record, measured, mapped or metric)
        if value is None:
            others[measured or "nothing by name"] = others.get(measured or "nothing by name", 0) + 1
            continue
        run = record.get("run")
        _take(
            log, number, record, value, str(record.get("commit", "")), run if isinstance(run, int) else None
        )
    if others and not log.claims:
        names = ", ".join(others)
        raise OtherMetric(
            f"it measures {names}, and this campaign {metric}: add --metric {next(iter(others))} if both are the same"
        )
    log.notes += [f"{count} experiments that measure {name} are left out" for name, count in others.items()]
    return log


def _value(record: Mapping[str, Any], measured: str, wanted: str) -> object:
    """Return what a run says of the metric: as its own, or beside it; None if it measures something else."""
    if measured in ("", wanted):
        return record.get("metric", "")
    beside = record.get("metrics")
    return beside.get(wanted) if isinstance(beside, Mapping) else None


def _object(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _take(
    log: PastLog, line: int, row: Mapping[str, Any], value: object, commit: str, number: int | None
) -> None:
    """Add a line's claim to the log, or say what is wrong with the line."""
    said = str(row.get("status", "")).strip().lower()
    status = _STATUSES.get(said)
    if status is None:
        log.damaged[line] = f"status {said[:40]!r} is none of keep, discard, crash"
        return
    score = None if status == "crashed" else _number(value)
    if status != "crashed" and score is None:
        log.damaged[line] = f"{str(value)[:40]!r} is no score"
        return
    description = one_line(clean(str(row.get("description", ""))), _DESCRIPTION)
    known = commit.strip().lower()
    named = known if 7 <= len(known) <= 40 and all(c in "0123456789abcdef" for c in known) else ""
    if status == "kept" and "baseline" in re.findall(r"\w+", description.lower())[:3]:
        log.segments += 1
    log.claims.append(PastClaim(line, status, score, description, named, number, log.segments))


def _number(value: object) -> float | None:
    try:
        number = float(value) if is_number(value) else float(str(value))
    except (ValueError, OverflowError):
        return None
    return number if measurable(number) else None


def gains(claims: list[PastClaim], direction: str) -> Iterator[tuple[PastClaim, float | None]]:
    """Yield each claim with the score that it had to beat: the best that was kept before it in its segment, None for
    the first."""
    best: float | None = None
    segment = 0
    for claim in claims:
        if claim.segment != segment:
            best, segment = None, claim.segment
        yield claim, best
        if claim.status == "kept" and claim.score is not None:
            better = best is None or (claim.score < best if direction == "minimize" else claim.score > best)
            best = claim.score if better else best
