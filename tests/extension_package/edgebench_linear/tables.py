"""What this package adds to edgebench's tables."""

from edgebench.variants import FLOAT, Format, Runtime

LIN = Format("lin", "Linear", (FLOAT, "float16"), ".lin", quantiser="edgebench_linear.quantiser")
NUMPY = Runtime("numpy", ("lin",), "edgebench_linear.runtime", "numpy", "numpy", requirements=("numpy",))
