"""Which score a training script prints, told from its source: what `nocturne init` proposes as the metric."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

NUMBER = r"([-+.\w]+)"  # one that is not finite, too, so that it is not passed over
_HELD_OUT = r"(?:val|valid|validation|eval|evaluation|test|dev|held|heldout|holdout)"
_LOSS = r"(?:loss|bpb|bpc|nll|perplexity|ppl)"
_LESS = r"(?:error|rmse|mse|mae|mape|wer|cer|fid|logloss|latency|regret)"
_MORE = (
    r"(?:acc|accuracy|f1|auc|auroc|bleu|rouge|return|reward|score|win|wins|winrate|rate|r2|psnr|ssim|iou|miou|map|ndcg"
    r"|recall|precision|throughput|speedup|elo)"
)
_TRAINING = re.compile(r"\b(?:train|training|lr|learning|step|steps|iter|epoch|batch|fit|ms|mem|memory)\b")
_BREAK = re.compile(r"[\n|,;\t(\[{]")
_SPEAKS = {"print", "print0", "rprint", "info", "log", "write", "echo", "debug", "success", "secho"}
_PERCENT = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?[a-zA-Z]")
_BRACES = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True)
class PrintedScore:
    """A score by its name; `pattern` finds it in what is printed, None if JSON and METRIC lines do."""

    name: str
    direction: Literal["minimize", "maximize"]
    pattern: str | None


def printed_score(source: str) -> PrintedScore | None:
    """Return the score that a Python script seems to report, None if none is seen.

    What is measured on held-out data comes first, and of that a loss. A loss alone is none: it may be the training's.
    """
    try:
        tree = ast.parse(source.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found = [(rank, score) for label, pattern in _labels(tree) if (rank := _rank(label)) is not None
             and (score := _score(label, pattern)) is not None]  # fmt: skip
    return min(found, key=lambda each: each[0])[1] if found else None


def direction_of(name: str) -> Literal["minimize", "maximize"]:
    """Return whether more of what a metric's name says is better."""
    words = _words(name)
    return "maximize" if any(re.fullmatch(_MORE, word) for word in words) else "minimize"


def _words(label: str) -> list[str]:
    return re.findall(r"[a-z][a-z0-9]*", label.lower().replace("_", " "))


def _rank(label: str) -> int | None:
    """Return how likely a label is the score's, 0 first; None if it can't be one."""
    words = _words(label)
    if _TRAINING.search(" ".join(words)):
        return None
    held = any(re.fullmatch(_HELD_OUT, word) for word in words)
    for rank, kind in enumerate((_LOSS, _LESS, _MORE)):
        if any(re.fullmatch(kind, word) for word in words):
            return rank if held else None if kind == _LOSS else 3 + rank
    return None


def _score(label: str, pattern: str | None) -> PrintedScore | None:
    name = re.sub(r"\W+", "_", label).strip("_").lower()[:64].rstrip("_")
    if not re.match(r"[a-z_]", name):
        return None
    return PrintedScore(name, direction_of(name), pattern)


def _labels(tree: ast.Module) -> Iterator[tuple[str, str | None]]:
    """Yield what stands before each number that is printed, and the pattern that finds it; keys of dictionaries too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for key in node.keys:
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value, None
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "log" and _text(node.args[0] if node.args else None) and len(node.args) > 1:
            label = _text(node.args[0])  # Lightning's, which shows it in bars and tables
            yield label, rf"{_escaped(label)}\W+{NUMBER}"
        elif name in _SPEAKS:
            for before in _before_numbers(node):
                label = _BREAK.split(before)[-1].strip().rstrip(":= ")
                said = _BREAK.split(before)[-1].strip()
                yield label, f"{_escaped(said)} *{NUMBER}"
        elif name == "fit" and any(k.arg in ("validation_data", "validation_split") for k in node.keywords):
            yield "val_loss", f"val_loss: *{NUMBER}"  # Keras


def _escaped(text: str) -> str:
    return re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", text)


def _before_numbers(call: ast.Call) -> Iterator[str]:
    """Yield the text before each value that a call prints, back to the value before it."""
    before = ""
    for argument in call.args:
        for piece in _pieces(argument):
            if piece is None:
                yield before
                before = ""
            else:
                before += piece
        before += " "


def _pieces(node: ast.expr) -> Iterator[str | None]:
    """Yield the texts of a message and None for each value between them."""
    if isinstance(node, ast.JoinedStr):
        for part in node.values:
            yield _text(part) if isinstance(part, ast.Constant) else None
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _pieces(node.left)
        yield from _pieces(node.right)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and _text(node.left):
        yield from _split(_PERCENT, _text(node.left))
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "format"
        and _text(node.func.value)
    ):
        yield from _split(_BRACES, _text(node.func.value))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        yield None


def _split(hole: re.Pattern[str], text: str) -> Iterator[str | None]:
    parts = hole.split(text)
    for part in parts[:-1]:
        yield part
        yield None
    yield parts[-1]


def _text(node: ast.AST | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
