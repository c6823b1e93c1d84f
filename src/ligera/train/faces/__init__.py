"""Learning to find faces: its recipe, its batches, its losses."""
