"""Logs of other tools: what is read of them, and what is told of lines and metrics that are not."""

from __future__ import annotations

import json

import pytest

from bot.agents.claims import changes_in_words
from bot.agents.constants import constants_of
from bot.rules.past_logs import OtherMetric, PastClaim, gains, read_log

TABLE = """\
commit\tloss\tmemory_gb\tstatus\tdescription
aaaaaaa\t1.25\t4.0\tkeep\tbaseline
bbbbbbb\t1.20\t4.0\tkeep\traise it
ccccccc\t1.30\t4.0\tdiscard\tlower it
ddddddd\t0.0\t0.0\tcrash\tfar too much
"""


def read(
    text: str, metric: str = "loss", direction: str = "minimize", mapped: str | None = None
) -> list[PastClaim]:
    return read_log(text, metric=metric, direction=direction, mapped=mapped).claims


def run(number: int, metric: float, status: str, **more: object) -> str:
    return json.dumps({"run": number, "commit": "aaaaaaa", "metric": metric, "status": status, **more})


CONFIG = json.dumps({"type": "config", "name": "x", "metricName": "wall_s", "bestDirection": "lower"})
LINES = "\n".join(
    [
        CONFIG,
        run(1, 9.5, "keep", metrics={"rss": 5}),
        run(2, 0, "checks_failed"),
        json.dumps({"type": "note"}),
    ]
)


def test_autoresearchs_table() -> None:
    claims = read(TABLE)
    assert [(c.status, c.score, c.commit) for c in claims] == [
        ("kept", 1.25, "aaaaaaa"), ("kept", 1.2, "bbbbbbb"), ("discarded", 1.3, "ccccccc"), ("crashed", None, "ddddddd")
    ]  # fmt: skip
    assert [against for _, against in gains(claims, "minimize")] == [None, 1.25, 1.2, 1.2]
    assert [against for _, against in gains(claims, "maximize")] == [None, 1.25, 1.25, 1.25]


def test_a_table_without_its_first_line_is_read_if_it_has_the_usual_columns() -> None:
    body = TABLE.partition("\n")[2]
    assert len(read(body, "val_bpb")) == 4
    with pytest.raises(ValueError, match="names no columns"):
        read("a\tb\n1\t2\n")


def test_pi_autoresearchs_lines() -> None:
    claims = read(LINES, "wall_s")
    assert [(c.number, c.status, c.score) for c in claims] == [(1, "kept", 9.5), (2, "crashed", None)]
    assert [c.score for c in read(LINES, "rss")] == [5.0], "what is measured beside its metric will do"


def test_damaged_lines_are_told_by_their_number_and_the_rest_is_read() -> None:
    damaged = TABLE + "eeeeeee\t1.1\n" + "fffffff\tmuch\t1\tkeep\tx\n" + "0000000\t1.0\t1\tperhaps\tx\n"
    log = read_log(damaged, metric="loss", direction="minimize")
    assert len(log.claims) == 4 and list(log.damaged) == [6, 7, 8]
    assert log.damaged[6] == "2 columns, expected 5" and "'much' is no score" in log.damaged[7]
    assert "'perhaps' is none of keep, discard, crash" in log.damaged[8]
    log = read_log(
        LINES + '\n{"run": 3, "met\n' + run(4, float("inf"), "keep"), metric="wall_s", direction="minimize"
    )
    assert len(log.claims) == 2 and list(log.damaged) == [5, 6]


def test_another_metric_is_refused_or_mapped() -> None:
    with pytest.raises(
        OtherMetric, match=r"no column 'val_bpb' \(columns: commit, loss, .* add --metric COLUMN"
    ):
        read(TABLE, "val_bpb")
    assert len(read(TABLE, "val_bpb", mapped="loss")) == 4
    with pytest.raises(OtherMetric, match="it measures wall_s, and this campaign loss: add --metric wall_s"):
        read(LINES, "loss")
    assert len(read(LINES, "loss", mapped="wall_s")) == 2
    with pytest.raises(OtherMetric, match="line 1: wall_s is to minimize there and to maximize here"):
        read(LINES, "wall_s", "maximize")


def test_a_log_that_changed_its_metric_is_taken_in_part() -> None:
    other = json.dumps({"type": "config", "metricName": "rss", "bestDirection": "lower"})
    log = read_log(f"{LINES}\n{other}\n{run(9, 4, 'keep')}", metric="wall_s", direction="minimize")
    assert len(log.claims) == 2 and log.notes == ["1 experiments that measure rss are left out"]


def test_scores_of_another_beginning_are_not_compared() -> None:
    """Real logs begin anew on a larger task under the same metric: 97 of 100 after 50 of 50 is no gain of 47."""
    config = json.dumps({"type": "config", "metricName": "wins", "bestDirection": "higher"})
    text = "\n".join([config, run(1, 50, "keep"), config, run(2, 97, "keep"), run(3, 99, "keep")])
    claims = read(text, "wins", "maximize")
    assert [against for _, against in gains(claims, "maximize")] == [None, None, 97.0]
    again = TABLE + "eeeeeee\t5.0\t4.0\tkeep\tLong text baseline\n" + "fffffff\t4.0\t4.0\tkeep\tx\n"
    assert [against for _, against in gains(read(again), "minimize")][-2:] == [None, 5.0]


def test_the_same_line_is_the_same_claim_wherever_it_stands() -> None:
    first, second = read(TABLE), read(TABLE.replace("aaaaaaa\t1.25\t4.0\tkeep\tbaseline\n", ""))
    assert [c.digest for c in first[1:]] == [c.digest for c in second]
    assert len({c.digest for c in first}) == 4


FILES = {"train.py": "MATRIX_LR = 0.02\nWEIGHT_DECAY = 0.1\nDEPTH = 8\nWINDOW = 'SSSL'\n"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("matrix LR 0.04 to 0.045", {"MATRIX_LR": ("0.04", "0.045")}),
        (
            "weight-decay 0.2 -> 0.15, depth 9 (slower)",
            {"WEIGHT_DECAY": ("0.2", "0.15"), "DEPTH": ("8", "9")},
        ),
        ("Increase WEIGHT_DECAY to 0.3 so that it regularizes", {"WEIGHT_DECAY": ("0.5", "0.3")}),
        ("set DEPTH=12", {"DEPTH": ("8", "12")}),
        ("deeper by 2 layers, matrix LR 1.5x", {}),
        ("WEIGHT_DECAY to 0.5", {}),  # which it was already
    ],
)
def test_the_constants_that_words_name(words: str, expected: dict[str, tuple[str, str]]) -> None:
    changes = changes_in_words(words, constants_of(FILES), {"WEIGHT_DECAY": "0.5"})
    assert {change.name: (change.old, change.new) for change in changes} == expected
