"""The agent: a few hundred lines of standard-library Python that the host sends to a device and talks to over SSH.

It is never installed. `payload()` packs its source for the standard input of the device's Python; there it answers
one request a line until that input closes. It keeps everything in one folder, the store. Python 3.9 or newer.
"""
