"""Keras models, SavedModel folders and the Keras Applications."""
