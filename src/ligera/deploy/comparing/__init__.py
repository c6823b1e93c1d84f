"""Engines for data work side by side on one's own pictures: time and memory of each."""
