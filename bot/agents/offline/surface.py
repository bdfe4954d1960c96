"""What the scores of all settings may look like, from every effect that was measured and every crash."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bot.agents.constants import Value, canonical, literal_value
from bot.agents.offline.knobs import Knob
from bot.agents.offline.lessons import places_of
from bot.agents.offline.limits import Crash, chance_to_run, crash_of
from bot.agents.offline.model import Array, Data, Ids, Points, Posterior, Prior
from bot.agents.offline.relevances import posteriors
from bot.agents.offline.steps import coordinate
from bot.rules.proposal import PastExperiment

_LATEST = 200  # older experiments stand on incumbents too far away to say much
_LANDS = 2.0  # deviations of a measured effect beyond which a change lands, roughly
_BENDS = (
    3.0  # a loss of so many steps' effects counts as its logarithm: how bad a disaster was teaches nothing
)
_MISFIT = 0.1  # of a loss; and of the scale, below


@dataclass(frozen=True)
class Surface:
    """The posterior over settings; `noise` is the usual deviation of a measured effect, in score units."""

    frame: Frame
    posteriors: Sequence[Posterior]
    crashes: Sequence[Crash]
    noise: float

    def effect(self, values: Mapping[str, Value]) -> tuple[float, float]:
        """Return mean and standard deviation of the effect of setting `values` on the incumbent."""
        points = self.frame.points([values])
        found = [each.effect(points) for each in self.posteriors]
        means = np.array([mean[0] for mean, _ in found])
        variance = float(np.mean([spread[0] ** 2 for _, spread in found]) + means.var())
        return float(means.mean()), math.sqrt(variance)

    def worth(self, points: Points) -> Array:
        """Return what each point is expected to gain: how much better the score gets if its change lands.

        With effect f and measured effect y of deviation `noise`: E[-f; y < -2 noise], and f given y is linear in y.
        """
        total = np.zeros(len(points))
        for each in self.posteriors:
            mean, spread = each.effect(points)
            wide = np.sqrt(spread * spread + self.noise * self.noise)
            z = (-_LANDS * self.noise - mean) / wide
            total += spread * spread / wide * _density(z) - mean * _below(z)
        return total / len(self.posteriors) * chance_to_run(self.crashes, points)


@dataclass(frozen=True)
class Frame:
    """The columns in which settings are points: numbers first, then choices, seen from the incumbent."""

    knobs: Mapping[str, Knob]
    columns: Mapping[str, int]
    here: Points

    def points(self, moves: Sequence[Mapping[str, Value]]) -> Points:
        """Return where the incumbent would stand after each of `moves`."""
        places = np.repeat(self.here.places, len(moves), axis=0)
        picks = np.repeat(self.here.picks, len(moves), axis=0)
        known: dict[tuple[str, Value], float] = {}  # most moves set a few values again and again
        for row, values in enumerate(moves):
            for name, value in values.items():
                knob, column = self.knobs[name], self.columns[name]
                place = known.get((name, value))
                if place is None:
                    place = coordinate(knob, value)
                    place -= 0.0 if knob.kind == "choice" else coordinate(knob, knob.constant.value)
                    known[name, value] = place
                (picks if knob.kind == "choice" else places)[row, column] = place
        return Points(places, picks)

    def column(self, name: str) -> int:
        """Return a knob's column among all: numbers, then choices."""
        numbers = self.here.places.shape[1] if self.knobs[name].kind == "choice" else 0
        return numbers + self.columns[name]


def frame_of(knobs: Sequence[Knob]) -> Frame:
    """Return the columns of `knobs`."""
    numbers = [knob for knob in knobs if knob.kind != "choice"]
    choices = [knob for knob in knobs if knob.kind == "choice"]
    columns = {knob.name: place for kind in (numbers, choices) for place, knob in enumerate(kind)}
    picks: Ids = np.array([[coordinate(knob, knob.constant.value) for knob in choices]], dtype=np.int64)
    here = Points(np.zeros((1, len(numbers))), picks.reshape(1, len(choices)))
    return Frame({knob.name: knob for knob in knobs}, columns, here)


@dataclass(frozen=True)
class _Step:
    """One experiment as the model sees it: literals of the knobs before and after; `partly`: it changed more."""

    past: PastExperiment
    before: Mapping[str, str]
    after: Mapping[str, str]
    partly: bool


def surface_of(knobs: Sequence[Knob], history: Sequence[PastExperiment], rng: random.Random) -> Surface:
    """Return what `history` says about every knob, seen from the present incumbent."""
    frame = frame_of(knobs)
    steps = _steps(knobs, history)
    measured = [step for step in steps if step.past.effect is not None and step.past.verdict != "crashed"]
    noise, scale = _sizes(frame.knobs, measured)
    told: dict[tuple[object, ...], int] = {}
    moves: list[Mapping[str, Value]] = []

    def row(literals: Mapping[str, str]) -> int:
        key = tuple(canonical(literals[knob.name]) for knob in knobs)
        if key not in told:
            told[key] = len(moves)
            moves.append(_values(frame.knobs, literals))
        return told[key]

    pairs = [(row(step.before), row(step.after)) for step in measured]
    points = frame.points(moves)
    ran = points if len(points) else frame.here
    crashes = []
    for step in steps:
        if step.past.verdict == "crashed":
            parent, child = (frame.points([_values(frame.knobs, each)]) for each in (step.before, step.after))
            crashes.append(crash_of(parent, child, ran))
    effects, variances = _observed(measured, noise, scale)
    ends: Ids = np.array(pairs, dtype=np.int64).reshape(len(pairs), 2)
    data = Data(points, ends[:, 0], ends[:, 1], effects, variances)
    turned = {frame.column(name) for step in measured for name in _turned(frame.knobs, step.past)}
    return Surface(frame, posteriors(_prior(knobs, frame, scale), data, sorted(turned), rng), crashes, noise)


