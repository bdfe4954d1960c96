"""Settings in Python source, by its syntax tree: where scripts really keep them.

Variables of the module and of `main`-like functions, dataclass fields and their kin, classes of constants,
options of argparse, click, typer and absl, dictionaries and calls that hold settings, defaults of functions
that are entry points or make a configuration, and what stands in for an environment variable.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.agents.formats.python_tree import (
    Lines,
    annotated,
    choices_of,
    click_choices,
    commands_of,
    decorator,
    dotted_name,
    help_of,
    last_name,
    literals,
    only_constants,
    set_twice,
    snake,
    target_of,
    text_of,
    tree_of,
    unwrapped,
)  # fmt: skip
from bot.agents.formats.site import MAX_ELEMENTS, Kind, Site, last_part, literal_value, number_literal, worth

_DEEPEST = 12
_ENOUGH = 3  # settings with names of their own, beside which others are details

_SETTINGS = (
    r"configs?|cfg|conf|settings?|params?|parameters?|hparams?|hps?|hyper\w*|args|arguments?|options?|opts?|opt"
    r"|defaults?|constants?|consts?|knobs?|tunables?|tuning"
)
_HOLDER = re.compile(rf"(?:^|_)(?:{_SETTINGS}|train|training|trainer|model|optim\w*|sched\w*)(?:_|$)")
_ROOT = re.compile(rf"(?:^|_)(?:{_SETTINGS}|cn|c)(?:_|$)")
_SETTINGS_CLASS = re.compile(rf"(?:^|_)(?:{_SETTINGS}|c)(?:_|$)")
_MAKES_SETTINGS = re.compile(rf"(?:^|_)(?:{_SETTINGS})(?:_|$)")
_ENTRY = re.compile(r"(?:^|_)(?:main|train|training|run|fit|cli|launch|start|experiment|app|entry)(?:_|$)")
_BUILDS = re.compile(rf"(?:^|_)(?:{_SETTINGS}|dict|namespace|box|cn)(?:_|$)")
_DATACLASS = {
    "dataclass", "dataclasses", "define", "attrs", "attr", "s", "frozen", "mutable", "wrap", "configclass", "struct",
    "pytree_dataclass", "settings_class", "chz",
}  # fmt: skip
_CONFIG_BASES = {
    "BaseModel", "BaseSettings", "NamedTuple", "Serializable", "Struct", "Module", "Tap", "Schema",
}  # fmt: skip
_NO_CONSTANTS = {"Enum", "IntEnum", "StrEnum", "Flag", "IntFlag", "Protocol", "TypedDict", "Exception"}
_FIELD = {
    "field", "Field", "ib", "attrib", "arg", "Option", "Argument", "mutable_field", "flag", "Arg", "variable",
}  # fmt: skip
_LIST_FIELD = {"list_field", "mutable"}
_ADDS_OPTION = {"add_argument", "add_option", "option", "argument"}
_COMMANDS = {"command", "main", "cli", "callback", "entrypoint", "app", "run"}
_DEFINES = re.compile(r"(?i:DEFINE)_(?:float|integer|bool|boolean|enum|string)$")


def read(text: str) -> list[Site]:
    """Return the settings of Python source in the order in which they stand."""
    tree = tree_of(text)
    if tree is None:
        return []
    reader = _Reader(Lines.of(text), commands_of(tree))
    try:
        reader.body(tree.body, "", "variable", 0)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                reader.option(node)
    except RecursionError:
        return []
    # Numbers given to what merely uses settings, such as an optimizer: only if they are the settings.
    proper = [site for site in reader.found if site.start not in reader.used]
    found = proper if len(proper) >= _ENOUGH else reader.found
    return sorted(found, key=lambda site: site.start)


def spell(literal: str, now: str) -> str:
    """Return the literal as it is: Python is what literals are written in. Text in quotes stays in them."""
    return literal


@dataclass
class _Reader:
    """Collects the sites of one module."""

    lines: Lines
    commands: set[str]
    found: list[Site] = field(default_factory=list)
    changing: set[str] = field(default_factory=set)
    """Names that the function at hand sets more than once: no setting of it."""
    used: set[int] = field(default_factory=set)
    """Where the values stand that are given to calls which merely use settings."""

    # -- statements ------------------------------------------------------------------------------------

    def body(self, statements: Sequence[ast.stmt], owner: str, kind: Kind, depth: int) -> None:
        """Take up the statements of a module, or of a function named `owner`."""
        for statement in statements if depth <= _DEEPEST else ():
            if isinstance(statement, ast.Assign | ast.AnnAssign):
                self._assignment(statement, owner, kind)
            elif isinstance(statement, ast.ClassDef) and not owner:
                self._class(statement, "", depth)
            elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and not owner:
                self._function(statement, depth)
            elif isinstance(statement, ast.If):
                self.body([*statement.body, *statement.orelse], owner, kind, depth + 1)
            elif isinstance(statement, ast.Try):
                handled = [inner for handler in statement.handlers for inner in handler.body]
                inner = [*statement.body, *handled, *statement.orelse, *statement.finalbody]
                self.body(inner, owner, kind, depth + 1)
            elif isinstance(statement, ast.With) and (owner or depth == 0):
                self.body(statement.body, owner, kind, depth + 1)
            elif isinstance(statement, ast.Return) and statement.value is not None and owner:
                self._settings(
                    owner,
                    statement.value,
                    statement,
                    owner,
                    only_built=not _MAKES_SETTINGS.search(snake(owner)),
                )

    def _assignment(self, statement: ast.Assign | ast.AnnAssign, owner: str, kind: Kind) -> None:
        pair = target_of(statement)
        if pair is None:
            return
        target, value = pair
        if isinstance(target, ast.Name):
            if kind == "local" and target.id in self.changing:
                return
            name = f"{owner}.{target.id}" if owner else target.id
            if not self._value(name, value, statement, kind, owner, choices_of(statement)):
                holder = _HOLDER.search(snake(target.id)) is not None
                self._settings(name, value, statement, owner, only_built=not holder)
            return
        dotted = dotted_name(target)
        if dotted is not None and _ROOT.search(snake(dotted.partition(".")[0])):
            name = f"{owner}.{dotted}" if owner and kind == "local" else dotted
            if not self._value(name, value, statement, "setting", owner, ()):
                self._settings(name, value, statement, owner)

    # -- classes ---------------------------------------------------------------------------------------

    def _class(self, node: ast.ClassDef, prefix: str, depth: int) -> None:
        bases = {last_name(base) or "" for base in node.bases}
        if bases & _NO_CONSTANTS or depth > _DEEPEST:
            return
        decorated = any(decorator(each) in _DATACLASS for each in node.decorator_list)
        named = _SETTINGS_CLASS.search(snake(node.name)) is not None
        if not (decorated or named or prefix or bases & _CONFIG_BASES or only_constants(node)):
            return
        owner = f"{prefix}{node.name}"
        for statement in node.body:
            if isinstance(statement, ast.Assign | ast.AnnAssign):
                pair = target_of(statement)
                if pair is not None and isinstance(pair[0], ast.Name):
                    self._field(f"{owner}.{pair[0].id}", pair[1], statement, owner)
            elif isinstance(statement, ast.ClassDef):
                self._class(statement, f"{owner}.", depth + 1)
            elif isinstance(statement, ast.FunctionDef) and statement.name == "__init__" and named:
                self._defaults(statement, owner)
                self._own_attributes(statement, owner)

    def _field(self, name: str, value: ast.expr, statement: ast.Assign | ast.AnnAssign, owner: str) -> None:
        choices = choices_of(statement)
        if self._value(name, value, statement, "field", owner, choices):
            return
        called = last_name(value.func) if isinstance(value, ast.Call) else None
        if isinstance(value, ast.Call) and called in _FIELD | _LIST_FIELD | {"choice"}:
            self._declared(name, value, statement, owner, choices)
        else:
            self._settings(name, value, statement, owner, only_built=True)

    def _declared(
        self, name: str, call: ast.Call, statement: ast.stmt | ast.expr, owner: str, choices: tuple[str, ...]
    ) -> None:
        """Take up the default of a field that a call declares: `field(default=0.1)`, `Option(0.1, "--lr")`."""
        given = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        called = last_name(call.func)
        comment = help_of(given)
        if called in _LIST_FIELD:
            if len(call.args) <= MAX_ELEMENTS:
                for place, element in enumerate(call.args):
                    self._value(f"{name}[{place}]", element, statement, "field", owner, (), comment)
            return
        choices = choices or literals(given.get("choices"))
        if called == "choice":
            choices = literals(ast.Tuple(elts=list(call.args), ctx=ast.Load()))
        factory = given.get("default_factory") or given.get("factory")
        default = given.get("default")
        if default is None and isinstance(factory, ast.Lambda):
            default = factory.body
        if default is None and call.args and called not in ("choice", "flag"):
            default = call.args[0]
        if default is not None:
            self._value(name, default, statement, "field", owner, choices, comment)

    def _own_attributes(self, function: ast.FunctionDef, owner: str) -> None:
        for statement in function.body:
            if isinstance(statement, ast.Assign | ast.AnnAssign):
                pair = target_of(statement)
                if pair is None or not isinstance(pair[0], ast.Attribute):
                    continue
                if isinstance(pair[0].value, ast.Name) and pair[0].value.id == "self":
                    self._value(f"{owner}.{pair[0].attr}", pair[1], statement, "setting", owner, ())

    # -- functions -------------------------------------------------------------------------------------

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, depth: int) -> None:
        name = snake(node.name)
        decorated = any(decorator(each) in _COMMANDS for each in node.decorator_list)
        makes = _MAKES_SETTINGS.search(name) is not None
        entry = decorated or node.name in self.commands or _ENTRY.search(name) is not None
        if makes or entry:
            self._defaults(node, node.name)
            self.changing = set_twice(node)
            self.body(node.body, node.name, "local", depth + 1)

    def _defaults(self, node: ast.FunctionDef | ast.AsyncFunctionDef, owner: str) -> None:
        positional = [*node.args.posonlyargs, *node.args.args]
        pairs: list[tuple[ast.arg, ast.expr | None]] = []
        if node.args.defaults:
            pairs += zip(positional[-len(node.args.defaults) :], node.args.defaults, strict=True)
        pairs += zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        for argument, default in pairs:
            if default is None:
                continue
            name, choices = f"{owner}.{argument.arg}", annotated(argument.annotation)
            called = last_name(default.func) if isinstance(default, ast.Call) else None
            if isinstance(default, ast.Call) and called in _FIELD:
                self._declared(name, default, default, owner, choices)
            else:
                self._value(name, default, default, "field", owner, choices)

    # -- options of a command line ---------------------------------------------------------------------

    def option(self, call: ast.Call) -> None:
        """Take up the default of an option if `call` declares one, or the settings that a run is begun with."""
        called = last_name(call.func) or ""
        given = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        if called == "init" and "config" in given:  # of wandb and its kin, which hand the settings back
            whole = given["config"]
            self._settings("config", whole, ast.Expr(whole), "", only_built=isinstance(whole, ast.Call))
            return
        if _DEFINES.match(called) and len(call.args) >= 2:
            name, default = text_of(call.args[0]), call.args[1]
            more = literals(call.args[2]) if "enum" in called.lower() and len(call.args) > 2 else ()
            if name:
                self._value(f"--{name}", default, call, "option", "", more, key=name)
            return
        if called not in _ADDS_OPTION or "default" not in given:
            return
        flags = [text for argument in call.args if (text := text_of(argument))]
        long = [flag for each in flags for flag in each.split("/") if flag.startswith("--")]
        short = [flag for flag in flags if flag.startswith("-")]
        name = (long or short or [flag for flag in flags if flag.isidentifier()] or [""])[0]
        if not name:
            return
        plain = [flag for flag in flags if flag.isidentifier()]
        dest = text_of(given.get("dest")) or (plain[0] if plain else last_part(name))
        choices = literals(given.get("choices")) or click_choices(given.get("type"))
        texts_are_numbers = (last_name(given["type"]) if "type" in given else None) in ("int", "float")
        self._value(
            name, given["default"], call, "option", "", choices, help_of(given), key=dest,
            unquote=texts_are_numbers,
        )  # fmt: skip

    # -- dictionaries and calls that hold settings -----------------------------------------------------

    def _settings(
        self, prefix: str, node: ast.expr, statement: ast.stmt, owner: str, *, only_built: bool = False,
        depth: int = 0,
    ) -> None:  # fmt: skip
        """Take up the entries of a dictionary, or of a call with keywords such as `Config(lr=0.1)`.

        `only_built`: only if what is called says by its name that it makes settings.
        """
        if depth > _DEEPEST:
            return
        if isinstance(node, ast.Dict) and not only_built:
            for key, value in zip(node.keys, node.values, strict=True):
                word = text_of(key)
                if word:
                    self._entry(f"{prefix}.{word}", value, statement, owner, depth)
        elif isinstance(node, ast.Call):
            called = snake(last_name(node.func) or "")
            if called in _FIELD or _ADDS_OPTION & {called}:
                return
            if only_built and (not _BUILDS.search(called) or called.startswith(("get_", "load_", "parse_"))):
                return
            builds = _BUILDS.search(called) is not None
            for argument in node.args[:1]:
                if isinstance(argument, ast.Dict):
                    self._settings(prefix, argument, statement, owner, depth=depth + 1)
            for keyword in node.keywords:
                # What merely uses settings, such as an optimizer, is read for its numbers alone.
                if keyword.arg and (builds or not isinstance(worth(keyword.value), bool | str)):
                    known = len(self.found)
                    self._entry(f"{prefix}.{keyword.arg}", keyword.value, statement, owner, depth)
                    self.used |= set() if builds else {site.start for site in self.found[known:]}

    def _entry(self, name: str, value: ast.expr, statement: ast.stmt, owner: str, depth: int) -> None:
        if not self._value(name, value, value, "setting", owner, ()):
            self._settings(name, value, statement, owner, depth=depth + 1)

    # -- values ----------------------------------------------------------------------------------------

    def _value(
        self, name: str, node: ast.expr, where: ast.stmt | ast.expr, kind: Kind, owner: str,
        choices: tuple[str, ...], comment: str = "", *, key: str = "", unquote: bool = False,
    ) -> bool:  # fmt: skip
        """Take up a literal, the elements of a short tuple or list, or the default of an environment variable.

        Return whether the value was one of these.
        """
        parts, taken = [(name, node)], False
        if isinstance(node, ast.Tuple | ast.List):
            short, choices, taken = len(node.elts) <= MAX_ELEMENTS, (), True
            parts = [(f"{name}[{place}]", each) for place, each in enumerate(node.elts) if short]
        for called, part in parts:
            value, from_environment = unwrapped(part)
            found = worth(value)
            if found is None:
                continue
            start, end = self.lines.span(value)
            literal = self.lines.text[start:end]
            if isinstance(found, str) and (from_environment or unquote):
                inner = number_literal(found)
                if inner is None or literal[1:-1] != found:
                    continue
                start, end, literal = start + 1, end - 1, inner
            taken = True
            if "\n" in literal or "\r" in literal or literal_value(literal) is None:
                continue  # written over several lines: nothing that a step could take the place of
            said = self.lines.comment(self.lines.span(where)[1]) or self.lines.comment(end) or comment
            own = key or last_part(called)
            self.found.append(Site(called, start, end, literal, own, kind, said, choices, owner))
        return taken
