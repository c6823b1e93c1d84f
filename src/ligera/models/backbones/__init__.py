"""Pictures ``(B, 3, H, W)`` -> features at strides 4, 8, 16 and 32 px."""
