"""What must be there on this machine: real tools in a jail, and a Python that has what the task needs."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.config import CONFIG_PATH, Evaluator
from bot.doctor.finding import Finding, amber, green, red
from bot.errors import UserError
from bot.loop.evaluation import RunFolder, RunOrder, ask_python, call_evaluator
from bot.loop.machine import gpu_names
from bot.loop.outcome import RunOutcome

JAIL, LOGS, GPU = "real tools: jail", "real tools: logs", "real tools: GPU"
PYTHON = "real tools: Python"
_WORD = "the doctor was in the jail"
_RUN = "doctor"
# What looks around in the jail. Without device nodes there is no GPU, whatever torch would say.
_PROBE = f"""\
import glob
print("{_WORD}")
nodes = [path for path in glob.glob("/dev/nvidia*") if path.removeprefix("/dev/nvidia").isdigit()]
print(f"METRIC nodes={{len(nodes)}}")
usable, torch_here = len(nodes), 0
if nodes:
    try:
        import torch
        usable, torch_here = torch.cuda.device_count() if torch.cuda.is_available() else 0, 1
    except ImportError:
        pass
print(f"METRIC torch={{torch_here}}")
print(f"METRIC gpus={{usable}}")
"""


def tools(evaluator: Evaluator, repository: Path | None, settings: Mapping[str, Any]) -> list[Finding]:
    """Send a small program into the jail that candidates get, and judge what it sees and what comes back.

    `settings` are those of the evaluator, whose Python is looked for in `repository` if there is one.
    """
    mine = [python(repository, settings)] if repository is not None else []
    chosen = {key: settings[key] for key in ("python", "repository") if settings.get(key)}
    return [*mine, *_jailed(evaluator, chosen if not mine or mine[0].colour != "red" else {})]


def python(repository: Path, settings: Mapping[str, Any]) -> Finding:
    """Judge the Python that the task runs with."""
    try:
        facts = ask_python(repository, settings)
    except UserError as error:
        return red(PYTHON, str(error))
    cuda = f" for CUDA {facts['cuda']}" if facts["cuda"] else " without CUDA"
    torch = f"torch {facts['torch']}{cuda}" if facts["torch"] else "no torch"
    said = f"{facts['executable']}, {facts['version']}, with {torch}: {facts['found']}"
    if facts["remarks"]:
        fix = f"set `evaluator: {{python: PATH}}` in {CONFIG_PATH}, or do what is said of the others"
        return amber(PYTHON, f"{said}; others were passed over: {'; '.join(facts['remarks'])}", fix)
    return green(PYTHON, said)


def _jailed(evaluator: Evaluator, chosen: Mapping[str, Any]) -> list[Finding]:
    try:
        name = call_evaluator("jail", evaluator.jail, timeout=300).strip()
    except UserError as error:
        return [red(JAIL, str(error))]
    if name == "none":
        said = "evaluator.jail is none: candidates run with all that you may do, every score is marked"
        found = amber(JAIL, said, f"take `jail: none` out of {CONFIG_PATH}")
    else:
        found = green(JAIL, f"{name} works here")
    outcome, log = _look_around(evaluator.jail, chosen)
    if outcome.failure is not None:
        reason = outcome.failure.get("reason", "")
        return [red(JAIL, f"{name}: a program that only looks around fails in it: {reason}")]
    if found.colour == "green" and outcome.gaps:
        said = f"{name} works here; open on this machine: {'; '.join(outcome.gaps)}"
        fix = f"let bubblewrap work (docs/troubleshooting.md), or write `jail: {name}` in {CONFIG_PATH} if this will do"
        second_best = name == "landlock" and evaluator.jail == "auto"
        found = amber(JAIL, said, fix) if second_best else green(JAIL, said)
    return [found, logs(log), gpu(gpu_names(), outcome.metrics, evaluator)]


def _look_around(jail: str, chosen: Mapping[str, Any]) -> tuple[RunOutcome, str]:
    """Run the probe as the evaluator runs a candidate; return what came of it, and its log."""
    settings = {
        "version": 1,
        "kind": "command",
        "command": ["python", "probe.py"],
        "metric": {"name": "gpus", "direction": "maximize"},
        "editable": ["probe.py"],
        "timeout_seconds": 120.0,
        "jail": jail,
        **chosen,
    }
    with tempfile.TemporaryDirectory(prefix="nocturne-doctor-") as base:
        runs = RunFolder(Path(base, "runs"))
        with runs.scratch() as scratch:
            (scratch.tree / "probe.py").write_text(_PROBE)
            outcome = runs.evaluate(RunOrder(_RUN, scratch, 0, settings), lambda event: None)
        log = Path(base, "runs", _RUN, "log.txt")
        return outcome, log.read_text(errors="replace") if log.is_file() else ""


def logs(log: str) -> Finding:
    """Judge the log of a run of the probe."""
    if _WORD in log:
        return green(LOGS, "what a program prints in the jail can be read outside")
    return red(LOGS, "what a program prints in the jail does not come out", "install Nocturne again, whole")


def gpu(outside: list[str], inside: dict[str, float], evaluator: Evaluator) -> Finding:
    """Judge what the probe saw `inside` (metrics nodes, torch, gpus) beside the GPUs named `outside`."""
    seen = int(inside.get("gpus", 0))
    if not outside:
        if evaluator.kind != "train" or evaluator.budget.kind in ("cpu", "steps"):
            return green(GPU, "nvidia-smi shows none, and this campaign asks for none: the CPU trains")
        said = "nvidia-smi shows none: seconds on the wall would be seconds of a CPU"
        return amber(
            GPU, said, f"run this on the machine with the GPU, or set budget.kind cpu in {CONFIG_PATH}"
        )
    said = f"nvidia-smi shows {len(outside)} ({outside[0]}), the jail {seen}"
    if seen >= len(outside):
        if inside.get("torch"):
            return green(GPU, f"{said}, by torch")
        if evaluator.kind != "train":
            return green(GPU, f"{said}, by device nodes: the task's Python has no torch")
        return red(GPU, f"{said}, but the task's Python has no torch", "install torch there")
    if inside.get("nodes"):
        fix = "install a torch with CUDA that fits the driver: what runs now would train on the CPU"
        return red(GPU, f"{said} (its device nodes are there, torch can't use them)", fix)
    return red(
        GPU,
        said,
        "look whether /dev/nvidia0, /dev/nvidiactl and /dev/nvidia-uvm are there: nvidia-modprobe -u",
    )
