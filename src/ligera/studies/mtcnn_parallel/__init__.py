"""Paper A's training of P-Net: what made it faster, and what it learns without negatives."""
