"""``ligera mine``: annotated pictures and the networks so far -> training data of the next network (SPEC section A)."""

from ligera.deploy.mining.running import Mined, Mining, mine
from ligera.deploy.mining.settings import MineSettings, parsed_ratio, settings_for

__all__ = ["MineSettings", "Mined", "Mining", "mine", "parsed_ratio", "settings_for"]
