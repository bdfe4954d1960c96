"""Git at the edge: the user's repository by plumbing, the remote by compare-and-swap."""

from bot.git.command import Damaged, RemoteUnreachable
from bot.git.objects import TreeEntry
from bot.git.repository import AUTHOR, Git
from bot.git.transfer import PushResult, RefUpdate

__all__ = ["AUTHOR", "Damaged", "Git", "PushResult", "RefUpdate", "RemoteUnreachable", "TreeEntry"]
