"""The ways in which people can be told, each a file of its own: a new one is a file, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.config import NotifySettings
from bot.notify.notifier import Notifier
from bot.notify.slack import open_app
from bot.notify.webhook import open_webhook

WAYS: tuple[Callable[[NotifySettings, Mapping[str, str]], Notifier | None], ...] = (open_app, open_webhook)
"""Each returns its notifier if settings and environment are all that it needs, else None."""


def open_notifier(settings: NotifySettings, environ: Mapping[str, str]) -> Notifier | None:
    """Return the first notifier that is set up, None if none is."""
    return next((way for open_way in WAYS if (way := open_way(settings, environ)) is not None), None)
