"""Our labels on pull requests on GitHub: put on in one request, and given a colour when they are new."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from bot.forge.github_client import GitHubClient, Refused
from bot.forge.labels import LABEL_ALL, LABEL_IDEA, LABEL_NEEDS_HUMAN, LABEL_PROMOTION, LABELS

_PLAIN = "ededed"  # the colour of a label that GitHub makes by itself
_STYLES = {
    LABEL_ALL: ("1f2a44", "Opened by Nocturne"),
    LABEL_PROMOTION: ("8250df", "Carries confirmed gains to the base branch"),
    LABELS["improved"]: ("2da44e", "Better than the incumbent beyond the noise: merged"),
    LABELS["discarded"]: ("8c959f", "Not better than the incumbent"),
    LABELS["inconclusive"]: ("d4a72c", "The runs allowed do not tell"),
    LABELS["crashed"]: ("cf222e", "Training failed"),
    LABELS["rejected"]: ("bc4c00", "Refused by scope, review or evaluator"),
    LABELS["lost"]: ("6e7781", "Came to no end"),
    LABEL_IDEA: ("54aeff", "What to try, as it stands when this label is put on"),
    LABEL_NEEDS_HUMAN: ("a475f9", "The loop can't go on by itself"),
}


class Labels:
    """The labels of a repository; each is looked after once in a process."""

    def __init__(self, client: GitHubClient) -> None:
        self._client = client
        self._styled: set[str] = set()

    def along(self, edit: Callable[[], Any], names: Sequence[str] | None) -> Any:
        """Do an edit of an issue that puts these labels on, and return its answer. Those that are new get a colour."""
        try:
            record = edit()
        except Refused as refused:
            if refused.status != 422 or not names:
                raise
            for name in names:
                self._create(name)
            record = edit()
        if names is not None:
            self.colour(record["labels"])
        return record

    def colour(self, labels: Sequence[Mapping[str, Any]]) -> None:
        """Give those their colour that GitHub has made by itself, without one."""
        for label in labels:
            if label["name"] in _STYLES and label.get("color") == _PLAIN:
                self._style(label["name"])

    def _create(self, name: str) -> None:
        colour, description = _STYLES.get(name, (_PLAIN, ""))
        try:
            self._client.request(
                "POST", "/labels", {"name": name, "color": colour, "description": description}
            )
        except Refused as refused:
            if refused.status != 422:  # else it is there: another process was first, or our own first try
                raise

    def _style(self, name: str) -> None:
        if name in self._styled:
            return
        self._styled.add(name)
        colour, description = _STYLES[name]
        try:
            self._client.request(
                "PATCH", f"/labels/{quote(name, safe='')}", {"color": colour, "description": description}
            )
        except Refused:
            return  # a grey label does its work too; the token may not have the right to colour it
