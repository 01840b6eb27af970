"""edgebench: which file to ship to which device, in which format and precision, and what is lost."""

__version__ = "0.1.0"
