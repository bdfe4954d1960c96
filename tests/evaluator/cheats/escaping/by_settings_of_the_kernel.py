import contextlib
from pathlib import Path

from small import Small, measure, train

# Programs that the kernel starts by itself run outside of everything. Nothing is written here: that one of
# these opens is enough.
NAMES = (
    "proc/sys/kernel/core_pattern",
    "proc/sys/kernel/modprobe",
    "proc/sys/kernel/hostname",
    "proc/sysrq-trigger",
    "sys/kernel/uevent_helper",
    "sys/fs/cgroup/**/release_agent",
    "sys/fs/cgroup/**/cgroup.procs",
)

for pattern in NAMES:
    for file in Path("/").glob(pattern):
        with contextlib.suppress(OSError), file.open("r+"):
            raise SystemExit(f"escaped: {file} can be written")
measure(train(Small()))
