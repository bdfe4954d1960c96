"""Words of agents and users in Slack's own markup, made harmless.

https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re

from bot.notify.message import Line, Words
from bot.text import disarmed, one_line, web_address

_JOINER = "\u200d"
# Slack has no way to escape its marks: they are replaced by signs that look alike. An underscore within a word
# is no mark. `:name:` would be shown as an emoji; a quote begins with `>` at the start of a line.
_ALIKE = str.maketrans({"*": "\u2217", "~": "\u223c", "`": "\u02cb"})
_EMPHASIS = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_EMOJI = re.compile(r":(?=[a-z0-9_+'-]+:)", re.IGNORECASE)


def mrkdwn_text(text: str, limit: int | None = None) -> str:
    """Return `text` as one line of mrkdwn that shows what was written and does nothing.

    At most `limit` characters of it are shown, and the result is never longer than twice that.
    """
    line = one_line(text, limit)
    while True:
        said = _escaped(line)
        if limit is None or len(said) <= 2 * limit:
            return said
        line = one_line(line, len(line) * 3 // 4)


def _escaped(line: str) -> str:
    line = disarmed(line).translate(_ALIKE)
    line = _EMOJI.sub(f":{_JOINER}", _EMPHASIS.sub("\u02cd", line))
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mrkdwn_line(line: Line, limit: int) -> str:
    """Return a line of words in mrkdwn; at most `limit` characters of each piece are shown."""
    return "".join(_words(words, limit) for words in line)


def _words(words: Words, limit: int) -> str:
    lead, tail = words.text[:1].isspace() * " ", words.text[-1:].isspace() * " "
    said = mrkdwn_text(words.text, limit)
    url = web_address(words.url)
    if url and len(url) <= 500 and said:
        said = f"<{url.replace('&', '&amp;')}|{said}>"
    return f"{lead}*{said}*{tail}" if words.bold and said else f"{lead}{said}{tail}"
