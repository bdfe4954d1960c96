"""Keep if lower: what autoresearch does, to compare with."""

from __future__ import annotations

from itertools import count

from bot.rules.simulated.play import Commit, Play


class Best:
    """The best score so far, measured anew if the machine is another one."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.first = self._measure(play.head)
        self.value = self.first
        self.shift = 0.0
        self.machine = play.machine.kind

    def _measure(self, commit: Commit) -> float:
        while True:
            score = self.play.run(commit)
            if score is not None:
                return score

    def now(self) -> float:
        if self.play.machine.kind != self.machine:
            self.machine = self.play.machine.kind
            before, self.value = self.value, self._measure(self.play.head)
            self.shift += self.value - before
        return self.value

    def take(self, score: float, commit: Commit) -> None:
        self.value = score
        self.play.merge(commit)
        self.play.tell(self.first + self.shift - score)


def greedy(play: Play) -> None:
    """Keep what scores lower than the best so far."""
    best = Best(play)
    for number in count():
        candidate, bar = play.candidate(number), best.now()
        score = play.run(candidate)
        if score is not None and score < bar and play.guard_holds():
            best.take(score, candidate)
        play.end()
