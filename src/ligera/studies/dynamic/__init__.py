"""Dynamic training (paper D): classification in the paper's own setting, and face detection, its future work."""
