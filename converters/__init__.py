"""Trained models in, artifacts out: one module a source framework, and two that quantise what those made."""
