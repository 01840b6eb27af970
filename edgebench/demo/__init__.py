"""The demo's images and models: real handwritten digits, and small networks trained on them."""
