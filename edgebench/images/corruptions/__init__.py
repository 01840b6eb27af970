"""The fifteen common corruptions of ImageNet-C, with NumPy, SciPy and Pillow.

D. Hendrycks and T. Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations",
ICLR 2019, as the package `imagecorruptions` 1.1.2 has them for images of any size (C. Michaelis et al., 2019).
`benchmarks/corruptions.py` holds each of them against that package. Every function takes one image, float64 (height,
width, channels) in 0..1, a severity of 1..5 and a generator, and returns the same in 0..1, not clipped.
"""
