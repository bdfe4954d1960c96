"""What makes the secret of the cuts for a repository on GitHub."""

from __future__ import annotations

import secrets

from bot.github.cuts import KEY_BYTES


def run() -> int:
    """Print a new secret, to be piped into `gh secret set`."""
    print(secrets.token_hex(KEY_BYTES))
    return 0
