"""Learning to find regions on pages, with outlines: its recipe, its pages, its losses."""
