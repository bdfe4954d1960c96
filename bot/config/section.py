"""What all sections of the configuration share."""

from __future__ import annotations

import pkgutil
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model, field_validator

from bot.rules.bounds import is_number

_LARGEST = 1e15  # of any number here: beyond it no setting means anything, and arithmetic may overflow


def names_in(folder: str) -> tuple[str, ...]:
    """Return the names of the modules in a folder of `bot` or of `evaluator` beside it: what may be asked for there."""
    found = pkgutil.iter_modules([str(Path(__file__).parents[2] / folder)])
    return tuple(sorted(each.name for each in found))


class Section(BaseModel):
    """Keys that belong together: no other key is taken, and no number beyond `_LARGEST`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    @field_validator("*")
    @classmethod
    def _of_a_size(cls, value: Any) -> Any:
        if is_number(value) and not abs(value) <= _LARGEST:
            raise ValueError(f"must be a number from {-_LARGEST:g} to {_LARGEST:g}")
        return value


def section_of(name: str, of: type) -> type[Section]:
    """Return the section whose keys are the fields of a dataclass that say in their metadata what they mean."""
    types = get_type_hints(of)
    keys: dict[str, Any] = {
        each.name: (types[each.name], Field(**each.metadata)) for each in fields(of) if each.metadata
    }
    return create_model(name, __base__=Section, __doc__=of.__doc__, **keys)