def _prior(knobs: Sequence[Knob], frame: Frame, scale: float) -> Prior:
    numbers = [knob for knob in knobs if knob.kind != "choice"]
    choices = [knob for knob in knobs if knob.kind == "choice"]
    return Prior(
        np.array([knob.weight for knob in numbers]),
        np.array([knob.weight for knob in choices]),
        np.array([knob.lean for knob in numbers]),
        frame.here.picks[0],
        scale,
    )


def _steps(knobs: Sequence[Knob], history: Sequence[PastExperiment]) -> list[_Step]:
    """Walk back from the incumbent, undoing what landed; return what was measured or crashed, the latest first."""
    known = {knob.name for knob in knobs}
    literals = {knob.name: knob.constant.literal for knob in knobs}
    found: list[_Step] = []
    for past in sorted(history, key=lambda past: -past.number):
        mine = [change for change in past.changes if change.name in known]
        if past.landed:
            literals |= {change.name: change.old for change in mine}
        measured = past.effect is not None and math.isfinite(past.effect)
        if not mine or not (measured or past.verdict == "crashed"):
            continue
        told = {name: text for name, text in past.parent_values.items() if name in known}
        before = {**literals, **told, **{change.name: change.old for change in mine}}
        after = {**before, **{change.name: change.new for change in mine}}
        found.append(_Step(past, before, after, len(mine) < len(past.changes) or bool(past.edit)))
        if len(found) == _LATEST:
            break
    return found


def _turned(knobs: Mapping[str, Knob], past: PastExperiment) -> list[str]:
    return [change.name for change in past.changes if change.name in knobs]


def _values(knobs: Mapping[str, Knob], literals: Mapping[str, str]) -> dict[str, Value]:
    """Return the values of `literals` that make sense for the knobs as they are now."""
    found: dict[str, Value] = {}
    for name, text in literals.items():
        value, knob = literal_value(text), knobs[name]
        fits = value in knob.choices if knob.kind == "choice" else not isinstance(value, str)
        if value is not None and fits:
            found[name] = value
    return found


def _observed(steps: Sequence[_Step], noise: float, scale: float) -> tuple[Array, Array]:
    """Return effects and their variances as the model takes them: losses bent, so that none outweighs all others."""
    effects, variances = [], []
    for step in steps:
        own = step.past.sigma if step.past.sigma is not None and step.past.sigma > 0 else noise
        effect = step.past.effect or 0.0
        if effect > 0:
            bent = _BENDS * scale
            own *= max(0.2, 1 / (1 + effect / bent))
            effect = bent * math.log1p(effect / bent)
        misfit = (0.2 * _MISFIT * scale) ** 2 + (_MISFIT * max(0.0, effect)) ** 2
        effects.append(effect)
        # Part of what was changed may be none of ours to explain.
        variances.append(own**2 + misfit + ((0.5 * scale) ** 2 if step.partly else 0.0))
    return np.array(effects), np.array(variances)


def _sizes(knobs: Mapping[str, Knob], steps: Sequence[_Step]) -> tuple[float, float]:
    """Return the typical noise of a measured effect and the effect of one bold step."""
    if not steps:
        return 0.3, 1.0
    sizes = []
    for step in steps:
        far = 0.0
        for change in step.past.changes:
            places = places_of(knobs[change.name], change) if change.name in knobs else None
            if places is not None:
                far += 1.0 if knobs[change.name].kind == "choice" else (places[1] - places[0]) ** 2
        sizes.append(abs(step.past.effect or 0.0) / math.sqrt(max(far, 0.05)))
    sigmas = [step.past.sigma for step in steps if step.past.sigma is not None and step.past.sigma > 0]
    noise = statistics.median(sigmas) if sigmas else 0.3 * max(statistics.median(sizes), 1e-9)
    # A few disasters must not blow up the scale on which everything else is judged.
    kept = sorted(sizes)[: max(1, math.ceil(0.8 * len(sizes)))]
    scale = math.sqrt((3 * (3 * noise) ** 2 + sum(size**2 for size in kept)) / (3 + len(kept)))
    return noise, max(scale, 2 * noise, 1e-12)


def _density(z: Array) -> Array:
    return np.asarray(np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi), dtype=np.float64)


def _below(z: Array) -> Array:
    """Return the chance of a standard normal below z, to 8e-8 (Abramowitz and Stegun 26.2.17)."""
    t = 1 / (1 + 0.2316419 * np.abs(z))
    factors = (1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.319381530)
    tail = _density(z) * t * np.polyval(factors, t)
    return np.where(z > 0, 1 - tail, tail)
