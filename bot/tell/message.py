"""A message: a document that is sent to people, under a name for ever."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.tell.document import Document, Picture, heading, paragraph


@dataclass(frozen=True)
class Message:
    """One message. `key` names it for ever: nobody sends two of the same key.

    `summary` is one line for a phone's lock screen; `body` is what stands below it.
    """

    key: str
    title: str
    summary: str
    body: Document = ()

    @property
    def chart(self) -> str | None:
        """What the message's picture shows, None if it has none."""
        return next((block.shows for block in self.body if isinstance(block, Picture)), None)

    def document(self, picture: str | None = None) -> Document:
        """Return the whole message, with its picture if it lies somewhere by now."""
        body = tuple(
            replace(block, path=picture) if isinstance(block, Picture) else block for block in self.body
        )
        return (heading(self.title, 1), paragraph("**{}**", self.summary), *body)
