"""Loads a linear classifier, answers as it was trained, and writes it as `.lin`."""

import json
from pathlib import Path

import numpy as np

from edgebench.converters.base import SourceModel
from edgebench.records import Preprocessing
from edgebench.runner.preprocess import normalise


def load(source, preprocessing):
    content = json.loads(Path(source.spec).read_text())
    weights, bias = np.array(content["weights"], np.float32), np.array(content["bias"], np.float32)
    height, width, channels = content["size"]
    rule = preprocessing or Preprocessing("linear", scale=1 / 255, channels="L")
    labels = tuple(content["labels"])
    parameters = weights.size + bias.size
    handle = (weights, bias)
    return SourceModel(source, height, width, channels, len(bias), labels, parameters, rule, handle)


def predict(model, images):
    weights, bias = model.handle
    return normalise(images, model.preprocessing).reshape(len(images), -1) @ weights + bias


def to_lin(model, path):
    weights, bias = model.handle
    shape = np.array([model.height, model.width, model.channels])
    with path.open("wb") as stream:
        np.savez(stream, shape=shape, weights=weights, bias=bias)
