"""A bundle that names pictures, and what it said on disk."""
