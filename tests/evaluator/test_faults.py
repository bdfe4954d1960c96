"""What the machine did is told from what a candidate did."""

from __future__ import annotations

import signal

import pytest

from evaluator import crash
from evaluator.faults import Around, of_the_machine
from evaluator.progress import Progress

FAR, NEAR = Around(1000, 8000, 0), Around(7900, 8000, 0)


@pytest.mark.parametrize(
    "line",
    [
        "RuntimeError: CUDA error: uncorrectable ECC error encountered",
        "NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, GPU has fallen off the bus.",
        "RuntimeError: CUDA error: CUDA-capable device(s) is/are busy or unavailable",
        "torch.AcceleratorError: CUDA error: cudaErrorDevicesUnavailable",
        "RuntimeError: CUDA driver version is insufficient for CUDA runtime",
        "Failed to initialize NVML: Driver/library version mismatch",
        "RuntimeError: No CUDA GPUs are available",
        "torch.distributed.DistBackendError: NCCL error in: init.cpp:36, unhandled system error",
        "[rank0]: Watchdog caught collective operation timeout: WorkNCCL(SeqNum=1, OpType=ALLREDUCE)",
    ],
)
def test_failures_of_devices_are_the_machines(line: str) -> None:
    assert of_the_machine(1, ["before", line, "after"], "", FAR) == line
    assert crash.diagnose(1, [line], Progress(), "/x", "").kind == "infrastructure"
    assert of_the_machine(0, [line], "", FAR) is None


@pytest.mark.parametrize(
    "line",
    [
        "RuntimeError: CUDA error: device-side assert triggered",
        "RuntimeError: CUDA error: an illegal memory access was encountered",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
        "RuntimeError: CUDA error: invalid configuration argument",
        "RuntimeError: NCCL error: invalid usage",
        "OSError: [Errno 28] No space left on device: '/scratch/x'",  # while the disk outside has room
        "NameError: name 'Xid' is not defined",
    ],
)
def test_failures_of_the_code_are_its_own(line: str) -> None:
    assert of_the_machine(1, [line], line, FAR) is None


def test_a_full_disk_outside_the_quota_is_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "OSError: [Errno 28] No space left on device"
    monkeypatch.setattr("evaluator.faults.disk_is_full", lambda: True)
    assert "disk is full" in (of_the_machine(1, [line], line, FAR) or "")


def test_who_ended_it_is_told_by_memory() -> None:
    killed = -signal.SIGKILL
    assert "from outside" in (of_the_machine(killed, [], "", FAR) or "")
    assert "want of memory" in (of_the_machine(killed, [], "", Around(1000, 8000, 1)) or "")
    assert of_the_machine(killed, [], "", NEAR) is None
    assert crash.diagnose(killed, [], Progress(), "/x", "", NEAR).kind == "out_of_memory"
    assert crash.diagnose(-signal.SIGSEGV, [], Progress(), "/x", "", FAR).kind == "killed"
