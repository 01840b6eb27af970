"""A torch module -> a float32 artifact of each format."""
