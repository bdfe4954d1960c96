"""Who holds a lease, and whether that process still runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bot.ledger.holder import holder_name, is_dead

ROOT = Path(__file__).parents[2]
HOLDS = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from bot.ledger.holder import holder_name
print(holder_name(), flush=True)
sys.stdin.read()
"""


def test_a_holder_is_dead_once_its_process_has_ended() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        other = process.stdout.readline().strip()
        assert not is_dead(other) and not is_dead(holder_name())
        process.communicate()
    assert is_dead(other)


def test_a_process_id_that_another_has_now_is_not_its_holder() -> None:
    host, boot, pid, started = holder_name().rsplit("/", 3)
    assert is_dead(f"{host}/{boot}/{pid}/{int(started) - 1}")
    assert is_dead(f"{host}/0badboot/{pid}/{started}")


def test_of_another_machine_and_of_odd_names_nothing_is_known() -> None:
    _, boot, pid, _ = holder_name().rsplit("/", 3)
    for name in (f"elsewhere/{boot}/{pid}/1", "somebody", f"elsewhere/{boot}/x/1"):
        assert not is_dead(name)
