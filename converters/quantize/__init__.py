"""A float32 artifact -> the other precisions of its format."""
