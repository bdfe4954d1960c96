"""The address of a workflow run on GitHub: where something is done, or was."""

from __future__ import annotations

import re
from collections.abc import Mapping

_RUN = re.compile(r"https?://[\w.:-]+/[\w.-]+/[\w.-]+/actions/runs/[0-9]{1,20}")


def workflow_run(environ: Mapping[str, str]) -> str:
    """Return the address of the workflow run that this process is part of, "" outside of one."""
    parts = [environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    address = "{}/{}/actions/runs/{}".format(*parts)
    return address if _RUN.fullmatch(address) else ""


def of_same_repository(address: str, known: str) -> bool:
    """Whether both are addresses of workflow runs in one repository."""
    runs = [each.rpartition("/")[0] for each in (address, known) if _RUN.fullmatch(each)]
    return len(runs) == 2 and runs[0] == runs[1]
