"""The campaign's configuration: `.github/nocturne.yml`.

The defaults are such that a repository with `train.py`, `prepare.py` and `program.md` needs an empty file.
"""

from bot.config.evaluator import Evaluator
from bot.config.keys import Config, ConfigFile, ModelPrice, Models, NotifySettings, Stop
from bot.config.reading import CONFIG_PATH, campaigns, front_matter, parse
from bot.config.section import Section

__all__ = [
    "CONFIG_PATH",
    "Config",
    "ConfigFile",
    "Evaluator",
    "ModelPrice",
    "Models",
    "NotifySettings",
    "Section",
    "Stop",
    "campaigns",
    "front_matter",
    "parse",
]
