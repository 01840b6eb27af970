"""A runtime that does what its artifact's name says: crash, hang, or call exit in the middle."""

import os
import signal
import time

import numpy as np

from edgebench.records import TensorSpec


class Session:
    version = "1"
    input = TensorSpec("in", (1, 4, 4, 3), "float32")
    output = TensorSpec("out", (1, 2), "float32")

    def __init__(self, behaviour):
        self.behaviour = behaviour

    def copy_in(self, array):
        self.array = array

    def invoke(self):
        print("a library prints to standard output as it likes")
        if self.behaviour == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.behaviour == "hang":
            time.sleep(60)
        if self.behaviour == "exit":
            os._exit(7)
        if self.behaviour == "raise":
            raise ZeroDivisionError("by zero")

    def copy_out(self):
        return np.array([[0.25, 0.75]], np.float32)

    def facts(self):
        return {}

    def close(self):
        pass


def open_session(name, path, settings):
    return Session(os.path.basename(path))
