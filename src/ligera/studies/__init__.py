"""Claims with their evidence: each study sets a paper's table beside what was measured here."""
