"""When to roll once more in the game of pig."""

HOLD_AT = 12
BEHIND_BONUS = 1
END_GAME = 80


def hold_at(mine, theirs):
    if mine >= END_GAME:
        return 100 - mine
    return HOLD_AT + (BEHIND_BONUS if theirs > mine else 0)
