"""What is done while a run trains: what is behind it is closed and told of, what comes next is prepared.

All of it is done by the thread that waits for the run, a stage at a time, so that nothing here is done by two at once.
What fails here ends no run: it is met again when its turn comes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from bot.agents.protocol import Searcher
from bot.errors import UserError
from bot.loop.choosing import Until, standing
from bot.loop.context import Context
from bot.loop.promoting import keep_up
from bot.loop.settings import limits
from bot.loop.working import begin, due, steps
from bot.rules.ahead import is_untrained
from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment
from bot.rules.schedule import Standing, held, next_ahead
from bot.rules.stages import EARLY, Stage
from bot.tell.display import Display

_BEFORE: tuple[Stage, ...] = (*EARLY, "rebase")
"""What is done for an experiment that was begun ahead, before anything of it runs."""


class Overlap:
    """The other work of one loop; `finished` counts the experiments that came to their end in it."""

    def __init__(self, context: Context, until: Until) -> None:
        # Nothing runs beside a run: drafts are not tried, nor is the head measured.
        self._context = replace(context, may_run=False, meanwhile=None, display=_Aside(context.display))
        self._until = until
        self.finished = 0
        self.in_turn: int | None = None
        """The experiment that is trained now, if one is."""
        self._first: deque[tuple[Experiment, Callable[[Experiment], object]]] = deque()
        self._way: tuple[int, Iterator[bool]] | None = None
        self._stuck: set[tuple[int, Stage | None]] = set()
        self._failed = self._idle = False

    @property
    def is_wanted(self) -> bool:
        """Whether anything is done ahead: a search answers at once, and learns from each verdict before it does."""
        return self._context.config.ahead > 0 and not isinstance(self._context.proposer, Searcher)

    def begin_anew(self) -> None:
        """Nothing trains now, and what was begun here goes on in its turn."""
        self.in_turn = None
        self._first.clear()
        self._way, self._stuck = None, set()
        self._failed = self._idle = False

    def first(self, experiment: Experiment, act: Callable[[Experiment], object]) -> None:
        """See `Meanwhile`."""
        self._first.append((experiment, act))

    def __call__(self) -> bool:
        """See `Meanwhile`."""
        if self._failed:
            return False
        try:
            return self._do_first() or self._go_on()
        except UserError as error:
            self._failed, self._way = True, None
            self._context.display.note(f"what is done while a run trains waits: {error}")
            return False

    def _do_first(self) -> bool:
        if not self._first:
            return False
        then, act = self._first.popleft()
        now = self._context.ledger.known().experiments[then.number]
        if (now.round, now.decision) == (then.round, None):  # else it was said of an earlier round
            act(now)
        return True

    def _go_on(self) -> bool:
        """Do the next stage of what was begun here, or begin something; False if there is nothing."""
        if self._idle:
            self._context.ledger.flush()
            return False
        if self._way is None:
            self._way = self._next(self._context.ledger.flush())
        if self._way is None:
            keep_up(self._context, self._context.ledger.known())
            self._idle = True
            return False
        number, way = self._way
        before = self._context.ledger.known().event_count
        ended = next(way, None)
        self.finished += bool(ended)
        campaign = self._context.ledger.known()
        if ended is not False or campaign.event_count == before:
            self._way = None
            # Its turn comes when nothing trains.
            self._stuck.add((number, due(self._context, campaign, number)))
        return True

    def _next(self, campaign: Campaign) -> tuple[int, Iterator[bool]] | None:
        """Return what is to be done now: what is behind first, then what was begun ahead, then something new."""
        if campaign.paused:
            return None
        context = self._context
        stands = standing(context, campaign, limits(context.config, until=self._until.deadline))
        free = [e for e in campaign.open_experiments() if not _is_held(campaign, e, stands)]
        stages = {e.number: due(context, campaign, e.number) for e in free}
        behind = [number for number, stage in stages.items() if stage == "close"]
        ahead = [e.number for e in free if is_untrained(campaign, e) and e.number != self.in_turn]
        for number in (*behind, *(each for each in ahead if stages[each] in _BEFORE)):
            if (number, stages[number]) not in self._stuck:
                return number, steps(context, number, (*_BEFORE, "close"))
        if ahead or not self._may_begin(len(free)):
            return None
        step = next_ahead(campaign, stands, context.config.ahead)
        number_ahead = None if step is None else begin(context, campaign, step, ahead=True)
        if number_ahead is None:
            return None
        return number_ahead, steps(context, number_ahead, (*_BEFORE, "close"))

    def _may_begin(self, in_hand: int) -> bool:
        """Whether this call, or the one that goes on at once, will train another experiment."""
        most = self._until.experiments
        return most is None or not self._until.is_the_end or self.finished + in_hand < most


def _is_held(campaign: Campaign, experiment: Experiment, stands: Standing) -> bool:
    return held(campaign.leases.get(f"experiment:{experiment.number}"), stands)


class _Aside(Display):
    """What is worth saying of work beside a run: no experiment begins there, and no bar is moved."""

    def __init__(self, display: Display) -> None:
        self._display = display

    def note(self, text: str) -> None:
        self._display.note(text)

    def experiment_finished(self, campaign: Campaign, experiment: Experiment) -> None:
        self._display.experiment_finished(campaign, experiment)
