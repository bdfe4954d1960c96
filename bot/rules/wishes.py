"""Packages that proposals wanted and the environment does not have: for a human to install, or to rule out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# A module within a package that is there is no wish: it has a dot in its name.
_NO_MODULE = re.compile(r"No module named '([A-Za-z_]\w{0,63})'")


@dataclass
class Wishes:
    """Modules by name, and the experiments that wanted them."""

    by_module: dict[str, set[int]] = field(default_factory=dict)

    def add(self, experiment: int, module: str) -> None:
        self.by_module.setdefault(module, set()).add(experiment)

    def crashed(self, experiment: int | None, failure: Mapping[str, str] | None) -> None:
        """Hear of a failed run: where the machine that trains is another one, only its word tells."""
        found = _NO_MODULE.search(str((failure or {}).get("reason", "")))
        if experiment is not None and found and (failure or {}).get("class") == "import":
            self.add(experiment, found[1])

    def counts(self) -> dict[str, int]:
        """Return how many experiments wanted each module, those wanted most often first."""
        counted = {module: len(experiments) for module, experiments in self.by_module.items()}
        return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))
