"""What the ledger records: one frozen dataclass per kind of event.

Everything known about a campaign is a fold over these (`bot.rules.campaign`). An event's class says its kind, its key
and how it changes the campaign; `registry` says how it is written and read. The modules beside it hold the events by
subject, and importing them here registers them: a new class in one of them is all that a new kind needs.
"""

# ruff: noqa: F403
from bot.rules.events.campaign import *
from bot.rules.events.experiment import *
from bot.rules.events.human import *
from bot.rules.events.imported import *
from bot.rules.events.landing import *
from bot.rules.events.message import *
from bot.rules.events.outer import *
from bot.rules.events.registry import *
from bot.rules.events.research import *
from bot.rules.events.run import *
