"""Shell sort. The gaps are what matters."""

FIRST_GAP = 701
SHRINK = 2.25
INSERTION_BELOW = 8


def sort(items, less):
    gap = FIRST_GAP
    while gap >= 1:
        for i in range(gap, len(items)):
            item, j = items[i], i
            while j >= gap and less(item, items[j - gap]):
                items[j] = items[j - gap]
                j -= gap
            items[j] = item
        gap = 1 if 1 < gap < INSERTION_BELOW else int(gap / SHRINK)
