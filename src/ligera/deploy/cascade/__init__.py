"""MTCNN's three networks as one detector, without torch."""
