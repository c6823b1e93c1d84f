"""Learning MTCNN: P-, R- and O-Net from mined crops, and paper A's own protocol as a task to compare with."""
