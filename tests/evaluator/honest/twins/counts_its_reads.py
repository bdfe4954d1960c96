import os
import resource
from pathlib import Path

import torch
from small import Small, measure, train

# Says what its own start cost, as a profile of a run does: reads from the disk, faults, and the largest size.
with Path(torch.__file__).open("rb") as file:
    held = len(os.pread(file.fileno(), 1 << 16, 0))
spent = resource.getrusage(resource.RUSAGE_SELF)
print(f"{held} bytes, {spent.ru_inblock} blocks read, {spent.ru_majflt} faults waited, {spent.ru_maxrss} KiB")
measure(train(Small()))
