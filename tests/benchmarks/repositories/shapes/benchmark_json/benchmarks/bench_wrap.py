import random

from textwrapper import wrap


def words(count):
    draw = random.Random(count)
    return ["x" * draw.randint(1, 11) for _ in range(count)]


def bench_short(benchmark):
    lines = benchmark(wrap, words(120), 60)
    assert max(map(len, lines)) <= 60


def bench_long(benchmark):
    lines = benchmark(wrap, words(600), 72)
    assert sum(len(line.split()) for line in lines) == 600
