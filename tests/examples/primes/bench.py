"""Calls solution.py, which runs behind a wall: how many answers are right, and how much CPU time it takes beside the
reference, which is solution.py as a human committed it last. By hand: python bench.py"""

import random

from nocturne_candidate import Candidate, metric

solution = Candidate("solution.py")
large = solution.call("primes_below", 100_000)
checks = {
    "none below two": solution.call("primes_below", 2) == [],
    "below twenty": solution.call("primes_below", 20) == [2, 3, 5, 7, 11, 13, 17, 19],
    "how many": len(large) == 9592,
    "last": large[-1:] == [99991],
    "sum": sum(large) == 454396537,
    "squares are none": not set(large) & {4, 9, 25, 49, 97969},
    "pseudoprimes are none": not set(large) & {341, 561, 645, 1105, 1387},
}
draw = random.SystemRandom()  # nobody knows what will be asked
timing = solution.time("primes_below", lambda call: (draw.randrange(20_000, 21_000),), rounds=3, calls=4)
metric(ratio=timing.ratio, passed=sum(checks.values()), seconds=timing.seconds)
