"""A linear classifier of images as a source framework, with a format, a runtime and a device of its own."""
