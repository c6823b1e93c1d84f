"""How long a model takes here, in processes that take turns, and whether the machine was quiet enough to say so."""
