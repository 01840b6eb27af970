"""From a folder of photos to a trained classifier: what to train, on which images, and what is left behind."""
