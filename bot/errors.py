"""The errors that a user can cause and mend."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can put right: printed as one line, exit code 2, no traceback.

    The message names the file and the key where there are any, and says the mend.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class NotAllowed(UserError):
    """The remote does not let us do what the loop must do; a human with more rights can mend it."""
