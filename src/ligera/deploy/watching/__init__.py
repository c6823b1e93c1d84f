"""Live: frames of a camera or video -> faces followed between frames, each recognised once and again when unsure."""
