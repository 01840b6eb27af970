"""Drawings as SVG, made without a browser: values in, one self-contained picture with its text alternative out."""
