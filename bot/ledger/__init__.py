"""The ledger: typed events in, a campaign out, kept in git where any number of loops may write."""

from bot.ledger.ledger import Ledger, now, stamp

__all__ = ["Ledger", "now", "stamp"]
