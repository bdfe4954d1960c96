"""Plays against a fixed opponent and prints the share of games won."""

import random
import sys

with open(sys.argv[1]) as f:
    table = [[int(each) for each in line.split()] for line in f]


def turn(draw, mine, limit):
    gained = 0
    while gained < limit and mine + gained < 100:
        roll = draw.randint(1, 6)
        if roll == 1:
            return mine
        gained += roll
    return mine + gained


def game(seed):
    draw, mine, theirs = random.Random(seed), 0, 0
    while True:
        mine = turn(draw, mine, table[min(mine, 99)][min(theirs, 99)])
        if mine >= 100:
            return True
        theirs = turn(draw, theirs, 20)
        if theirs >= 100:
            return False


won = sum(game(seed) for seed in range(3000))
print(f"METRIC win_rate={won / 3000}")
