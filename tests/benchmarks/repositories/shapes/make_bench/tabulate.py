from strategy import hold_at

for mine in range(100):
    print(*(hold_at(mine, theirs) for theirs in range(100)))
