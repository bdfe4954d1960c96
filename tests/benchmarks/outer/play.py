"""One campaign: minds and the offline search propose on a landscape, mechanisms steer, the project's rule decides.

Everything that steers is the product's: views, steers, what it means to obey (`bot.rules.outer`), the offline search
and its coordinates. A proposer that does not obey is asked again, as the product asks; at last the offline search
takes the experiment. A repeat of a setting comes back once, as from the novelty gate.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bot.agents.constants import Constant as Written
from bot.agents.constants import literal_value, rewritten
from bot.agents.offline.follow import changes_named
from bot.agents.offline.search import propose
from bot.agents.offline.space import Rules
from bot.rules.outer.registry import Mechanism
from bot.rules.outer.steering import in_force, objection, shown
from bot.rules.outer.view import OFFLINE, SEND_BACKS, Aim, Draft, Past, Steer, View, check, move
from bot.rules.outer.view import Constant as Seeable
from bot.rules.proposal import Change, PastExperiment
from tests.benchmarks.outer.landscapes import PATH, Regime, dimensions, ground, knobs
from tests.benchmarks.outer.minds import HEEDS, Mind, Move, Seen, Told
from tests.benchmarks.outer.verdicts import Bench, Verdict

ASKED = 3
"""How often a proposer that does not obey is asked in all, before the offline search takes its place."""
HOURS = 1 / 12
"""GPU-hours of a run."""
FIRST, SECOND = "first", "second"
"""The models at hand, the one that is asked by default first."""
_SIMPLER = "simplification"
_KINDS = ("architecture", "numerics", "other")


@dataclass(frozen=True)
class Try:
    """What is to be trained: constants with their new places, or (none) an edit of a category."""

    turned: tuple[tuple[str, float], ...] = ()
    category: str = ""
    proposer: str = FIRST
    sent_back: int = 0


@dataclass(frozen=True)
class Event:
    """What became of an experiment: who steered it, whether that changed the proposal, and what there is so far.

    `gain` is the head's true gain since the start, in bits per byte; `merged` what this experiment's merge is said to
    have gained; `cost` in runs.
    """

    number: int
    mechanism: str
    changed: bool
    gain: float
    merged: float
    cost: float
    verdict: str


@dataclass
class Game:
    """A campaign so far. `memory`: how many of the newest experiments the offline search is given, None for all."""

    regime: Regime
    seed: int
    memory: int | None = None
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.minds = {
            FIRST: Mind(self.regime.mind, self.seed),
            SECOND: Mind(self.regime.other or self.regime.mind, self.seed, 1),
        }
        self.ground = ground(self.regime, self.seed, self.minds[FIRST].favourites())
        self.bench = Bench(self.ground.landscape.sigma, self.ground.noise, self.ground.control)
        self.dimensions = {each.name: each for each in dimensions()}
        self.places = dict.fromkeys(self.dimensions, 0.0)
        self.literals = {each.name: each.start for each in self.dimensions.values()}
        self.categories = {name: knob.category for name, knob in knobs().items()}
        self.edited, self.edits = 0.0, 0
        self.seen: list[Seen] = []
        self.past: list[Past] = []
        self.history: list[PastExperiment] = []

    @property
    def number(self) -> int:
        """The experiment that comes next."""
        return len(self.events) + 1

    def truth(self) -> float:
        """Return the head's true score."""
        return (self.ground.landscape.height(self.places, {}) or 0.0) + self.edited

    def view(self, since: int, left: int | None = None) -> View:
        """Return what a mechanism sees whose block began at experiment `since`."""
        constants = tuple(
            Seeable(name, literal_value(text) or 0, self.categories[name])
            for name, text in self.literals.items()
        )
        return View(
            self.number, since, tuple(self.past), constants, (FIRST, SECOND, OFFLINE), left,
            noise=self.bench.sigma, files={},
        )  # fmt: skip

    def step(self, mechanism: Mechanism | None, since: int) -> None:
        """Make one experiment under a mechanism, None for nobody's."""
        plain = self._by_mind(FIRST, Steer(), None, None)
        assert plain is not None  # nobody objects
        if mechanism is None:
            self.end(plain, "none", changed=False)
            return
        view = self.view(since)
        steer = check(mechanism.steer(view, self.seed), view)
        tried = self.proposed(steer, view, mechanism)
        changed = (tried.turned, tried.category, tried.proposer) != (
            plain.turned, plain.category, plain.proposer
        )  # fmt: skip
        self.end(tried, mechanism.name, changed=changed)

    def proposed(self, steer: Steer, view: View, mechanism: Mechanism) -> Try:
        """Return what is proposed under a steer."""
        who = steer.assign or FIRST
        found = None if who == OFFLINE else self._by_mind(who, steer, view, mechanism)
        return found if found is not None else self.by_search(steer, sent_back=0 if who == OFFLINE else ASKED)

    def by_search(self, steer: Steer, *, sent_back: int = 0) -> Try:
        """Return what the offline search proposes; it looks on until what it finds obeys."""
        history = shown(self.history, steer)
        if self.memory is not None:
            history = history[-self.memory :]
        files = self._files()
        last = Try((), "other", OFFLINE, sent_back)
        rules = Rules(leave=self._left_alone(steer))
        for attempt in range(ASKED):
            found = propose(files, history, seed=self.seed, number=self.number + 1000 * attempt, rules=rules)
            if found is None:
                break
            turned = tuple((c.name, self.dimensions[c.name].place(c.new)) for c in found.changes)
            last = Try(turned, found.category, OFFLINE, sent_back + attempt)
            if objection(steer, self._draft(last), self.number, self.categories) is None:
                break
        return last

    def _left_alone(self, steer: Steer) -> tuple[str, ...]:
        """Return the constants that a search which obeys does not turn at all; none if that would be all."""
        focus = {name for name, _ in self._aims(steer.focus)}
        avoid = {name for name, way in self._aims(steer.avoid) if not way}
        left = tuple(n for n in self.literals if n in avoid or (focus and n not in focus))
        return left if len(left) < len(self.literals) else ()

    def _files(self) -> dict[str, str]:
        source = self.ground.landscape.source
        starts = self.ground.landscape.starts
        changes = [Change(PATH, n, starts[n], text) for n, text in self.literals.items() if text != starts[n]]
        return {PATH: source} if not changes else rewritten({PATH: source}, changes)

    def _by_mind(self, who: str, steer: Steer, view: View | None, mechanism: Mechanism | None) -> Try | None:
        """Return what a model proposes once it obeys, None if it does not; without a view nobody objects."""
        start = steer.fresh or 1
        history = [each for each in self.seen if each.number >= start]
        told = Told(start, self._aims(steer.focus), self._aims(steer.avoid))
        asked = self._asked(steer)
        repeated, screened = False, 0
        for attempt in range(ASKED):
            if asked and not attempt:
                tried = Try(asked, self.categories[asked[0][0]], who)
                back = Move(*asked[0])
            elif self._simplifies(steer, attempt):
                tried, back = Try((), _SIMPLER, who, attempt), Move()
            else:
                back = self.minds[who].propose(history, self.places, self.number, told)
                tried = self._try(back, who, attempt)
            why = self._repeats(tried) and not repeated
            repeated = repeated or why
            if not why and view is not None and mechanism is not None:
                draft = self._draft(tried)
                objected = objection(steer, draft, self.number, self.categories) is not None
                if not objected and screened < SEND_BACKS:
                    objected = mechanism.screen(view, draft, self.seed) is not None
                    screened += objected
                why = objected
            if not why:
                return tried
            told = replace(told, back=(*told.back, back))
        return None if view is not None else tried

    def _try(self, found: Move, who: str, attempt: int) -> Try:
        if found.name:
            return Try(((found.name, found.place),), self.categories[found.name], who, attempt)
        rng = random.Random(f"edit/{self.seed}/{self.number}")
        return Try((), rng.choice(_KINDS), who, attempt)

    def _asked(self, steer: Steer) -> tuple[tuple[str, float], ...]:
        """Return the settings that a note names, if the model heeds it."""
        if not steer.note or random.Random(f"heeds/{self.seed}/{self.number}").random() > HEEDS:
            return ()
        named = changes_named(steer.note, self._constants())
        return tuple((each.name, self.dimensions[each.name].place(each.new)) for each in named)

    def _simplifies(self, steer: Steer, attempt: int) -> bool:
        """Whether the model makes the simplification that is asked for."""
        if all(aim.category != _SIMPLER for aim in in_force(steer.focus, self.number)):
            return False
        return random.Random(f"simpler/{self.seed}/{self.number}/{attempt}").random() < HEEDS

    def _constants(self) -> list[Written]:
        found = []
        for name, knob in knobs().items():
            text = self.literals[name]
            found.append(replace(knob.constant, literal=text, value=literal_value(text) or 0))
        return found

    def _aims(self, aims: tuple[Aim, ...]) -> tuple[tuple[str, int], ...]:
        """Return aims as a mind reads them; a category stands for its constants."""
        found: list[tuple[str, int]] = []
        for aim in in_force(aims, self.number):
            way = {"up": 1, "down": -1, "": 0}[aim.direction]
            named = (
                [aim.constant]
                if aim.constant
                else [n for n, c in self.categories.items() if c == aim.category]
            )
            found += [(name, way) for name in named]
        return tuple(found)

    def _repeats(self, tried: Try) -> bool:
        """Whether the novelty gate sends it back: the same constants at the same places as before."""
        mine = dict(tried.turned)
        if not mine:
            return False
        for seen in self.seen:
            theirs = {name: after for name, _, after in seen.turned}
            if theirs.keys() == mine.keys() and all(abs(theirs[n] - mine[n]) < 0.015 for n in mine):
                return True
        return False

    def _draft(self, tried: Try) -> Draft:
        moves = tuple(
            move(
                name, literal_value(self.literals[name]) or 0, literal_value(self._literal(name, place)) or 0
            )
            for name, place in tried.turned
        )
        return Draft(moves, tried.category, tried.proposer, edits=not tried.turned)

    def _literal(self, name: str, place: float) -> str:
        return self.dimensions[name].literal(place)

    def end(self, tried: Try, mechanism: str, *, changed: bool) -> None:
        """Train what was proposed, and take down what came of it."""
        truth = self.truth()
        edit = 0.0
        places: Mapping[str, float] = {**self.places, **dict(tried.turned)}
        height = self.ground.landscape.height(places, {})
        after = None if height is None else height + self.edited
        if not tried.turned:
            edit = float(self.ground.edits[self.edits])
            edit = max(edit, 0.0) if tried.category == _SIMPLER else edit
            after = None if self.ground.breaks[self.edits] else truth + edit
            self.edits += 1
        found = self.bench.judge(self.number, truth, after)
        self._remember(tried, found)
        if found.landed:
            self.edited += edit
            self.places.update(tried.turned)
            self.literals.update({name: self._literal(name, place) for name, place in tried.turned})
        gain = -self.truth()
        merged = -(found.effect or 0.0) if found.landed else 0.0
        self.events.append(Event(self.number, mechanism, changed, gain, merged, found.cost, found.verdict))

    def _remember(self, tried: Try, found: Verdict) -> None:
        number = self.number
        before = dict(self.places)
        draft = self._draft(tried)
        self.seen.append(Seen(number, tuple((n, before[n], p) for n, p in tried.turned), found.landed))
        self.past.append(
            Past(
                number, draft.moves, tried.category, found.verdict, found.effect, found.error,  # type: ignore[arg-type]
                found.landed, tried.proposer, found.cost * HOURS, edits=draft.edits,
            )
        )  # fmt: skip
        changes = tuple(Change(PATH, n, self.literals[n], self._literal(n, p)) for n, p in tried.turned)
        self.history.append(
            PastExperiment(
                number, changes, "", tried.category, found.verdict, found.effect, found.error, found.landed, {},
                edit="" if changes else f"edit {number}",
            )
        )  # fmt: skip
