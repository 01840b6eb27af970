"""An artifact beside the float artifact of its format, layer by layer, on the same images."""
