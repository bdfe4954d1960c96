"""The campaign's configuration: `.github/nocturne.yml`.

The defaults are such that a repository with `train.py`, `prepare.py` and `program.md` needs an empty file.
"""

from bot.config.evaluator import Evaluator
from bot.config.keys import Config, ConfigFile, ModelPrice, Models, NotifySettings, Stop
from bot.config.reading import CONFIG_PATH, campaigns, parse

__all__ = [
    "CONFIG_PATH",
    "Config",
    "ConfigFile",
    "Evaluator",
    "ModelPrice",
    "Models",
    "NotifySettings",
    "Stop",
    "campaigns",
    "parse",
]
