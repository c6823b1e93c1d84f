"""Study ``engines``: what precision and runtime cost and gain on this machine (paper E, figures 6.5 to 6.9)."""
