"""Hugging Face checkpoints: read without torch where that is enough, loaded by transformers where it is not."""
