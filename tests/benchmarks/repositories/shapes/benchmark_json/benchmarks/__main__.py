"""Times every bench_* function and prints a report as pytest-benchmark does. Usage: python -m benchmarks"""

import json
import platform
import statistics
import time

from benchmarks import bench_wrap

ROUNDS = 7


class Benchmark:
    def __call__(self, function, *arguments):
        self.times = []
        for _ in range(ROUNDS):
            began = time.process_time()
            result = function(*arguments)
            self.times.append(time.process_time() - began)
        return result


found = []
for name, function in sorted(vars(bench_wrap).items()):
    if name.startswith("bench_"):
        timer = Benchmark()
        function(timer)
        stats = {"min": min(timer.times), "median": statistics.median(timer.times), "rounds": ROUNDS}
        found.append({"group": None, "name": name, "stats": stats})
print(
    json.dumps({"machine_info": {"python_version": platform.python_version()}, "benchmarks": found}, indent=4)
)
print(f"total min: {1000 * sum(each['stats']['min'] for each in found):.4f} ms")
