"""What the models used and cost, summed up from the ledger's events: by role, by experiment, by the hour."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.rules.events import ModelCalled

_HOUR = len("2026-11-23T12")


@dataclass
class Bill:
    """A sum of calls. `usd` leaves out those `unpriced` calls whose model has no known price."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0

    @property
    def prompt_tokens(self) -> int:
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.output_tokens

    @property
    def cached_share(self) -> float:
        """The share of what was sent that was read from the cache."""
        return self.cache_read_tokens / self.prompt_tokens if self.prompt_tokens else 0.0

    def add(self, call: ModelCalled) -> None:
        self.calls += 1
        self.input_tokens += call.input_tokens
        self.output_tokens += call.output_tokens
        self.cache_read_tokens += call.cache_read_tokens
        self.cache_write_tokens += call.cache_write_tokens
        if call.cost_usd is None:
            self.unpriced += 1
        else:
            self.usd += call.cost_usd


@dataclass
class Bills:
    """The bills of a campaign. Only `add` changes them."""

    total: Bill = field(default_factory=Bill)
    by_role: dict[str, Bill] = field(default_factory=lambda: defaultdict(Bill))
    by_experiment: dict[int, Bill] = field(default_factory=lambda: defaultdict(Bill))
    by_experiment_and_role: dict[tuple[int, str], Bill] = field(default_factory=lambda: defaultdict(Bill))
    usd_by_hour_and_role: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))

    def add(self, call: ModelCalled, at: str) -> None:
        """Take in a call that ended at the time `at` (ISO 8601, UTC)."""
        self.total.add(call)
        self.by_role[call.role].add(call)
        if call.experiment is not None:
            self.by_experiment[call.experiment].add(call)
            self.by_experiment_and_role[call.experiment, call.role].add(call)
        self.usd_by_hour_and_role[at[:_HOUR], call.role] += call.cost_usd or 0.0

    def of_experiment(self, number: int | None) -> Bill:
        """Return the bill of one experiment; an empty one if it has none."""
        return self.by_experiment.get(number, Bill()) if number is not None else Bill()

    def roles_of(self, number: int) -> dict[str, Bill]:
        """Return the bills of one experiment by role."""
        both = self.by_experiment_and_role.items()
        return {role: bill for (experiment, role), bill in both if experiment == number}

    def usd_since(self, at: str, role: str | None = None) -> float:
        """Return the money of the hour of `at` (ISO 8601, UTC) and of those after it; only that of `role` if given."""
        spent = self.usd_by_hour_and_role.items()
        return sum(usd for (hour, whose), usd in spent if hour >= at[:_HOUR] and role in (None, whose))


@dataclass
class Drafts:
    """Drafts that a maker had tried in the jail before it handed in, by experiment: how often, and for how long."""

    turns: dict[int, int] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)

    @property
    def all_seconds(self) -> float:
        return sum(self.seconds.values())

    def add(self, experiment: int, turn: int, seconds: float) -> None:
        """Take in a try that is over."""
        self.turns[experiment] = max(self.turns.get(experiment, 0), turn)
        self.seconds[experiment] = self.seconds.get(experiment, 0.0) + seconds
