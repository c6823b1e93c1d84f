"""One person among others: frozen bases, and the small head that learns to tell the person (paper E)."""
