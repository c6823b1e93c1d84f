"""Learning to classify pictures: its recipe, its batches, its augmentation."""
