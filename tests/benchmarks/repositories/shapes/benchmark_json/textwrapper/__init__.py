"""Breaks text into lines of least raggedness."""

WIDTH_PENALTY = 2.0
LOOKAHEAD = 24
CACHE = True


def cost(slack):
    return abs(slack) ** WIDTH_PENALTY


def wrap(words, width):
    best, back = [0.0], [0]
    lengths = [len(word) for word in words]
    for end in range(1, len(words) + 1):
        found = None
        for start in range(max(0, end - LOOKAHEAD), end):
            used = sum(lengths[start:end]) + end - start - 1
            if used <= width:
                value = best[start] + (0.0 if end == len(words) else cost(width - used))
                if found is None or value < found[0]:
                    found = value, start
        if found is None:
            found = best[end - 1] + 1e6, end - 1
        best.append(found[0])
        back.append(found[1])
    lines, end = [], len(words)
    while end:
        lines.append(" ".join(words[back[end] : end]))
        end = back[end]
    return lines[::-1]
