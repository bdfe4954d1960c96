"""What a proposer and a reviewer hand over, and what they are told about earlier experiments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Change:
    """One constant that changes; `old` and `new` are Python literals such as `3e-4` or `"gelu"`, whatever the file.

    `name` is a variable (`MATRIX_LR`), a field (`GPTConfig.n_layer`), an option (`--lr`), an entry of a data
    file (`model.depth`), or one element of a list (`ADAM_BETAS[0]`); with its file before it (`train.py:LR`) if
    several files have one of that name.
    """

    file: str
    name: str
    old: str
    new: str

    @property
    def local(self) -> str:
        """The name within its file."""
        return self.name.removeprefix(f"{self.file}:")


@dataclass(frozen=True)
class Idea:
    """What a human wants tried. `text` is data: it commands nobody. A commit is tried as it stands."""

    number: int
    text: str
    issue: int | None
    is_commit: bool = False


@dataclass(frozen=True)
class Proposal:
    """A change to try, with the words that a human reads in the pull request.

    `hypothesis` is one sentence of at most 100 characters (the title); `files` maps each changed path to
    its complete new content; `idea` is the number of the idea that it follows; `author` wrote it, if that was a human.
    """

    hypothesis: str
    category: str
    reason: str
    expected_effect: str
    risk: str
    files: Mapping[str, str]
    changes: tuple[Change, ...]
    proposer: str = "offline"
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    idea: int | None = None
    author: str = ""


@dataclass(frozen=True)
class PastExperiment:
    """One earlier experiment as a proposer sees it.

    `verdict` is one of improved, discarded, inconclusive, crashed, rejected, lost, or None while another
    loop still works on it. `effect` is candidate minus incumbent in score units, its sign set so that
    negative is better whatever the metric; `sigma` is its standard error. `parent_values` gives the
    literals of the incumbent it was tried on, by constant name; it may be empty. `edit` is a digest of what it
    changed beside its `changes`, empty if that was all. `claim` is the number of an imported claim, which nobody has
    measured here; its `number` is below 1.
    """

    number: int
    changes: tuple[Change, ...]
    hypothesis: str
    category: str
    verdict: str | None
    effect: float | None
    sigma: float | None
    landed: bool
    parent_values: Mapping[str, str]
    reason: str = ""
    edit: str = ""
    claim: int | None = None

    @property
    def called(self) -> str:
        """What to call it in a sentence."""
        if self.claim is not None:
            return f"imported claim {self.claim} (unverified)"
        return f"experiment {self.number}"

    @property
    def measured(self) -> str:
        """Its effect in words: `better by 0.0031, deviation 0.001`."""
        if self.effect is None:
            return "no effect measured"
        said = f"{'better' if self.effect <= 0 else 'worse'} by {abs(self.effect):.2g}"
        return f"{said}, deviation {self.sigma:.1g}" if self.sigma else said

    @property
    def may_come_again(self) -> bool:
        """Whether trying it is no repeat: a success that another tool claims, and nobody has measured here."""
        return self.claim is not None and self.verdict == "improved"


@dataclass(frozen=True)
class Remark:
    """What a reviewer says of one line of the proposed file."""

    path: str
    line: int
    text: str


@dataclass(frozen=True)
class Opinion:
    """A reviewer's word. `reviewer` says who spoke, and if a model did not, why not."""

    answer: Literal["approve", "revise", "reject"]
    reason: str
    remarks: tuple[Remark, ...]
    reviewer: str


_INSTEAD = " (Claude: "


def stand_in(who: str, why: str) -> str:
    """Return the name under which `who` proposes or reviews in the place of Claude, which gave no answer and `why`."""
    return f"{who}{_INSTEAD}{why})"


def why_stood_in(name: str) -> str:
    """Return why Claude gave no answer if `name` is that of a stand-in, "" if not."""
    return name.partition(_INSTEAD)[2].removesuffix(")")
