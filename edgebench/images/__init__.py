"""Photos and arrays as a user has them -> evaluation sets: decoded and resized once, to uint8 NHWC, with a hash."""
