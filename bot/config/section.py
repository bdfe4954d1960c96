"""What all sections of the configuration share."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from bot.rules.bounds import is_number

_LARGEST = 1e15  # of any number here: beyond it no setting means anything, and arithmetic may overflow


class Section(BaseModel):
    """Keys that belong together: no other key is taken, and no number beyond `_LARGEST`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    @field_validator("*")
    @classmethod
    def _of_a_size(cls, value: Any) -> Any:
        if is_number(value) and not abs(value) <= _LARGEST:
            raise ValueError(f"must be a number from {-_LARGEST:g} to {_LARGEST:g}")
        return value
