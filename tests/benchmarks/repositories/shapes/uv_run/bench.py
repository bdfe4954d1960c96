"""Counts comparisons. Usage: uv run python bench.py"""

import random

from sorter import sort


def main():
    draw, compared = random.Random(7), 0

    def less(a, b):
        nonlocal compared
        compared += 1
        return a < b

    for size in (500, 1500, 3000):
        items = [draw.random() for _ in range(size)]
        expected = sorted(items)
        sort(items, less)
        if items != expected:
            raise SystemExit("not sorted")
    print(f"METRIC comparisons={compared}")


if __name__ == "__main__":
    main()
