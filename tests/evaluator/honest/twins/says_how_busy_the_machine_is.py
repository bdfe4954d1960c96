import os
from pathlib import Path

from small import Small, measure, train

# What a report of a run begins with: memory, load, processors.
lines = [line.split() for line in Path("/proc/meminfo").read_text().splitlines()]
memory = {words[0]: int(words[1]) for words in lines if len(words) > 1}
assert memory["MemTotal:"] > memory["MemAvailable:"] > 0
ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
assert sum(ticks) > 0 and float(Path("/proc/uptime").read_text().split()[0]) > 0
print(memory["MemAvailable:"], os.getloadavg()[0], os.cpu_count())
measure(train(Small()))
