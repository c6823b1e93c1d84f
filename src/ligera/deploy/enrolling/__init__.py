"""Photos of a person -> a bundle that knows the person: faces found, a leak-free split, a head, thresholds."""
