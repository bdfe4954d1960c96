"""The labels that Nocturne puts on pull requests and issues."""

from __future__ import annotations

LABELS = {
    "improved": "nocturne:improved",
    "discarded": "nocturne:discarded",
    "inconclusive": "nocturne:inconclusive",
    "crashed": "nocturne:crashed",
    "rejected": "nocturne:rejected",
    "lost": "nocturne:lost",
}
LABEL_ALL = "nocturne"
LABEL_PROMOTION = "nocturne:promotion"
LABEL_IDEA = "nocturne:idea"
LABEL_NEEDS_HUMAN = "nocturne:needs-human"


def is_our_label(name: str) -> bool:
    """Say whether a label is ours to put on and take off; GitHub does not look at the case of letters."""
    return name.lower() == LABEL_ALL or name.lower().startswith(f"{LABEL_ALL}:")
