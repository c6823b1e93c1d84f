"""Study ``transfer``: which frozen base tells one person from others (paper E)."""
