"""The runner: measures one artifact in one fresh process, here or on a device.

Standard library, numpy and one runtime only; Python 3.9 or newer. `edgebench.devices.bundle` packs this folder with
`edgebench/errors.py` and `edgebench/records.py` into one file that any Python can execute.
"""
