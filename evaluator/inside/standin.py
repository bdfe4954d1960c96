"""What takes the place of something that can't be handed over: nothing happens until it is used."""

from __future__ import annotations

from typing import Any, NoReturn

ADVICE = "keep it out of the model, or let the model make it when it is first asked"


class Unportable(Exception):
    """A model that can't be taken out of the process that trained it, or not be rebuilt in another one."""


class StandIn:
    """Stands for an object called `name`. Attributes of it are stand-ins too; any use of it raises `Unportable`, or
    a `PermissionError` that says `why` it is not there."""

    def __init__(self, name: str, why: str = "") -> None:
        self.__dict__.update(_name=name, _why=why)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn(f"{self.__dict__.get('_name', '?')}.{name}", self.__dict__.get("_why", ""))

    def __repr__(self) -> str:
        return f"<{self.__dict__.get('_name', '?')}, which was not handed over>"

    def __reduce__(self) -> Any:
        return StandIn, (self.__dict__.get("_name", "?"), self.__dict__.get("_why", ""))

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = next((each for each in (*args, *(kwargs or {}).values()) if isinstance(each, StandIn)), None)
        _refuse(found if found is not None else StandIn("something"))


def _refuse(what: StandIn) -> NoReturn:
    name, why = what.__dict__.get("_name", "?"), what.__dict__.get("_why", "")
    if why:
        raise PermissionError(f"{name} {why}")
    raise Unportable(f"the model uses {name} when it answers, which can't be handed over: {ADVICE}")


def _used(self: StandIn, *args: Any, **kwargs: Any) -> NoReturn:
    _refuse(self)


_USES = [
    "call",
    "len",
    "iter",
    "next",
    "getitem",
    "setitem",
    "delitem",
    "contains",
    "enter",
    "exit",
    "add",
    "radd",
    "sub",
    "rsub",
    "mul",
    "rmul",
    "truediv",
    "rtruediv",
    "floordiv",
    "rfloordiv",
    "mod",
    "rmod",
    "pow",
    "rpow",
    "matmul",
    "rmatmul",
    "neg",
    "pos",
    "abs",
    "invert",
    "lt",
    "le",
    "gt",
    "ge",
    "int",
    "float",
    "index",
    "complex",
    "and",
    "rand",
    "or",
    "ror",
    "xor",
    "rxor",
    "lshift",
    "rlshift",
    "rshift",
    "rrshift",
    "iadd",
    "isub",
    "imul",
    "itruediv",
    "array",
]
for _use in _USES:
    setattr(StandIn, f"__{_use}__", _used)
