"""Precision `mixed`: int8 with the fewest tensors in floating point that keep a promised drop."""
